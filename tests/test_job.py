from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from aquant_ref import job
from aquant_ref.engine import lower
from aquant_ref.errors import InputError

_path = Path(__file__).parent / "engine" / "networks.py"
_spec = importlib.util.spec_from_file_location("networks", _path)
assert _spec is not None
assert _spec.loader is not None
networks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(networks)


def test_a_program_of_another_model_is_refused(tmp_path: Path) -> None:
    """Past bug: 95511393 mismatches, and no word that the two do not belong together."""
    networks.residual_network(1).save(tmp_path / "model.npz")
    lower(networks.residual_network(2)).save(tmp_path / "program.npz")
    with pytest.raises(InputError, match=r"program.npz and model.npz do not belong together"):
        job.rerun(tmp_path, "shapes")
