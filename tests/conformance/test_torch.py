"""An adapter for PyTorch, as an example of how a framework is verified; skipped without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aquant_ref.conformance import Adapter, Capabilities, verify
from aquant_ref.conformance.report.report import EXIT_PASS

torch = pytest.importorskip("torch")


class Torch(Adapter):
    """Quantize, dequantize and a border in float64; ties go to even."""

    name = f"torch {torch.__version__}"

    def capabilities(self) -> Capabilities:
        return Capabilities(rounding=("half_even",))

    def round(self, *, rounding: str, t: Any) -> Any:
        return torch.from_numpy(t).round().to(torch.int64).numpy()

    def quantize(self, *, rounding: str, r: Any, scale: Any, **ends: Any) -> Any:
        zero, low, high = (torch.from_numpy(ends[k]) for k in ("zero_point", "qmin", "qmax"))
        codes = (torch.from_numpy(r) / torch.from_numpy(scale)).round() + zero
        return codes.clamp(low.double(), high.double()).to(torch.int64).numpy()

    def dequantize(self, *, q: Any, scale: Any, zero_point: Any) -> Any:
        return (torch.from_numpy(q - zero_point) * torch.from_numpy(scale)).numpy()

    def border_round(self, *, t: Any, border: Any) -> Any:
        t, border = torch.from_numpy(t), torch.from_numpy(border)
        low = t.floor()
        rest = t - low
        lost = t - (low + rest)  # what the difference was rounded by
        up = (rest > border) | ((rest == border) & (lost >= 0))
        return (low + up).to(torch.int64).numpy()


def test_torch_conforms_where_it_is_declared_to() -> None:
    operations = ["round", "quantize", "dequantize", "border_round"]
    report = verify(Torch(), operations=operations, generated=300)
    assert report.exit_code == EXIT_PASS, report.text()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_fake_quantize_is_quantize_then_dequantize(bits: int) -> None:
    """In float32, as torch has it, with a scale that is a power of two."""
    r, scale, zero = np.linspace(-3, 3, 97, dtype=np.float32), 0.125, 2 ** (bits - 1) - 1
    faked = torch.fake_quantize_per_tensor_affine(
        torch.from_numpy(r), scale, zero, 0, 2**bits - 1
    ).numpy()
    columns = {"r": r.astype(np.float64), "scale": np.full(97, scale)}
    ends = {"zero_point": zero, "qmin": 0, "qmax": 2**bits - 1}
    ends = {key: np.full(97, value) for key, value in ends.items()}
    codes = Torch().quantize(rounding="half_even", **columns, **ends)
    real = Torch().dequantize(q=codes, scale=columns["scale"], zero_point=ends["zero_point"])
    assert np.array_equal(faked, real.astype(np.float32))
