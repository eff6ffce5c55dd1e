from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pytest

from aquant_ref.conformance import OPERATIONS
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import generate
from aquant_ref.conformance.protocol.streams import header, lines
from aquant_ref.conformance.vectors.write import APART
from tests.conformance.test_contract import KINDS

SELECTIONS = [
    Selection(*key, edition=edition, size=size)
    for key, kinds in KINDS.items()
    for rejects, edition, size in kinds
    if not rejects and (edition < 2 or key[1] in ("exact", OPERATIONS[key[0]].choices[0]))
]


# A sequence is the same for ever: what is written here may be added to, and is never changed.
SHA256 = {
    "border border": "15a2487f5ccbdb32",
    "round core-int": "2282ad7f37cf58a1",
    "quantize core-int": "3a344c5bb023f308",
    "dequantize core-int": "73eeb6c84131911a",
    "multiplier core-int": "2c41b4b363f232fd",
    "requantize exact": "d969698a2e8627c7",
    "requantize tflite_single": "fbdeec3fc395b16f",
    "requantize tflite_up": "c61b8f611992f75c",
    "requantize tflite_away": "0f6b9046b5fec456",
    "requantize float32": "4932865fb7131545",
    "requantize float64": "10d3c984a317dd6c",
    "requantize float64_onnx": "d801a963a99b6959",
    "add core-int": "6b7fc2a9eadd4756",
    "avg_pool core-int": "6e9bc2475c761e30",
    "clip core-int": "192809ef09c6df01",
    "border_round border": "e73641fe2efd831d",
    "threshold border": "8bc30438edc4236f",
    "conv2d ideal": "293000d11f7ecff3",
    "conv2d exact": "116091b710b1f31e",
    "conv2d tflite_single": "a63c4379bfdd980d",
    "conv2d tflite_up": "3e45a082b266c32d",
    "conv2d tflite_away": "43138d144761b628",
    "conv2d float32": "1813947a28990fcd",
    "conv2d float64": "e5730cc73764a39a",
    "conv2d float64_onnx": "cda1d9e1d2dbcc52",
    "depthwise ideal": "ae586e234da5da77",
    "depthwise exact": "b0ee08f86844b35a",
    "depthwise tflite_single": "9bfdbc19136dfdf2",
    "depthwise tflite_up": "abf2311773d30323",
    "depthwise tflite_away": "fd58b752f1272114",
    "depthwise float32": "46c938e379d066e4",
    "depthwise float64": "65f7f4942eab0181",
    "depthwise float64_onnx": "7ba6974147e1bc14",
    "linear ideal": "0740f3e025d281ce",
    "linear exact": "57525a376660f09e",
    "linear tflite_single": "3a1da5e900ddb2f8",
    "linear tflite_up": "8f160127e4d5b807",
    "linear tflite_away": "755bdbe061e00615",
    "linear float32": "521b2bff119584d7",
    "linear float64": "58267a2cd639f94c",
    "linear float64_onnx": "fae768184cb6b4bc",
    "add_tensors engine": "a6d593aa256d8f54",
    "avg_pool2d engine": "8fc7b053ed9af7e1",
    "max_pool2d engine": "5590340bf0ddd056",
    "thresholds engine": "7669be4ee7bf7b95",
    "bordered_conv2d engine": "bf9588bc33eac328",
    "fused_conv2d engine": "df37331fa40f3c15",
    "program engine": "442788689fed007d",
    "multiplier core-int edition 1": "e466bdcd7853abf5",
    "requantize exact edition 1": "213d63a6d0efbe08",
    "requantize tflite_single edition 1": "a124dd7b3846e377",
    "requantize tflite_up edition 1": "9004b7900f65aa79",
    "requantize tflite_away edition 1": "74c61f9b47a781d0",
    "requantize float32 edition 1": "717b6c1ca0db1972",
    "requantize float64 edition 1": "22997b871c0ae6e4",
    "requantize float64_onnx edition 1": "8008be0eb5795922",
    "quantize float32": "7e802ce688a536df",
    "quantize float32_reciprocal": "aa63de93650e1fb3",
    "quantize float32_zero_first": "1a33acb3790b5a40",
    "dequantize float32": "763424185744b256",
    "add tflite": "4e979ff8a61dac86",
    "add xnnpack": "743a838ced876da7",
    "add float32": "ff0a32aaacda7f97",
    "add onnxruntime": "a6590f53d3125f88",
    "add torch": "0196a3b2ea3827bc",
    "add torch_tail": "384f6246cc3e0832",
    "add qnnpack": "0546d5a874e93536",
    "avg_pool tflite": "a49df44b6fca5f5d",
    "avg_pool torch": "87998c7066a273e7",
    "avg_pool onnx": "2a6fb76d6c80f9b7",
    "avg_pool onnxruntime": "bfafba8ac461a645",
    "avg_pool qnnpack": "99e0c5f54bef827c",
    "add_tensors xnnpack": "62fa56e62a90f214",
    "add_tensors float32": "172689536d71bf70",
    "add_tensors onnxruntime": "768b4f6dcae23127",
    "add_tensors torch": "6a8b933e34503854",
    "add_tensors torch_tail": "e058dbdaf24b627b",
    "add_tensors qnnpack": "2bc166a1ddf4da4a",
    "rescale_codes core-int": "f146d8de97ec083b",
    "rescale_codes tflite": "85d73cb82ded1354",
    "rescale_codes tflite_up": "754f11ff3179f11f",
    "rescale_codes xnnpack": "44e6e4e319314391",
    "rescale_codes float32": "1de0a2bc5fe6ef9b",
    "avg_pool2d tflite": "5e39a794fb480d7e",
    "avg_pool2d torch": "693b46fa1bad22d5",
    "avg_pool2d onnx": "80c9bc678c875a1b",
    "avg_pool2d onnxruntime": "06f14ab109cafc85",
    "avg_pool2d qnnpack": "705e109f0ec8ffaa",
    "conv2d ideal edition 2 large": "ea065ee394cca612",
    "conv2d ideal edition 2": "0ca5ffbc0b7fae92",
    "conv2d exact edition 2 large": "73a511c2ae873e6d",
    "conv2d exact edition 2": "07d5dcbe071335bf",
    "conv2d ideal edition 3": "7604e0a0f464fb7c",
    "conv2d exact edition 3": "5e2548baa4d341d9",
    "depthwise ideal edition 2 large": "22dee15826c8f3e6",
    "depthwise ideal edition 2": "e82c598415bab608",
    "depthwise exact edition 2 large": "dcfad3137318e6a3",
    "depthwise exact edition 2": "6db2b0668b9ae045",
    "depthwise ideal edition 3": "9e9fd940ad7f22d4",
    "depthwise exact edition 3": "04039448e8690416",
    "linear ideal edition 2 large": "522b68472bf85e21",
    "linear ideal edition 2": "5ff39b1c34ebb0ff",
    "linear exact edition 2 large": "0939369bf44888ed",
    "linear exact edition 2": "a41dd45cc5cedc6b",
    "linear ideal edition 3": "741b9f3fd972ec6c",
    "linear exact edition 3": "cea4027b69d7861c",
    "conv2d float32_product": "fb025b0420fee84f",
    "conv2d float32_zero_first": "9de101f6e3bea780",
    "conv2d onednn": "7a1ee2c02fa5c1c4",
    "conv2d fbgemm": "a96ecd87467182c8",
    "conv2d fbgemm_tensor": "fbfc5a0ee1f65c7a",
    "conv2d qnnpack": "f0e570cf848545e7",
    "depthwise float32_product": "650370049a3e4148",
    "depthwise float32_zero_first": "df94f477bac04719",
    "depthwise onednn": "0c251d21e689b679",
    "depthwise fbgemm": "356c574b37884fa2",
    "depthwise fbgemm_tensor": "eb638cd82d274e03",
    "depthwise qnnpack": "3c932938bfd01de4",
    "linear float32_product": "12cdc4a3120742b9",
    "linear float32_zero_first": "d1adf730c428082c",
    "linear onednn": "66022373b23d841b",
    "linear fbgemm": "3792d91e6c6e4213",
    "linear fbgemm_tensor": "7f8759b126f5fa34",
    "linear qnnpack": "0ef9d71bedc410db",
    "matmul ideal": "5cd31ba33bb2b317",
    "matmul exact": "3ef5588fa1c52407",
    "matmul tflite_single": "bc2d11cd6afefa77",
    "matmul tflite_up": "1277c5e02a26a7e3",
    "matmul tflite_away": "16a155a6cb1989c0",
    "matmul float32": "fe2d94e5c9b3d374",
    "matmul float64": "9c9dbbbc32431289",
    "matmul float64_onnx": "ce312e5d4c33a390",
    "quantize float16": "ad885e12164eda04",
    "quantize bfloat16": "11103c3c897ae48c",
    "quantize float16_to_float32": "312cf2e0bd15ff18",
    "dequantize float16": "4235c65c3c90158c",
    "dequantize bfloat16": "bfa25b5a629c7e1d",
    "add_tensors tflite": "88f3bc24a5b2c2bf",
    "add_tensors litert_int8": "cbbc616ede27a366",
    "add_tensors litert_uint8": "fb951ac74d09cc38",
    "conv_integer engine": "460e5951b9d4bd46",
    "matmul_integer engine": "296274896a1e1bc0",
    "add_tensors engine edition 2 large": "628d85d2c418e3dc",
    "add_tensors engine edition 2": "d2fe6cd02a478973",
    "avg_pool2d engine edition 2 large": "518599d8935f405f",
    "avg_pool2d engine edition 2": "e4fdb32413663864",
    "max_pool2d engine edition 2 large": "bb700d0701225558",
    "max_pool2d engine edition 2": "f8c2cfd0f4f33b84",
    "thresholds engine edition 2 large": "741151b2a85f206c",
    "thresholds engine edition 2": "830af63822873043",
    "bordered_conv2d engine edition 2 large": "269d3b283bd3e0eb",
    "bordered_conv2d engine edition 2": "d4e6e7f7672c603c",
    "fused_conv2d engine edition 2 large": "7605e1cb1cc6b11b",
    "fused_conv2d engine edition 2": "e501b27d6abc3547",
    "program engine edition 2": "9c2161948b2b20a2",
    "lookup engine": "6c3f0ec17119dbfb",
    "requantize exact edition 2": "a18dd56387558b19",
    "border_round border edition 2": "f746836419f1e10b",
    "border border edition 2": "11f8f78a6b257538",
    "mul core-int": "26134b0dbb5d73e7",
    "mul tflite": "4e4bf526f0709d59",
    "mul xnnpack": "d151f887f105d166",
    "mul float32": "e9b98795c26f1ded",
    "mul onnxruntime": "346c031addbf0e1a",
    "mul torch": "52a25897da8746a2",
    "activation engine": "5f2d065647c98397",
    "activation float32": "384a790d03dbc6c3",
    "concat engine": "f94afc9b7992bd5b",
    "concat float32": "20e5ea8db283bd16",
    "concat tflite": "14a15324b9a8620c",
    "concat torch": "d86edf9495d7ce21",
    "round core-int edition 2": "f01d85c50eeb4039",
    "add core-int edition 2": "77c43b157b1dda48",
    "avg_pool core-int edition 2": "b2799f1f573067cc",
    "activation_range core-int": "9ca7f4c7ce5038ab",
    "activation_range tflite": "8246783afa2a6c87",
    "activation_range xnnpack": "306df95d5873653e",
    "activation_range torch": "c6106d3b8064bbb2",
    "conv2d tflite_16x8": "d12bc627354ba5fb",
    "conv2d power_of_two": "a6f44eaa0a383a9b",
    "conv2d float64_product": "5e981a4d208f282e",
    "depthwise tflite_16x8": "8ca7bb85a25c1f59",
    "depthwise power_of_two": "05797e52cab6b488",
    "depthwise float64_product": "1d7667497339f1d8",
    "linear tflite_16x8": "dfadbd76c8a0d516",
    "linear power_of_two": "9051d3cb6f5c1773",
    "linear float64_product": "4bd1516ceef1830d",
    "conv2d ideal edition 4": "cf1a1860d2661a66",
    "conv2d exact edition 4": "8fce721cf4364cd5",
    "depthwise ideal edition 4": "e7ec6e10e9bcbef0",
    "depthwise exact edition 4": "2508a0f34f34836d",
    "linear ideal edition 4": "c98406c5368c9873",
    "linear exact edition 4": "35a308a8ff70fd02",
    "requantize_any exact": "7900485dd5d6beb2",
    "requantize_any tflite_up": "edb2cf9c789b9c49",
    "requantize_any tflite_away": "9e351d6d3874c8c6",
    "conv2d ideal edition 5": "42c5c30b74d7713d",
    "conv2d exact edition 5": "c97727b33576be8d",
    "depthwise ideal edition 5": "b7f45bc5fc939b67",
    "depthwise exact edition 5": "dfb4caa5d5b88bf2",
    "linear ideal edition 5": "f0e16c81ce3fd2c2",
    "linear exact edition 5": "caa936328fc86290",
    "add_tensors engine edition 4": "508f1e60cee83843",
    "linear ideal edition 5 large": "a8d75a01da3828db",
    "linear exact edition 5 large": "e4ba922c4d085558",
    "requantize exact edition 3": "2ae2601f85fee715",
    "conv2d ideal edition 6": "8f64bdc454258594",
    "conv2d exact edition 6": "f6ae93bf81294a3e",
    "depthwise ideal edition 6": "e3e7103e1543ee52",
    "depthwise exact edition 6": "5d74e1673194a416",
    "linear ideal edition 6": "1bbcf5500e7c8606",
    "linear exact edition 6": "07f0438749f316e4",
    "conv2d_batch engine": "90da563a7247b081",
    "depthwise_batch engine": "c1ea06769f5a9a43",
    "linear_batch engine": "cc4f31f9f59dfd99",
    "add_tensors_batch engine": "6fe90cedf084f55c",
    "avg_pool2d_batch engine": "e778c83f152a7924",
    "requantize_any exact edition 1": "2d8268e06b92c61a",
    "requantize_any tflite_up edition 1": "b0c98e664daef317",
    "requantize_any tflite_away edition 1": "c46521e2f0cc546b",
    "conv2d ideal edition 7": "ea3ff4ca08ea5862",
    "conv2d exact edition 7": "8c45a8c04065dd8b",
    "depthwise ideal edition 7": "1f0bd6fa76fc9d5e",
    "depthwise exact edition 7": "0fa5f57eec4594e4",
    "linear ideal edition 7": "bb6755b0c5a1bb6f",
    "linear exact edition 7": "de8098b4a4de71d5",
    "matmul ideal edition 4": "23bd8b8e0aeffabc",
    "matmul exact edition 4": "e7912e1a11d9765d",
    "add core-int edition 3": "024704e6544b0e6f",
    "avg_pool core-int edition 3": "16622065062287ee",
    "rescale_codes core-int edition 1": "aa0349633c70af03",
    "mul core-int edition 1": "1b39159bd1bb92c4",
    "mul tflite edition 1": "cdfe093cf9146e14",
    "avg_pool2d engine edition 3 large": "3c0db8aab0a44e63",
    "avg_pool2d engine edition 3": "154b8f4a1fe7c36c",
    "max_pool2d engine edition 3 large": "cdd2cf70df9506da",
    "max_pool2d engine edition 3": "b644fa162318135d",
    "thresholds engine edition 3 large": "9161c7bdea258ea6",
    "thresholds engine edition 3": "534efe98d0faecef",
    "conv2d ideal edition 8 large": "030fc9ee42225a3b",
    "conv2d exact edition 8 large": "94317909da47d94f",
    "linear ideal edition 8 large": "1141732e7bee2a62",
    "linear exact edition 8 large": "60284b3ad0d992b6",
}


