"""Compare two runs, tensor by tensor: what differs, where first, and which layer is to blame."""

from __future__ import annotations
