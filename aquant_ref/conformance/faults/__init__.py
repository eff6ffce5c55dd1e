"""Name the faults that real implementations have had, and have each as a wrong implementation.

`names` has the kinds of faults and their sentences; `scalars`, `peers` and `tensors` have the code.
"""

from __future__ import annotations

from aquant_ref.conformance.faults.names import FAULTS as FAULTS
