"""Find which variation of each operation an implementation computes."""

from __future__ import annotations
