from __future__ import annotations

import platform

import numpy as np

import aquant_ref
from aquant_ref.versions import versions


def test_all_that_results_depend_on_has_its_version() -> None:
    found = versions()
    assert found["aquant_ref"] == aquant_ref.__version__
    assert found["numpy"] == np.__version__
    assert found["python"] == platform.python_version()
    assert {"scipy", "autograd", "pillow", "machine"} <= set(found)
    assert all(found.values())
