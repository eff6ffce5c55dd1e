from __future__ import annotations

import pytest

from aquant_ref.errors import InputError
from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.nn.structure import check_structure


def built(
    *, bias: bool = True, norm: bool = False, unread: bool = False, last: str = "linear"
) -> Builder:
    layer = Builder((3, 8, 8))
    with layer.block("body"):
        x = layer("conv", "conv2d", INPUT, channels=4, kernel=3, bias=bias)
        if norm:
            x = layer("norm", "batch_norm", x)
        if unread:
            layer("other", "relu", x)
        x = layer("flat", "flatten", layer("pool", "global_avg_pool", x))
        if last:
            layer("head", last, x, **({"channels": 2} if last == "linear" else {}))
    return layer


def test_a_network_of_folded_layers_that_ends_in_logits_is_taken() -> None:
    check_structure(built().graph())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bias": False}, "conv: has no bias"),
        ({"norm": True}, "norm: batch norm is not folded"),
        ({"last": "relu"}, "head: is relu; the last node must be linear"),
        ({"unread": True}, "other: nothing reads it"),
    ],
)
def test_what_cannot_be_quantized_is_refused_by_the_name_of_its_node(
    wrong: dict[str, bool], words: str
) -> None:
    with pytest.raises(InputError, match=rf"\b{words}"):
        check_structure(built(**wrong).graph())
