from __future__ import annotations

import numpy as np
import pytest

from aquant_ref import data
from aquant_ref.errors import InputError
from aquant_ref.inputs import check_classes
from tests.engine import networks


def test_images_of_other_classes_are_refused() -> None:
    """Past bug: a program for shapes got 8.90 % on digits, and no word why."""
    model = networks.residual_network(1)

    def images(*classes: str) -> data.Images:
        return data.Images(np.zeros((1, 2, 4, 3), np.uint8), np.zeros(1, int), classes, "set")

    for classes in (("a", "b", "c"), ("a", "b"), ("a",)):
        check_classes(model.graph, images(*classes), "set", ("a", "b", "c"))
    check_classes(model.graph, images("x", "y"), "set", ())
    with pytest.raises(InputError, match="set: has a class 'x' where .* on 'b'"):
        check_classes(model.graph, images("a", "x"), "set", ("a", "b", "c"))
    with pytest.raises(InputError, match="set: has 4 classes, the model 3"):
        check_classes(model.graph, images("a", "b", "c", "d"), "set", ())
