"""Room for the tensors of a whole calibration set: in memory, or in a temporary file where large.

A file is mapped into memory, so that the operating system keeps of it what fits.
"""

from __future__ import annotations

import math
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SPILL_BYTES = 256 << 20  # a tensor larger than this goes to a file


class Storage:
    """Makes arrays; each file is gone with its array, all of them when the `with` block ends."""

    def __init__(self, spill_bytes: int = SPILL_BYTES) -> None:
        self._spill_bytes = spill_bytes
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

    def __enter__(self) -> Storage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array of that shape and dtype whose elements are not set yet."""
        if math.prod(shape) * np.dtype(dtype).itemsize <= self._spill_bytes:
            return np.empty(shape, dtype)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="aquant-ref-", ignore_cleanup_errors=True
            )
        self._count += 1
        path = Path(self._folder.name) / f"{self._count}.bin"
        array = np.memmap(path, dtype, "w+", shape=shape)
        with suppress(OSError):  # Windows lets go of the file only with the folder
            path.unlink()
        return array
