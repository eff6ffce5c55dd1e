"""The test of `aquant_ref/a/b.py` is `tests/a/test_b.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parent.parent
PACKAGE, TESTS = CLONE / "aquant_ref", CLONE / "tests"
MODULES = [
    path.relative_to(PACKAGE)
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py")
]

NOTHING_TO_TEST = {"progress.py", "typing.py"}  # names of types
# tables of wrong implementations, each of which tests/meta runs
CATALOGUE = Path("conformance/faults")


def own_test(module: Path) -> Path:
    return TESTS / module.with_name(f"test_{module.name}")


@pytest.mark.parametrize("module", MODULES, ids=Path.as_posix)
def test_a_module_has_a_test_of_its_name_unless_there_is_nothing_to_test(module: Path) -> None:
    if module.parent == CATALOGUE and not own_test(module).exists():
        assert (TESTS / "meta" / "test_mutants.py").exists()
        return
    assert own_test(module).exists() != (module.as_posix() in NOTHING_TO_TEST)
