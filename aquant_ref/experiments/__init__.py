"""Runs on whole networks and data sets: the main job, saved folders, grids, and their tables."""

from __future__ import annotations
