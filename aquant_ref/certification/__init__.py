"""Certify a lowering: bounds, margins, worst-case codes, and inputs that show fragile decisions."""

from __future__ import annotations
