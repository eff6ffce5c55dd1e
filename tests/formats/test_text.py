from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from aquant_ref.errors import InputError
from aquant_ref.formats.text import parse_json, read_json, read_toml
from tests.formats.readers import refusal

HOSTILE_JSON = {
    "nothing": ("", "cannot be read as JSON"),
    "half": ('{"a": ', "cannot be read as JSON"),
    "deep": ("[" * 100_000, "is nested too deeply"),
    "deep and whole": ("[" * 65 + "]" * 65, "is nested too deeply"),
    "deep objects": ('{"a":' * 500 + "1" + "}" * 500, "is nested too deeply"),
    "NaN": ("[NaN]", "has NaN"),
    "infinity": ("[-Infinity]", "has -Infinity"),
    "beyond float64": ("[1e999]", "has a number beyond float64, 1e999"),
    "long integer": ("9" * 301, "has an integer of 301 digits"),
    "very long integer": ("9" * 100_000, "has an integer of 100000 digits"),
    "half a pair": (r'["\ud800"]', "has half a surrogate pair"),
    "half a pair in a key": (r'{"\uDFFF": 1}', "has half a surrogate pair"),
    "a key twice": ('{"a": 1, "b": 2, "a": 3}', "has 'a' twice"),
    "a key twice among many": (
        "{" + "".join(f'"{number}": 1, ' for number in range(50_000)) + '"49999": 2}',
        "has '49999' twice",
    ),
    "large": ("[" + " " * (16 << 20) + "]", "more than the"),
}


@pytest.mark.parametrize(("text", "reason"), HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())
def test_json_that_later_work_could_stumble_on_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    assert reason in refusal(path, read_json)
    for form in (text, text.encode()):
        with pytest.raises(InputError, match="^the header: ") as caught:
            parse_json(form, "the header")
        assert reason in str(caught.value)


def test_json_is_read_as_it_is() -> None:
    value = {"a": [1, -2.5, None, True, "é\u2028\ud83d\ude00".encode("utf-16", "surrogatepass")[2:]
                   .decode("utf-16-le")], "b": {"c": 10**299, "d": [[[]]]}}  # fmt: skip
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only), "f") == value
    assert parse_json("[" * 64 + "]" * 64, "f")


HOSTILE_TOML = {
    "half": ("[[deviation]\n", "cannot be read as TOML"),
    "deep": ("a = " + "[" * 10_000, "is nested too deeply"),
    "deep and whole": ("a = " + "[" * 70 + "]" * 70, "is nested too deeply"),
    "a key of many parts": ("a." * 50_000 + "a = 1", "more than 100 dots"),
    "long integer": ("a = " + "9" * 5000, "cannot be read as TOML"),
    "large": ("#" * (257 << 10), "more than the"),
}


@pytest.mark.parametrize(("text", "reason"), HOSTILE_TOML.values(), ids=HOSTILE_TOML.keys())
def test_toml_that_later_work_could_stumble_on_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "f.toml"
    path.write_text(text)
    if reason == "cannot be read as TOML" and sys.version_info < (3, 11) and "999" in text:
        return  # there is no limit of digits for int() before
    assert reason in refusal(path, read_toml)
