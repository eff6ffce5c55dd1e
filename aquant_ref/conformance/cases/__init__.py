"""Make the cases of every operation: one file each, whose families say what they catch."""

from __future__ import annotations
