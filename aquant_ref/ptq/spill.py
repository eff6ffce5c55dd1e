"""Allocate tensors of a whole calibration set in memory, and large ones in temporary files.

A file is mapped into memory, so the operating system decides how much of it stays there.
"""

from __future__ import annotations

import math
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.typing import Array

if TYPE_CHECKING:
    from types import TracebackType

SPILL_BYTES = 256 << 20  # a larger tensor goes to a file


class Spill:
    """Allocate arrays; a file disappears with its array, or at the end of the `with` block."""

    def __init__(self, spill_bytes: int = SPILL_BYTES) -> None:
        self._spill_bytes = spill_bytes
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

    def __enter__(self) -> Spill:
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
        """Return an uninitialized array of that shape and dtype."""
        if math.prod(shape) * np.dtype(dtype).itemsize <= self._spill_bytes:
            return np.empty(shape, dtype)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="aquant-ref-", ignore_cleanup_errors=True
            )
        self._count += 1
        path = Path(self._folder.name) / f"{self._count}.bin"
        array = np.memmap(path, dtype, "w+", shape=shape)
        with suppress(OSError):  # Windows deletes the file only with its folder
            path.unlink()
        return array
