"""Compare runs tensor by tensor: what differs, where it differs first, which layer is to blame."""

from __future__ import annotations
