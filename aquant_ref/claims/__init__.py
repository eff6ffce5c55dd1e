"""Reproduce the claims of the paper (arXiv 2208.11945), one function each.

The README of this folder lists the six claims and what comes out. `claims` reproduces each one:

| claim | modules |
|---|---|
| 2 the border is a simple function of the activation | `borders` |
| 3 it removes the bias of the element-wise error | `layer_errors`, `switched` |
| 5 its overhead is negligible | `overhead`: `costs` counts, `timing` measures |
| 1, 4, 6 accuracy | `aquant-ref table` |

`learned` quantizes the networks that they compare; `tables` and `pictures` show the results.
"""

from __future__ import annotations

from aquant_ref.claims.claims import CLAIMS, TABLES, Evidence, reproduce

__all__ = ["CLAIMS", "TABLES", "Evidence", "reproduce"]
