"""Describe a run: when it was, how to repeat it, and which versions took part."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache

from aquant_ref.conformance import vectors
from aquant_ref.versions import versions


def described(command: str, seed: int) -> dict[str, str]:
    """Return date (UTC), command, seed and versions, in the order in which to show them."""
    now = datetime.now(timezone.utc)
    return {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "seed": str(seed),
        "vectors": vectors.VERSION,
        **_versions(),
    }


@cache
def _versions() -> dict[str, str]:
    return versions()
