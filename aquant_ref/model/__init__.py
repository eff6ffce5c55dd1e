"""The quantized model: what ptq makes, the simulation runs, and lowering turns into a program."""

from __future__ import annotations
