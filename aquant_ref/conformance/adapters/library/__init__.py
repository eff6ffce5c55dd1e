"""Kernels in a shared library: the C functions that it exports, and the process that calls them."""

from __future__ import annotations
