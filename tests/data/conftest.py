from __future__ import annotations

import pytest

from aquant_ref.data import cifar10
from tests.data import sets


@pytest.fixture(autouse=True)
def short_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The binary files of these tests hold few images each."""
    monkeypatch.setattr(cifar10, "IMAGES_PER_FILE", sets.RECORDS)
