"""Settings of the whole suite: repeatable examples, and one copy of the package under test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

import aquant_ref
from aquant_ref.threads import use_one_blas_thread
from tests.meta.libraries import library as library

use_one_blas_thread()  # before numpy is imported: threads of both kinds would crowd the cores

CLONE = Path(__file__).resolve().parent.parent

# The same examples on every run and every machine, however slow; `--hypothesis-profile=explore`
# looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("repeatable")

# Programs that a test starts import this clone too, not an installed copy.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(CLONE), *filter(None, [os.environ.get("PYTHONPATH")])]
)


def pytest_report_header() -> str:
    """Say which copy is tested."""
    return f"aquant_ref {aquant_ref.__version__} from {Path(aquant_ref.__file__).parent}"


@pytest.fixture(scope="session", autouse=True)
def drawn_once() -> Iterator[None]:
    """The built-in images are drawn once a process, and nobody can write into them."""
    from aquant_ref.data import Images, shapes

    draw = shapes.load

    @cache
    def drawn(split: str) -> Images:
        images = draw(split)
        for array in (images.source, images.labels):
            array.setflags(write=False)
        return images

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "load", lambda split, **progress: drawn(split))
        yield


@pytest.fixture(scope="session")
def clone() -> Path:
    """The root of the repository."""
    return CLONE


@pytest.fixture(scope="session")
def cifar10_jpeg() -> Path:
    """The folder with the two zips of CIFAR-10 as JPEG; skips where it is absent."""
    folder = Path(os.environ.get("AQUANT_REF_DATA", CLONE.parent / "shared" / "data"))
    if not list(folder.glob("cifar10-jpeg-*.zip")):
        pytest.skip("CIFAR-10 is not there; AQUANT_REF_DATA names its folder")
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a small data set and weights of the model `tiny`."""
    import reference_models
    from tests import tiny

    monkeypatch.setitem(reference_models.MODELS, "tiny", tiny.TINY)
    monkeypatch.chdir(tmp_path)
    tiny.write_set(tmp_path / "set", 0)
    tiny.write_weights(tmp_path / "w.npz", 0)
    return tmp_path
