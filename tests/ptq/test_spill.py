"""Tensors of a whole calibration set in files (ptq/spill.py)."""

from __future__ import annotations

import gc
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.errors import InputError
from aquant_ref.ptq import observe, quantize_with, reconstruction
from aquant_ref.ptq.reconstruction import run_pass
from aquant_ref.ptq.spill import Spill
from tests.ptq import small


@pytest.fixture
def spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Every tensor of a pass goes to a file below `tmp_path`; these are the arrays made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made: list[np.ndarray] = []

    class Spilling(Spill):
        def __init__(self) -> None:
            super().__init__(spill_bytes=0)

        def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
            made.append(super().empty(shape, dtype))
            return made[-1]

    monkeypatch.setattr(reconstruction, "Spill", Spilling)
    return made


def test_what_is_large_is_a_file_and_what_is_not_is_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Spill(spill_bytes=80) as storage:
        assert not isinstance(storage.empty((10,), np.float64), np.memmap)
        assert not list(tmp_path.iterdir())
        large = storage.empty((2, 11), np.float32)
        assert isinstance(large, np.memmap)
        assert (large.shape, large.dtype) == ((2, 11), np.float32)
        large[...] = np.arange(22).reshape(2, 11)
        other = storage.empty((22,), np.float32)  # another file
        other[...] = -1
        assert large.ravel().tolist() == list(range(22))
        assert len(list(tmp_path.iterdir())) == 1
    del large, other
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("method", "border"), [("qdrop", ""), ("aquant-bias", "row/window")])
def test_files_give_the_same_results_as_memory(
    method: str, border: str, spilled: list[np.ndarray], tmp_path: Path
) -> None:
    config = replace(small.CONFIG, method=method, border=border)
    args = (small.graph(), small.parameters(), small.images(), config)
    from_files = quantize_with(*args)
    assert len(spilled) >= 10
    assert all(isinstance(each, np.memmap) for each in spilled)
    spilled.clear()
    gc.collect()
    assert not list(tmp_path.iterdir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstruction, "Spill", Spill)
        from_memory = quantize_with(*args)
    assert not spilled
    assert from_files.source == from_memory.source  # every block error, to the last bit
    for name, layer in from_files.layers.items():
        assert layer.codes.tobytes() == from_memory.layers[name].codes.tobytes()
        assert layer.bias.tobytes() == from_memory.layers[name].bias.tobytes()
    for name, tables in from_files.windows.items():
        for part, table in vars(tables).items():
            assert np.array_equal(table, getattr(from_memory.windows[name], part))


def test_files_are_gone_after_an_error(spilled: list[np.ndarray], tmp_path: Path) -> None:
    config = small.CONFIG
    graph = small.graph()
    network = observe(graph, small.parameters(), graph.to_float(small.images()), config)
    network.parameters["body.conv2.bias"][:] = np.inf
    settings = replace(config, method="qdrop").stages()[0]
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match="diverged"):
        run_pass(network, graph.to_float(small.images()), settings, seed=(0,))
    assert spilled
    spilled.clear()
    gc.collect()
    assert not list(tmp_path.iterdir())
