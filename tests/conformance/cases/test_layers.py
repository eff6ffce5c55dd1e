"""The cases on tensors are what their flags say."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from aquant_ref import oracle
from aquant_ref.conformance import OPERATIONS, Capabilities, verify
from aquant_ref.conformance.adapters import EngineAdapter
from aquant_ref.conformance.cases.layer_parts import accumulators
from aquant_ref.conformance.cases.selection import Selection
from aquant_ref.conformance.cases.sequence import families, generate
from aquant_ref.conformance.report.report import EXIT_PASS
from aquant_ref.errors import InputError

LAYERS = ("conv2d", "depthwise", "linear")
MEMBERS = 12


def rows(operation: str, flag: str, **chosen: Any) -> Iterator[dict[str, Any]]:
    """Cases of one flag, as an adapter gets them."""
    selection = Selection(operation, **chosen)
    flags = [family.flag for family in families(selection)]
    places = range(flags.index(flag), MEMBERS * len(flags), len(flags))
    cases = generate(selection, places)
    for k in range(len(cases)):
        yield {name: column[k] for name, column in cases.columns.items()}


def totals(row: dict[str, Any]) -> Iterator[tuple[Fraction, list[int]]]:
    """M and the accumulators with their bias, channel by channel."""
    for acc, scale, bias in zip(accumulators(row), row["weight_scale"], row["bias"], strict=True):
        unit = Fraction(row["x_scale"]) * Fraction(scale)
        whole = Fraction(bias) / unit
        assert whole.denominator == 1
        yield unit / Fraction(row["scale"]), [int(v) + int(whole) for v in acc]


@pytest.mark.parametrize("operation", LAYERS)
def test_each_channel_of_a_tie_has_one(operation: str) -> None:
    for row in rows(operation, "tie"):
        for m, values in totals(row):
            assert any(m * v % 1 == Fraction(1, 2) for v in values)


@pytest.mark.parametrize("operation", LAYERS)
def test_each_channel_of_a_near_tie_is_one_step_beside_it(operation: str) -> None:
    signs = set()
    for row in rows(operation, "near_tie"):
        for m, values in totals(row):
            beside = {
                step for step in (-1, 1) for v in values if m * (v + step) % 1 == Fraction(1, 2)
            }
            assert beside
            signs |= beside
    assert signs == {-1, 1}


@pytest.mark.parametrize("operation", LAYERS)
@pytest.mark.parametrize(
    ("flag", "rejects", "ends"), [("accumulator_end", False, 0), ("beyond_int32", True, 1)]
)
def test_accumulators_are_at_the_ends_of_int32_or_one_beyond(
    operation: str, flag: str, rejects: bool, ends: int
) -> None:
    for row in rows(operation, flag, rejects=rejects):
        for _, values in totals(row):
            assert max(values) == 2**31 - 1 + ends or min(values) == -(2**31) - ends


@pytest.mark.parametrize("operation", LAYERS)
def test_scales_are_unlike_one_another_unless_there_is_one(operation: str) -> None:
    for row in rows(operation, "channel_scales", granularity=("channel",)):
        assert len(set(row["weight_scale"])) == len(row["weight"])
    for row in rows(operation, "channel_scales", granularity=("tensor",)):
        assert len(set(row["weight_scale"])) == 1


def test_sizes_hide_no_confused_axes() -> None:
    for flag in ("random", "groups", "channel_scales"):
        for row in rows("conv2d", flag):
            outputs, channels = len(row["weight"]), len(row["x"])
            assert outputs != channels
            assert row["x"].shape[1] != row["x"].shape[2]
            assert row["x_zero"] % 2 == 1


def test_an_image_edge_is_smaller_than_its_kernel() -> None:
    for row in rows("conv2d", "image_edge"):
        assert row["x"].shape[1] < row["weight"].shape[2]
        assert row["x"].shape[2] < row["weight"].shape[3]


def test_four_paddings_are_no_two_alike_on_one_axis() -> None:
    for row in rows("conv2d", "four_paddings"):
        top, bottom, left, right = row["padding"]
        assert top != bottom
        assert left != right


def test_sums_and_means_have_ties() -> None:
    for row in rows("add_tensors", "tie", bits=(8,)):
        terms = [(row[k] - row[f"{k}_zero"]) * Fraction(row[f"{k}_scale"]) for k in ("a", "b")]
        steps = (terms[0] + terms[1]) / Fraction(row["scale"])
        assert sum(t % 1 == Fraction(1, 2) for t in steps.ravel()) > steps.size // 4
    for row in rows("avg_pool2d", "tie", bits=(8,)):
        x = (row["x"] - row["x_zero"]).tolist()
        kernel = tuple(row["kernel"].tolist())
        means = oracle.avg_pool(x, kernel, stride=kernel)
        assert any(mean / 2 % 1 == Fraction(1, 2) for mean in oracle.flatten(means))


def test_low_codes_at_the_edges_are_negative_where_codes_are_signed() -> None:
    for row in rows("max_pool2d", "low_codes", signs=("signed",)):
        assert row["x"].max() < 0
        assert row["padding"].any()


def test_crossings_stay_in_their_cells() -> None:
    for flag in ("at_crossing", "below_crossing", "nearest", "channels", "relu", "random"):
        for row in rows("bordered_conv2d", flag):
            first = np.ceil(row["crossings"][:, :1]) - 1
            cells = first + np.arange(row["crossings"].shape[1])
            assert ((cells < row["crossings"]) & (row["crossings"] <= cells + 1)).all()


def test_a_kernel_with_one_scale_a_tensor_is_asked_for_that() -> None:
    class OneScale(EngineAdapter):
        def capabilities(self) -> Capabilities:
            return Capabilities(granularity=("tensor",), bits=(8,))

        def linear(self, *, weight_scale: Any, **fields: Any) -> Any:
            (scale,) = set(weight_scale.tolist())
            return super().linear(weight_scale=np.full(len(weight_scale), scale), **fields)

    report = verify(OneScale(), operations=["linear"])
    assert report.exit_code == EXIT_PASS, report.text()
    assert report.total()["pass"] > 100
    assert "granularity tensor;" in report.claim


def test_what_cannot_be_asked_in_a_way_is_refused_by_name() -> None:
    from aquant_ref.conformance.adapters import CommandAdapter, PipeAdapter

    with pytest.raises(InputError, match="conv2d: a stream has no tensors"):
        verify(PipeAdapter("./kernel"), operations=["conv2d"])
    with pytest.raises(InputError, match="clip: is scalar"):
        verify(CommandAdapter("./kernel {case}"), operations=["clip"])
    assert not OPERATIONS["conv2d"].scalar
