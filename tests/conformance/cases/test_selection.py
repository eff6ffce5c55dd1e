from __future__ import annotations

import pytest

from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.errors import InputError


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"operation": "magic"}, "unknown operation 'magic'; choose from round"),
        ({"profile": "fast"}, "unknown profile 'fast'; choose from exact"),
        ({"bits": (0,)}, "bits: needs 1 to 16 bits"),
        ({"bits": ()}, "bits: needs at least one"),
        ({"signs": ("plus",)}, "signs: unknown sign 'plus'"),
        ({"rounding": ("nearest",)}, "unknown rounding 'nearest'"),
    ],
)
def test_a_selection_of_nothing_is_refused_by_name(chosen: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Selection(**{"operation": "requantize", **chosen})
