"""Train float networks: the loop, its checkpoints, the optimizers."""

from __future__ import annotations
