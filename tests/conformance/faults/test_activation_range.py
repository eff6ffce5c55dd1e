"""Wrong ranges compute what their names say."""

from __future__ import annotations

from aquant_ref.conformance.faults.activation_range import beyond, relu6_ignored, relu_at_zero


def test_names_say_what_is_wrong() -> None:
    fields = (0.25, 5, -128, 15)
    assert relu_at_zero("relu", 0.25, -5, -128, 15) == (0, 15)
    assert relu_at_zero("relu", *fields) == (0, 15)
    assert relu6_ignored("relu6", *fields) == (5, 15)
    assert beyond("relu6", *fields) == (5, 29)
