"""A recorded run: tensors by name over a number of images, ours or from elsewhere.

Spec: AQ-TRACE-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aquant_ref.checks import integer
from aquant_ref.engine.instruction import IMAGE
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.formats.kinds import ListOf, fits
from aquant_ref.formats.tensors import read_tensors
from aquant_ref.nn.training.train import Labelled
from aquant_ref.progress import Progress, quiet

Array = NDArray[Any]

LARGEST = 2**53  # beyond it an integer is none of a program, and a float no exact integer
MEMORY = 4 << 30  # bytes of a recording, which is made in memory


@dataclass(frozen=True)
class Recording:
    """Tensors (N, ...) by name, in the order in which they were made.

    Integers are of any width, floats finite. `source` says what was run on what; a recording from
    elsewhere has none. `path` is the file that it was read from.
    """

    tensors: Mapping[str, Array]
    source: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @property
    def origin(self) -> str:
        """The file, and what was run on what if that is known, in words."""
        known = [str(self.source.get(key, "?")) for key in ("run", "program", "data", "images")]
        return self.path + (", {} of {} on {}, {} images".format(*known) if self.source else "")

    @classmethod
    def of(
        cls,
        run: Callable[[Array], dict[str, Array]],
        images: Labelled,
        source: Mapping[str, Any],
        *,
        batch: int,
        progress: Progress = quiet,
    ) -> Recording:
        """What `run` makes of all `images`, and the images themselves.

        Raises InputError if there are none, or if that would not fit the memory.
        """
        integer("batch", batch, 1)
        if len(images) == 0:
            raise InputError("recording: there are no images")
        parts: list[dict[str, Array]] = []
        for start in progress(range(0, len(images), batch), "record"):
            codes = images.batch(np.arange(start, min(start + batch, len(images))))
            parts.append({IMAGE: codes, **run(codes)})
            size = sum(tensor.nbytes for tensor in parts[0].values()) // len(parts[0][IMAGE])
            if size * len(images) > MEMORY:
                raise InputError(
                    f"recording: {len(images)} images need {size * len(images) / 2**30:.0f} GiB; "
                    f"give at most {MEMORY // size} --images"
                )
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls(joined, source)

    def save(self, path: str | Path) -> None:
        """Write the file; raises InputError if `path` cannot be written."""
        meta = {"order": list(self.tensors), "source": dict(self.source)}
        native.save(path, "recording", meta=meta, arrays=self.tensors)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read what `save` wrote, or the named tensors of another `.npz` or `.safetensors`.

        Raises InputError, which names the file and the tensor, for what is no file of tensors, and
        for NaN, infinity and integers beyond 2^53.
        """
        if native.has_header(path):
            meta, arrays = native.load(path, "recording")
            order: Any = meta.get("order")
            source: Any = meta.get("source")
            if not fits(order, ListOf(str)) or sorted(order) != sorted(arrays):
                raise InputError(f"{path}: does not say in which order its tensors were made")
            if not isinstance(source, dict):
                raise InputError(f"{path}: does not say what was run")
            given = {name: arrays[name] for name in order}
        else:
            given, source = read_tensors(path), {}
        # what is true or false is counted with from here on
        plain = {n: t.astype(np.uint8) if t.dtype.kind == "b" else t for n, t in given.items()}
        recording = cls(plain, source, str(path))
        for name, tensor in recording.tensors.items():
            kind = tensor.dtype.kind
            if not tensor.ndim or not tensor.size:
                raise InputError(f"{path}: tensor {name!r} is empty or has no images")
            if kind == "f" and not np.isfinite(tensor).all():
                raise InputError(f"{path}: tensor {name!r} holds NaN or infinity")
            if kind in "iu" and not -LARGEST <= tensor.min() <= tensor.max() <= LARGEST:
                raise InputError(f"{path}: tensor {name!r} holds integers beyond 2^53")
        return recording
