"""Each case of a batch is what its flag says, and no question of requantization."""

from __future__ import annotations

import pytest

from aquant_ref.conformance.cases.batches import FAMILIES, answers
from tests.conformance.cases.rows import arrays


@pytest.mark.parametrize("operation", FAMILIES)
def test_images_differ_and_every_variation_agrees(operation: str) -> None:
    """Spec: AQ-BATCH-1."""
    for row in arrays("batch_of_3", operation, bits=(8,), n=2):
        name = "x" if "x" in row else "a"
        assert len(row[name]) == 3 == len({image.tobytes() for image in row[name]})
        own = [key for key in ("x", "a", "b") if key in row]
        for k in range(3):
            assert len(answers(operation, row | {key: row[key][k] for key in own})) == 1


def test_batches_have_five_sizes_and_three_activations() -> None:
    rows = [*arrays("batches", "linear_batch", bits=(8,), n=15)]
    assert {len(row["x"]) for row in rows} == {2, 4, 5, 8, 9}
    assert {row["activation"] for row in rows} == {"none", "relu", "relu6"}


@pytest.mark.parametrize("operation", FAMILIES)
def test_the_code_of_6_is_inside_the_range(operation: str) -> None:
    """Spec: AQ-ACT-1."""
    for row in arrays("relu6", operation, bits=(8,), n=2):
        assert row["activation"] == "relu6"
        assert 6 / row["scale"] == 96
