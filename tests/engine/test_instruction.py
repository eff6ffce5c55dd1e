from __future__ import annotations

import pytest

from aquant_ref.engine.instruction import code_type, need
from aquant_ref.errors import InputError


def test_a_condition_that_does_not_hold_is_an_error_of_the_instruction() -> None:
    need("stem.conv", True, "never said")
    with pytest.raises(InputError, match=r"^stem\.conv: its bias is late$"):
        need("stem.conv", False, "its bias is late")


@pytest.mark.parametrize(
    ("least", "largest", "dtype"),
    [
        (0, 0, "uint8"),
        (0, 255, "uint8"),
        (0, 256, "uint16"),
        (0, 2**16 - 1, "uint16"),
        (0, 2**16, None),
        (-1, 127, "int8"),
        (-128, 0, "int8"),
        (-1, 128, "int16"),
        (-129, 0, "int16"),
        (-(2**15), 2**15 - 1, "int16"),
        (-1, 2**15, None),
        (-(2**15) - 1, 0, None),
    ],
)
def test_codes_are_stored_in_the_narrowest_type_that_holds_them(
    least: int, largest: int, dtype: str | None
) -> None:
    """Spec: AQ-AFFINE-5."""
    assert code_type(least, largest) == dtype
