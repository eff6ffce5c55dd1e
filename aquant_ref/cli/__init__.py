"""The command `aquant-ref`: its arguments, what it does, and how it prints."""

from __future__ import annotations
