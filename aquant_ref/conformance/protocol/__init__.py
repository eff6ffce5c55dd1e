"""Speak the text protocol of scalar kernels: cases out, replies in; admit answers of any kind."""

from __future__ import annotations
