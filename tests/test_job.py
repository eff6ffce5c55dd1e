from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aquant_ref import data, job
from aquant_ref.engine import lower
from aquant_ref.errors import InputError
from aquant_ref.inputs import check_classes
from aquant_ref.nn.quantized import QuantizedGraph
from tests.engine import networks


def test_a_program_of_another_model_is_refused(tmp_path: Path) -> None:
    """Past bug: 95511393 mismatches, and no word that the two do not belong together."""
    networks.residual_network(1).save(tmp_path / "model.npz")
    lower(networks.residual_network(2)).save(tmp_path / "program.npz")
    with pytest.raises(InputError, match=r"program.npz and model.npz do not belong together"):
        job.rerun(tmp_path, "shapes")


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


def test_a_program_is_not_run_on_images_of_other_classes(tmp_path: Path) -> None:
    model = networks.residual_network(1)
    model = QuantizedGraph(model.graph, model.layers, model.tensors, {"classes": ["a", "b", "c"]})
    model.save(tmp_path / "model.npz")
    lower(model).save(tmp_path / "program.npz")
    images = data.Images(np.zeros((4, 2, 4, 3), np.uint8), np.zeros(4, int), ("x", "y"), "set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job.data, "load", lambda *args, **kwargs: images)
        with pytest.raises(InputError, match="shapes: has a class 'x'"):
            job.rerun(tmp_path, "shapes")


def test_a_model_without_an_integer_program_says_so_when_it_is_run(tmp_path: Path) -> None:
    networks.residual_network(1, windows="row").save(tmp_path / "model.npz")
    with pytest.raises(InputError, match=r"no integer program to run; result\.json says why"):
        job.rerun(tmp_path, "shapes")
