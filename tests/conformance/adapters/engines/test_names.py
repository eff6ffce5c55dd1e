"""The short names of engines, and what a system without them says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from aquant_ref.conformance.adapters import Adapter, load
from aquant_ref.conformance.adapters.engines import names
from aquant_ref.conformance.adapters.engines.names import ENGINES
from aquant_ref.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize("name", ENGINES)
def test_without_its_packages_an_engine_says_in_a_line_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=rf"^adapter: {name} needs '[a-z_]+': pip install [^\n]*$"):
        load(name)


@pytest.mark.parametrize("name", ENGINES)
def test_an_installation_that_is_broken_is_one_line_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> Any:
        raise ImportError("libsomething.so: cannot open shared object file")

    monkeypatch.setattr(names, "find_spec", lambda _: True)
    monkeypatch.setattr(names, "import_module", broken)
    with pytest.raises(InputError, match=rf"^adapter: {name} cannot be imported \(libsomething"):
        load(name)


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_names_an_extra_that_brings_its_packages(name: str, clone: Path) -> None:
    engine = ENGINES[name]
    extra = re.search(r"aquant-ref\[([a-z]*)\]", engine.install)
    if extra is None:
        assert engine.install == "pip install torch==2.13.0"
        return
    project = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))
    brought = project["project"]["optional-dependencies"][extra[1]]
    modules = {re.split("[><=]", each)[0].replace("-", "_") for each in brought}
    assert modules == {*engine.packages, "tomli"}


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_is_installed_can_be_asked(name: str) -> None:
    for package in ENGINES[name].packages:
        pytest.importorskip(package)
    adapter = load(name)
    assert isinstance(adapter, Adapter)
    assert re.search(r"\d+\.\d+", adapter.name)


def test_any_other_name_is_a_class() -> None:
    with pytest.raises(InputError, match="adapter: 'tensorflow' needs a module and a class"):
        load("tensorflow")
