from __future__ import annotations

from collections.abc import Callable

import pytest

from aquant_ref.claims.timing import alternately
from aquant_ref.errors import InputError


def ticking(now: list[float], calls: list[str], name: str, takes: float) -> Callable[[], None]:
    def program() -> None:
        calls.append(name)
        now[0] += takes * (1 + 0.1 * len(calls))

    return program


def test_programs_alternate_and_the_first_round_does_not_count() -> None:
    now, calls = [0.0], list[str]()
    programs = {name: ticking(now, calls, name, takes) for name, takes in (("a", 1), ("b", 2))}
    timings = alternately(programs, "a", rounds=3, clock=lambda: now[0])
    assert calls == ["b", "a", "a", "b", "b", "a", "a", "b"]
    a = (1.3, 1.6, 1.7)  # third, sixth and seventh call
    b = (2.8, 3.0, 3.6)
    assert timings["a"].seconds == pytest.approx(a)
    assert timings["b"].seconds == pytest.approx(b)
    assert timings["b"].result() == {
        "seconds": pytest.approx(3.0),
        "seconds_range": pytest.approx([2.8, 3.6]),
        "ratio": pytest.approx(3.6 / 1.7),
        "ratio_range": pytest.approx([3.0 / 1.6, 2.8 / 1.3]),
    }
    assert timings["a"].ratios == (1, 1, 1)


def test_no_round_is_refused() -> None:
    with pytest.raises(InputError, match="rounds"):
        alternately({"a": lambda: None}, "a", rounds=0)
