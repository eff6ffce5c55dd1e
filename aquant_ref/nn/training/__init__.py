"""Train a float network: the loop, its checkpoints, the optimizer."""

from __future__ import annotations
