"""Record a run: its tensors by name, over a number of images. Other programs may record runs too.

Spec: AQ-TRACE-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import integer, takes_functions
from aquant_ref.engine.instruction import IMAGE
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.formats.kinds import ListOf, fits
from aquant_ref.formats.tensors import read_tensors
from aquant_ref.progress import Progress, quiet
from aquant_ref.typing import Array, Pixels

if TYPE_CHECKING:
    from aquant_ref.nn.accuracy import Labelled

# No program produces larger integers, and float64 cannot represent all of them exactly.
LARGEST = 2**53
MEMORY = 4 << 30  # bytes of a recording, which is built in memory


@dataclass(frozen=True)
class Recording:
    """Tensors (N, ...) by name, in the order of their computation. Spec: AQ-TRACE-1.

    Integers have any width; floats are finite. `source` says which program ran on which data; it is
    empty for a recording of another program. `path` is the file that the recording was read from.
    """

    tensors: Mapping[str, Array]
    source: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @property
    def origin(self) -> str:
        """The file, and what ran on which data if that is known, in words."""
        known = [str(self.source.get(key, "?")) for key in ("run", "program", "data", "images")]
        return self.path + (", {} of {} on {}, {} images".format(*known) if self.source else "")

    @classmethod
    @takes_functions
    def of(
        cls,
        run: Callable[[Pixels], Mapping[str, Array]],
        images: Labelled,
        source: Mapping[str, Any],
        *,
        batch: int,
        progress: Progress = quiet,
    ) -> Recording:
        """Record all `images`, and what `run` makes of them in batches of `batch`.

        Raises InputError if there are no images, or if the recording would exceed MEMORY bytes.
        """
        integer("batch", batch, 1)
        if len(images) == 0:
            raise InputError("images: needs at least one, got none")
        batches: list[dict[str, Array]] = []
        for start in progress(range(0, len(images), batch), "record"):
            codes = images.batch(np.arange(start, min(start + batch, len(images))))
            batches.append({IMAGE: codes, **run(codes)})
            size = sum(tensor.nbytes for tensor in batches[0].values()) // len(batches[0][IMAGE])
            if size * len(images) > MEMORY:
                raise InputError(
                    f"recording: {len(images)} images need {size * len(images) / 2**30:.0f} GiB; "
                    f"record at most {MEMORY // size}"
                )
        tensors = {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}
        return cls(tensors, source)

    def save(self, path: str | Path) -> None:
        """Write the recording to `path`; raise InputError if that is impossible."""
        meta = {"order": list(self.tensors), "source": dict(self.source)}
        native.save(path, "recording", meta=meta, arrays=self.tensors)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read what `save` wrote, or the named tensors of another `.npz` or `.safetensors` file.

        Raises InputError, which names the file and the tensor, if the file holds no named tensors,
        or if a tensor is empty or holds NaN, infinity or integers beyond 2^53.
        """
        if native.has_header(path):
            meta, arrays = native.load(path, "recording")
            order: Any = meta.get("order")
            source: Any = meta.get("source")
            if not fits(order, ListOf(str)) or sorted(order) != sorted(arrays):
                raise InputError(f"{path}: does not state the order of its tensors")
            if not isinstance(source, dict):
                raise InputError(f"{path}: does not state what was run")
            tensors = {name: arrays[name] for name in order}
        else:
            tensors, source = read_tensors(path), {}
        # numpy subtracts no booleans
        tensors = {n: t.astype(np.uint8) if t.dtype.kind == "b" else t for n, t in tensors.items()}
        recording = cls(tensors, source, str(path))
        for name, tensor in recording.tensors.items():
            kind = tensor.dtype.kind
            if not tensor.ndim or not tensor.size:
                raise InputError(f"{path}: tensor {name!r} is empty or has no images")
            if kind == "f" and not np.isfinite(tensor).all():
                raise InputError(f"{path}: tensor {name!r} holds NaN or infinity")
            if kind in "iu" and not -LARGEST <= tensor.min() <= tensor.max() <= LARGEST:
                raise InputError(f"{path}: tensor {name!r} holds integers beyond 2^53")
        return recording
