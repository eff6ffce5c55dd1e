"""The paper's claims, each reproduced by one function: numbers, a table, and a picture."""

from __future__ import annotations

from aquant_ref.claims.claims import CLAIMS, TABLES, Evidence, reproduce

__all__ = ["CLAIMS", "TABLES", "Evidence", "reproduce"]
