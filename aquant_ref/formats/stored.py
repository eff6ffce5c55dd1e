"""What a file of ours holds as a whole: equal is what has the same content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from aquant_ref.formats import native
from aquant_ref.typing import Array


class Stored(ABC):
    """An object that a file of ours holds; two are equal where their files would be."""

    @abstractmethod
    def _content(self) -> tuple[Mapping[str, Any], Mapping[str, Array]]:
        """Return metadata and arrays of the file."""

    def sha256(self) -> str:
        """Compute the sha256 of all that the file holds; it is the same after `load`."""
        return native.digest(*self._content())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stored) or type(self) is not type(other):
            return NotImplemented
        return self is other or self.sha256() == other.sha256()

    def __hash__(self) -> int:
        return hash(self.sha256())
