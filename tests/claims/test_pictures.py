from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from aquant_ref.claims import reproduce
from aquant_ref.claims.claims import border_shapes, error_bias
from aquant_ref.errors import InputError
from aquant_ref.experiments.experiment import Experiment
from aquant_ref.ptq.methods import Config
from tests.claims import networks

CONFIG = Config("aquant", 2, 2, 5, batch=4)


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("claim", [border_shapes, error_bias])
def test_pictures_are_drawn(claim: object) -> None:
    pytest.importorskip("matplotlib")
    draw = claim(networks.inputs(), CONFIG).draw  # type: ignore[operator]
    width, height = size_of(draw())
    assert width > 500
    assert height > 300


def test_a_missing_matplotlib_is_one_line_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    monkeypatch.setattr("aquant_ref.experiments.inputs.Inputs.load", None)
    with pytest.raises(InputError, match=r"pip install 'aquant-ref\[notebooks\]'"):
        reproduce(2, Experiment(), out=str(tmp_path / "border.png"))
