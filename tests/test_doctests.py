"""Every example in a docstring is run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parent.parent
MODULES = [
    ".".join(path.relative_to(CLONE).with_suffix("").parts).removesuffix(".__init__")
    for package in ("aquant_ref", "reference_models")
    for path in sorted((CLONE / package).rglob("*.py"))
]

ENGINES = {"ai_edge_litert", "flatbuffers", "onnx", "onnxruntime", "torch"}  # of extras


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_hold(name: str) -> None:
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ENGINES:
            raise
        pytest.skip(f"{error.name} is not installed")
    assert doctest.testmod(module).failed == 0
