"""What a verification found: as text and JSON, as JUnit XML, as a page."""

from __future__ import annotations
