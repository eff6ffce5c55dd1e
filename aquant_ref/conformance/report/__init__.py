"""Report what a verification found: as text, JSON, JUnit XML or an HTML page."""

from __future__ import annotations
