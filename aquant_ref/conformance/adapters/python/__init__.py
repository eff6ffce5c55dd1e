"""Adapters in Python, each in a process of its own: the process, and what is sent to and fro."""

from __future__ import annotations
