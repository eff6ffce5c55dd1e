"""The cases of every operation: a file each, whose families say what they are and catch."""

from __future__ import annotations
