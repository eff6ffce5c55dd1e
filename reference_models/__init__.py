"""Reference models: one folder each, with its definition, trained weights and card.

The weights belong to a model and a data set; `card.md` says how they were made and what they reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.nn.graph import Graph
from aquant_ref.nn.train import Recipe
from reference_models import mobilenet, resnet8

Array = NDArray[Any]


@dataclass(frozen=True)
class ReferenceModel:
    """A network of this project: `build(classes)` makes its graph, `recipes` train it by data set.
    """

    name: str
    summary: str
    build: Callable[[int], Graph]
    recipes: Mapping[str, Recipe]

    @property
    def folder(self) -> Path:
        """Where its weights and card are."""
        return Path(__file__).parent / self.name

    def weights_path(self, data: str) -> Path:
        """The shipped weights for the data set called `data`; raises InputError if there are none.
        """
        path = self.folder / f"{data}.npz"
        if not path.exists():
            known = ", ".join(self.trained_on())
            raise InputError(
                f"{self.name}: has no weights for {data!r}, only for {known}; "
                "train it and give the file with --weights"
            )
        return path

    def trained_on(self) -> tuple[str, ...]:
        """Names of the data sets that there are weights for."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.npz")))

    def card(self) -> str:
        """The text of the model's card."""
        return (self.folder / "card.md").read_text(encoding="utf-8")

    def load(self, path: str | Path) -> tuple[Graph, dict[str, Array], dict[str, Any]]:
        """Graph, parameters and metadata of the weights file `path`.

        Raises InputError, which names the file, for weights that are damaged, not finite or of
        another model.
        """
        meta, parameters = native.load(path, "weights")
        if meta.get("model") != self.name or not isinstance(meta.get("classes"), list):
            raise InputError(
                f"{path}: holds weights of {meta.get('model')!r}, not of {self.name!r}"
            )
        graph = self.build(len(meta["classes"]))
        try:
            graph.check_parameters(parameters)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return graph, parameters, meta


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
}


def get(name: str) -> ReferenceModel:
    """The model called `name`; raises InputError, which lists the names, for an unknown one."""
    if name not in MODELS:
        raise InputError(f"model: there is no {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]
