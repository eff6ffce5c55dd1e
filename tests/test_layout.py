"""The test of `aquant_ref/a/b.py` is `tests/a/test_b.py`; what has another place is listed here."""

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

# Modules that one file tests together, by a pattern, and why.
TOGETHER = {
    # ways to ask the same, which the whole kit is asked through
    "conformance/adapters/*.py": "conformance/test_verification.py",
}
NOTHING_TO_TEST = {"progress.py", "typing.py"}  # names of types


def own_test(module: Path) -> Path:
    return TESTS / module.with_name(f"test_{module.name}")


@pytest.mark.parametrize("module", MODULES, ids=Path.as_posix)
def test_a_module_has_a_test_of_its_name_or_is_tested_with_its_like(module: Path) -> None:
    if module.as_posix() not in NOTHING_TO_TEST and not own_test(module).exists():
        assert any(module.match(pattern) for pattern in TOGETHER), own_test(module)


def test_every_exception_is_needed_and_its_test_is_there() -> None:
    without = [module for module in MODULES if not own_test(module).exists()]
    for pattern, test in TOGETHER.items():
        assert (TESTS / test).exists(), test
        assert any(module.match(pattern) for module in without), pattern
    assert {module.as_posix() for module in without} >= NOTHING_TO_TEST
