from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.formats.kinds import NUMBER, Each, ListOf, fits


@pytest.mark.parametrize(
    ("value", "kind", "whether"),
    [
        (1, int, True),
        (True, int, False),  # a boolean is no integer
        (True, NUMBER, False),
        (True, bool, True),
        (1.5, NUMBER, True),
        ("a", str, True),
        ("a\n", str, False),  # no table could show it
        ([1, 2], ListOf(int), True),
        ([1, 2], ListOf(int, least=3), False),
        ([1, "a"], ListOf(int), False),
        ({}, ListOf(int), False),
        ({"a": 1}, Each(int), True),
        ({"a\x1b": 1}, Each(int), False),
        ({"a": "x"}, Each(int), False),
        ([], Each(int), False),
        ({"a": 1, "b": None}, {"a": int}, True),
        ({"b": 1}, {"a": int}, False),
        ({"a": {"b": [1.5]}}, {"a": {"b": ListOf(float)}}, True),
        (None, {"a": int}, False),
    ],
)
def test_a_value_is_of_its_kind(value: Any, kind: Any, whether: bool) -> None:
    assert fits(value, kind) is whether
