"""What an accumulator can be, against all combinations of its codes."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.certification.linear_form import Code, Codes, Terms


def tables(name: str) -> st.SearchStrategy[Terms]:
    """A few codes of 0..qmax, each with a weight and a zero point, as `Terms`."""
    code = st.tuples(st.integers(-7, 7), st.integers(1, 3), st.integers(0, 3))

    def terms(codes: list[tuple[int, int, int]], constant: int) -> Terms:
        parts = [
            Terms(0, {Code(name, (j,)): np.arange(qmax + 1)}).times(weight, less=zero)
            for j, (weight, qmax, zero) in enumerate(codes)
        ]
        return Terms.sum((Terms(constant, {}), *parts))

    return st.builds(terms, st.lists(code, min_size=1, max_size=4), st.integers(-20, 20))


sums = tables("a")
adds = st.builds(
    lambda a, b, m, n: Terms.add(a.times(m), b.times(n)),
    tables("a"),
    tables("b"),
    st.sampled_from([1, 3, 64]),
    st.sampled_from([1, 2, 9]),
)


def every_total(terms: Terms) -> dict[int, Codes]:
    """By brute force: each value that occurs, with codes that make it."""
    keys = list(terms.tables)
    choices = product(*(range(len(terms.tables[key])) for key in keys))
    every = (dict(zip(keys, choice, strict=True)) for choice in choices)
    return {terms.total(codes): codes for codes in every}


@given(terms=st.one_of(sums, adds))
def test_the_ends_are_the_least_and_the_largest_of_all_values(terms: Terms) -> None:
    known = every_total(terms)
    least, largest = terms.ends()
    assert terms.total(least) == min(known) == terms.values[0]
    assert terms.total(largest) == max(known) == terms.values[-1]
    assert known.keys() <= set(terms.values)


@given(terms=st.one_of(sums, adds), seed=st.integers(0, 99), data=st.data())
def test_codes_that_are_found_have_the_value(terms: Terms, seed: int, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(sorted(every_total(terms))))
    found = terms.reaching(value, np.random.default_rng(seed), tries=32)
    assert all(terms.total(codes) == value for codes in found)
    assert all(codes.keys() == terms.tables.keys() for codes in found)


@given(terms=st.one_of(sums, adds), seed=st.integers(0, 99), beyond=st.integers(1, 9))
def test_a_value_that_never_occurs_is_not_found(terms: Terms, seed: int, beyond: int) -> None:
    known = every_total(terms)
    rng = np.random.default_rng(seed)
    for value in (min(known) - beyond, max(known) + beyond, *set(terms.values) - known.keys()):
        assert terms.reaching(value, rng, tries=8) == []


def test_wide_ranges_are_met_exactly_at_almost_every_try() -> None:
    rng = np.random.default_rng(0)
    parts = [
        Terms(0, {Code("x", (j,)): np.arange(256)}).times(int(rng.integers(-127, 128)), less=3)
        for j in range(60)
    ]
    terms = Terms.sum(parts)
    for value in rng.integers(terms.values[0] // 2, terms.values[-1] // 2, 20).tolist():
        found = terms.reaching(value, rng, tries=32)
        assert len(found) >= 24
        assert all(terms.total(codes) == value for codes in found)
    assert len({tuple(codes.values()) for codes in found}) == len(found)  # not one over and over


@given(terms=st.one_of(sums, adds), where=st.fractions(-200, 200), seed=st.integers(0, 99))
def test_the_nearest_value_is_as_near_as_any_that_occurs(
    terms: Terms, where: Fraction, seed: int
) -> None:
    near = terms.near(where, np.random.default_rng(seed))
    closest = min(abs(value - where) for value in every_total(terms))
    assert near
    assert abs(near[0] - where) <= closest


@pytest.mark.parametrize("tau", [Fraction(29, 2), Fraction(-1, 3), Fraction(64)])
def test_of_an_add_whose_units_are_far_apart_only_what_occurs_is_near(tau: Fraction) -> None:
    """Integers between, which no codes make, do not count."""
    a = Terms(0, {Code("a", (0,)): np.arange(4)}).times(64)
    b = Terms(0, {Code("b", (0,)): np.arange(4)})
    terms = Terms.add(a, b)
    known = every_total(terms)
    near = terms.near(tau, np.random.default_rng(0))
    assert near[0] == min(known, key=lambda value: abs(value - tau))
    assert terms.reaching(near[0], np.random.default_rng(0), tries=8)


def test_a_code_that_both_branches_read_counts_with_both() -> None:
    """X + 3x: its values are the multiples of 4."""
    x = Terms(0, {Code("x", (0,)): np.arange(4)})
    terms = Terms.add(x, x.times(3))
    assert list(terms.values) == [0, 4, 8, 12]
    assert terms.branches == ()
    (codes,) = terms.reaching(8, np.random.default_rng(0), tries=1)
    assert codes == {Code("x", (0,)): 2}