def text_of(selection: Selection, index: Sequence[int]) -> list[str]:
    """A line for each case: that of a stream, or all tensors."""
    cases = generate(selection, index)
    if cases.operation.scalar:
        return lines(cases).splitlines()
    return [json.dumps(cases.inputs(k)) for k in range(len(cases))]


def heavy(selection: Selection) -> bool:
    """Whether a case has some 200,000 numbers: those of `sum_end`."""
    return selection.edition == 5 and selection.size == "large"


def hash_of(selection: Selection) -> str:
    scalar = OPERATIONS[selection.operation].scalar
    whole = [header(selection, 500)] if scalar else []
    few = selection.size == "large" or selection.edition == APART
    count = 2 if heavy(selection) else 500 if scalar else 20 if few else 60
    whole += text_of(selection, range(count))
    return hashlib.sha256("".join(f"{line}\n" for line in whole).encode()).hexdigest()[:16]


def name_of(selection: Selection) -> str:
    edition = f" edition {selection.edition}" if selection.edition else ""
    edition += " large" if selection.size == "large" else ""
    return f"{selection.operation} {selection.profile}{edition}"


@pytest.mark.parametrize("selection", SELECTIONS, ids=name_of)
def test_a_sequence_never_changes(selection: Selection) -> None:
    """Spec: AQ-CONF-2."""
    assert hash_of(selection) == SHA256[name_of(selection)]


LIGHT = [selection for selection in SELECTIONS if not heavy(selection)]


@pytest.mark.parametrize("selection", LIGHT, ids=name_of)
def test_any_case_can_be_had_alone_and_a_longer_sequence_begins_with_the_shorter(
    selection: Selection,
) -> None:
    count = 24 if selection.size == "large" or selection.edition == APART else 60
    whole = text_of(selection, range(count))
    assert text_of(selection, range(count // 2)) == whole[: count // 2]
    assert text_of(selection, [count - 17, 3]) == [whole[count - 17], whole[3]]


def test_other_arguments_give_other_cases() -> None:
    def first(**chosen: object) -> str:
        return lines(generate(Selection("requantize", **chosen), range(20)))

    others = [first(), first(seed=1), first(bits=(8,)), first(profile="tflite_up")]
    assert len(set(others)) == 4
