from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.errors import InputError
from aquant_ref.nn.operations import Node


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "^node '': needs"),
        ({"name": 3}, "^node: needs"),
        ({"name": "na\u00efve"}, "needs printable ASCII"),
        ({"name": "a\nb"}, "needs printable ASCII"),
        ({"name": "\ud800"}, "needs printable ASCII"),
        ({"name": "x" * 201}, "longer than 200"),
        ({"op": "gelu"}, "unknown operation 'gelu'"),
        ({"op": ["relu"]}, "unknown op"),
        ({"inputs": ["x"]}, "needs a tuple"),
        ({"inputs": (3,)}, "n: input: needs"),
        ({"block": "b\x00"}, "n: block .*needs"),
        ({"attributes": [1]}, "needs a mapping"),
    ],
)
def test_a_node_that_no_file_could_hold_is_refused(changed: dict[str, Any], message: str) -> None:
    whole = {"name": "n", "op": "relu", "inputs": ("x",), "block": "b", "attributes": {}}
    with pytest.raises(InputError, match=message):
        Node(**{**whole, **changed})
