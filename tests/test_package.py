from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import aquant_ref

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest needs it as well


@pytest.fixture
def project(clone: Path) -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))


def modules_after(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after `statement`."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_version_is_written_in_one_place(project: dict[str, Any]) -> None:
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "aquant_ref/__init__.py"}


def test_the_changelog_has_a_section_for_the_version(clone: Path) -> None:
    changelog = (clone / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## [{aquant_ref.__version__}] - " in changelog


def test_the_lowest_versions_are_the_lower_bounds(clone: Path, project: dict[str, Any]) -> None:
    lines = (clone / ".ci" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    metadata = project["project"]
    bounds = metadata["dependencies"] + metadata["optional-dependencies"]["test"]
    assert all(re.fullmatch(r"[a-z-]+>=[0-9.]+", bound) for bound in bounds)
    assert pins == [bound.replace(">=", "==") for bound in bounds]


@pytest.mark.parametrize(
    "module", ["aquant_ref", "aquant_ref.cli.main", "aquant_ref.formats.atomic"]
)
def test_import_is_cheap(clone: Path, module: str) -> None:
    """So that `aquant-ref --help` answers at once and BLAS can still be told its threads."""
    if not list(clone.glob(module.replace(".", "/") + "*")):
        pytest.skip(f"{module} is not there yet")
    assert not modules_after(f"import {module}") & {"numpy", "scipy", "autograd", "PIL"}


@pytest.mark.parametrize("name", aquant_ref.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(aquant_ref, name) is not None
    assert name in dir(aquant_ref)


def test_a_misspelt_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        _ = aquant_ref.quantise


def test_the_readme_shows_the_two_commands(clone: Path) -> None:
    """`.ci/run` takes the second from there."""
    blocks = re.findall(r"```sh\n(.*?)```", (clone / "README.md").read_text(encoding="utf-8"), re.S)
    commands = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    assert "pip install . && aquant-ref quantize" in commands
    assert "pip install '.[test]' && pytest" in commands
