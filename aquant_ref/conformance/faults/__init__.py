"""Hold the catalogue of faults that real implementations have had, each as a wrong implementation.

`names.FAULTS` has the kinds and their sentences, `catalogue.CATALOGUE` each fault as code. To add
one:

1. Write a row into the table of its operation: the name that users read, the function of the fields
   (or the steps of `steps.Layers` that it replaces), the kind, and the flag of the family that has
   to find it. A function with an argument `profile` is a fault of every variation; so are steps.
2. A new file of rows ends with `WRONG`, and gets its line in `catalogue`.
3. A new kind gets its sentence in `names`, and the families that catch it name it.
4. A new variation of requantization gets its line in `rescaling.RESCALED`.
5. Run `python -m pytest tests/meta`: the stored vectors have to find it with its flag, and the
   diagnosis has to name it. Count it in the table of the kit's page.
"""

from __future__ import annotations

from aquant_ref.conformance.faults.names import FAULTS as FAULTS
