"""Find what explains wrong answers: another variation, or a fault of the catalogue."""

from __future__ import annotations
