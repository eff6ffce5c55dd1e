"""The text protocol of scalar kernels: cases out, replies in."""

from __future__ import annotations
