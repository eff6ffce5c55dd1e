from __future__ import annotations

import numpy as np
import pytest

from aquant_ref import data
from aquant_ref.errors import InputError
from tests.data.files import refused


@pytest.mark.parametrize("spec", ["mnist", "cifar10", "cifar10:", "shapes:x", "folder", ""])
def test_a_set_that_is_none_is_refused(spec: str) -> None:
    refused(spec, "data")


def test_a_split_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="split"):
        data.load("shapes", split="validation")


def test_a_set_limits_itself() -> None:
    images = data.load("shapes", split="test")
    assert len(images.limited(7)) == 7
    assert images.limited(7).batch(np.arange(7)).shape == (7, 3, 32, 32)
    with pytest.raises(InputError, match="2000 images"):
        images.limited(2001)
