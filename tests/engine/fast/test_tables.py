from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref import oracle
from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.engine.fast.tables import rounded
from aquant_ref.engine.instruction import NEVER_LIFT
from aquant_ref.lowering import lower
from aquant_ref.quant.window import window_border
from tests.engine import networks


def instruction(**tables: np.ndarray) -> Instruction:
    return Instruction("conv", "fused_conv2d", ("x",), {}, tables)


def judged(wide: np.ndarray, tables: dict[str, np.ndarray]) -> np.ndarray:
    """Window by window, by the oracle; `wide` (n, C, kh, kw, OH, OW)."""
    n, channels, kh, kw, height, width = wide.shape
    codes = np.broadcast_to(tables["codes"], (channels * kh * kw, tables["codes"].shape[1]))
    lists = {
        "codes": codes.tolist(),
        **{k: tables[k].tolist() if k in tables else None for k in ("lift", "fusion")},
    }
    out = np.empty_like(wide)
    for image, channel, i, j in np.ndindex(n, channels, height, width):
        window = wide[image, channel, :, :, i, j].ravel().tolist()
        made = oracle.window_codes(window, channel * kh * kw, lists)
        out[image, channel, :, :, i, j] = np.reshape(made, (kh, kw))
    return out


@pytest.mark.parametrize("shared", [False, True])
def test_every_wide_code_in_every_row_is_looked_up(shared: bool) -> None:
    """Spec: AQ-LOWER-7."""
    rng = np.random.default_rng(0)
    wide = np.tile(np.arange(193, dtype=np.uint8).reshape(1, 1, 1, 1, 193, 1), (1, 2, 3, 1, 1, 1))
    codes = rng.integers(0, 4, (1 if shared else 6, 193)).astype(np.uint8)
    assert (rounded(wide, instruction(codes=codes)) == judged(wide, {"codes": codes})).all()


@given(
    seed=st.integers(0, 10**6), channels=st.integers(1, 3), kernel=st.sampled_from([(1, 1), (2, 3)])
)
def test_a_fused_window_goes_up_exactly_where_its_lift_reaches_the_sum(
    seed: int, channels: int, kernel: tuple[int, int]
) -> None:
    """Lifts are drawn around the sums, so that ties and their neighbours are common.

    Spec: AQ-LOWER-7.
    """
    rng = np.random.default_rng(seed)
    rows, positions = channels * kernel[0] * kernel[1], kernel[0] * kernel[1]
    tables: dict[str, Any] = {
        "codes": rng.integers(0, 3, (1, 193)).astype(np.uint8),
        "lift": rng.integers(-3, 4, (rows, 193)).astype(np.int32),
        "fusion": rng.integers(-2, 3, (rows, 193)).astype(np.int32),
    }
    largest = -NEVER_LIFT // positions - 1
    ends = rng.random((rows, 193))
    tables["fusion"][ends < 0.05] = -largest
    tables["fusion"][ends > 0.95] = largest
    tables["lift"][rng.random((rows, 193)) < 0.1] = NEVER_LIFT
    wide = rng.integers(0, 193, (2, channels, *kernel, 3, 2)).astype(np.uint8)
    assert (rounded(wide, instruction(**tables)) == judged(wide, tables)).all()


def test_what_never_goes_up_does_not_do_so_at_the_largest_sum() -> None:
    tables: dict[str, Any] = {
        "codes": np.array([[1]], np.uint8),
        "lift": np.array([[NEVER_LIFT], [NEVER_LIFT + 1]], np.int32),
        "fusion": np.full((2, 1), NEVER_LIFT // 2 + 1, np.int32),
    }
    wide = np.zeros((1, 1, 2, 1, 1, 1), np.uint8)
    assert rounded(wide, instruction(**tables)).ravel().tolist() == [1, 1]
    tables["lift"][1] = NEVER_LIFT + 2  # the sum itself
    assert rounded(wide, instruction(**tables)).ravel().tolist() == [1, 2]


def test_padding_stays_the_real_zero_whatever_the_border_and_the_zero_point() -> None:
    """Constant borders that round everything else up; the image is one pixel, the rest padding."""
    zero_point, weight = 2, np.arange(1, 10, dtype=np.int8).reshape(1, 1, 3, 3)
    always_up = window_border(np.full((9, 1), -9.0), None, 2, kernel=9, zero_point=zero_point)
    table = np.pad(always_up.codes, ((0, 0), (0, 63)), mode="edge")  # an entry for every pixel
    places = {"stride": [1, 1], "padding": [[1, 1], [1, 1]], "dilation": [1, 1]}
    attributes = {**places, "groups": 1, "zero_code": zero_point * 64}
    program = Program(
        (1, 1, 1),
        (
            Instruction(
                "conv",
                "border_conv2d",
                ("image",),
                attributes,
                {
                    "weight": weight,
                    "zero_point": np.full(1, zero_point, np.int32),
                    "codes": table,
                },
            ),
        ),
    )
    for wide, code in ((127, 2), (128, 2), (129, 3), (192, 3), (1, 1), (0, 0)):
        image = np.full((1, 1, 1, 1), wide, np.uint8)
        assert Engine(program).run(image)["conv"].ravel().tolist() == [5 * (code - zero_point)]


@pytest.mark.parametrize("windows", ["row", "fused", "feedback"])
def test_the_bounds_of_a_layer_with_tables_are_those_of_its_narrow_codes(windows: str) -> None:
    program = lower(networks.residual_network(4, windows=windows, signed=True))
    known = program.bounds
    for each in program.instructions:
        if "codes" in each.arrays:
            low, high = known[each.name]
            steps = np.array([-each.arrays["zero_point"][0], 3 - each.arrays["zero_point"][0]])
            terms = each.arrays["weight"].astype(np.int64)[..., None] * np.append(steps, 0)
            assert (high == terms.max(axis=-1).sum(axis=(1, 2, 3))).all()
            assert (low == terms.min(axis=-1).sum(axis=(1, 2, 3))).all()
