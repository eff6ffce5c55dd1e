"""Reference models: one folder each, with its definition, trained weights and card.

The weights belong to a model and a data set; `card.md` says how they were made and what they reach.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import shown
from aquant_ref.errors import InputError, unknown
from aquant_ref.formats import native
from aquant_ref.formats.kinds import ListOf, fits
from aquant_ref.formats.tensors import read_tensors, without_prefix
from aquant_ref.nn.training.train import Recipe
from aquant_ref.typing import Array, Reals
from reference_models import mobilenet, own, resnet8, resnet18

if TYPE_CHECKING:
    from aquant_ref.nn.graph import Graph


@dataclass(frozen=True)
class ReferenceModel:
    """A network of this project: `build(classes)` makes its graph, `recipes` train it by data set.

    With `convert`, the weights may also be tensors under the names of another project: it makes
    graph and parameters of them. `file_sha256` is that of the file of a network of the user's own.
    """

    name: str
    summary: str
    build: Callable[[int], Graph]
    recipes: Mapping[str, Recipe]
    convert: Callable[[Mapping[str, Array]], tuple[Graph, dict[str, Reals]]] | None = None
    file_sha256: str = ""

    @property
    def stem(self) -> str:
        """How files about it begin, as in "my_net-build"."""
        return self.name.replace(f"{own.SUFFIX}:", "-")

    @property
    def checkpoint(self) -> str:
        """What weights from elsewhere are called."""
        return "file" if self.file_sha256 else "torchvision checkpoint"

    @property
    def folder(self) -> Path:
        """Where its weights and card are."""
        return Path(__file__).parent / self.name

    def weights_path(self, data: str) -> Path:
        """Return the path of the shipped weights for the set `data`; raises InputError for none."""
        path = self.folder / f"{data}.npz"
        if not os.path.exists(path) and self.convert is not None:
            raise InputError(
                f"{self.name}: ships no weights; give a {self.checkpoint} (.npz or .safetensors) "
                "as weights"
            )
        if not os.path.exists(path):
            known = ", ".join(self.trained_on())
            raise InputError(
                f"{self.name}: has no weights for {data!r}, only for {known}; "
                "train it and give the file as weights"
            )
        return path

    def trained_on(self) -> tuple[str, ...]:
        """Return the names of the data sets that there are weights for."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.npz")))

    def card(self) -> str:
        """Return the text of the model's card, or the table of a network of the user's own."""
        if self.file_sha256:
            return self.build(0).summary()
        return (self.folder / "card.md").read_text(encoding="utf-8")

    def load(self, path: str | Path) -> tuple[Graph, dict[str, Reals], dict[str, Any]]:
        """Load graph, parameters and metadata of the weights file `path`.

        A file without our header goes through `convert`, if the model has one; parameters are
        float32 then, and the only metadata is the name of the model and, if it was there, what all
        names began with: `left_out`. Raises InputError, which names the file, for weights that are
        damaged, not finite or of another model.
        """
        if self.convert is not None and not native.has_header(path):
            return self._load_converted(path)
        meta, parameters = native.load(path, "weights")
        if meta.get("model") != self.name or not isinstance(meta.get("classes"), list):
            raise InputError(
                f"{path}: holds weights of {meta.get('model')!r}, not of {self.name!r}"
            )
        if not fits(meta["classes"], ListOf(str)):
            raise InputError(f"{path}: its classes are not a list of names")
        try:
            graph = self.build(len(meta["classes"]))
            graph.check_parameters(parameters)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return graph, parameters, meta

    def _load_converted(self, path: str | Path) -> tuple[Graph, dict[str, Reals], dict[str, Any]]:
        assert self.convert is not None
        tensors, left_out = read_tensors(path), ""
        if not self.file_sha256 or tensors.keys() != self.build(0).parameter_shapes.keys():
            tensors, left_out = without_prefix(tensors)
        try:
            graph, parameters = self.convert(tensors)
            with np.errstate(over="ignore"):  # what is too large for float32 is found below
                parameters = {n: p.astype(np.float32) for n, p in parameters.items()}
            graph.check_parameters(parameters)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        meta = {"model": self.name}
        return graph, parameters, {**meta, "left_out": left_out} if left_out else meta


MODELS = {
    "resnet8": ReferenceModel(
        "resnet8",
        "three residual stacks for 32x32 images, 78 thousand weights, 12.5 million products",
        resnet8.build,
        {"shapes": Recipe(30, batch=64), "cifar10": Recipe(30, batch=64)},
    ),
    "mobilenet": ReferenceModel(
        "mobilenet",
        "a small MobileNetV2 for 32x32 images, 81 thousand weights, 6.7 million products",
        mobilenet.build,
        {"shapes": Recipe(20, batch=64), "cifar10": Recipe(20, batch=64)},
    ),
    "resnet18": ReferenceModel(
        "resnet18",
        "torchvision's for ImageNet, 224x224, 11.7 million weights, 1.8 billion products",
        resnet18.build,
        {},
        resnet18.convert,
    ),
}


def get(name: str) -> ReferenceModel:
    """Return the model called `name`, or the user's own of `file.py:function`.

    Raises InputError, which lists the names, for an unknown one, and as `own.read` does.
    """
    if not isinstance(name, str):
        raise InputError(f"model: needs a name, got {shown(name)}")
    if own.is_own(name):
        return _own(name)
    if name not in MODELS:
        raise InputError(f"{unknown('model', name, MODELS)}, or file.py:function")
    return MODELS[name]


def _own(name: str) -> ReferenceModel:
    graph, file_sha256 = own.read(name)
    path, function = own.split(name)
    return ReferenceModel(
        f"{path.name}:{function}",
        graph.title(),
        lambda _classes: graph,
        {"": Recipe(30, batch=32, crop=0, flip=False)},
        lambda tensors: (graph, dict(tensors)),
        file_sha256,
    )
