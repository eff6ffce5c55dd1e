"""Store cases with their answers in `v1/*.json`; only `aquant-ref vectors generate` writes them.

One file an operation:

    format, op, profile, fields, result, spec[], source{generator, version, seed},
    notes{flag: {description, catches[]}},
    groups[{params{profile, bits, signs, rounding, granularity, rejects, edition},
            tests[{id, flags[], in{}, out{}, result}]}]

`result` is "exact"; "bounded", where `out` has [lo, hi] for each field; or "must_reject", without
`out`. Integers are JSON integers of up to 64 bits, reals C99 hexadecimal in strings, tensors nested
lists of them, small enough to be read. An id,
`<op>/<flag>/<slug>`, is never given to another case. Added cases are a minor version, named
in `edition`; a changed answer is a new major version, with its reason. Spec: AQ-CONF-3.
"""

from __future__ import annotations

from aquant_ref.conformance.vectors.lint import lint
from aquant_ref.conformance.vectors.read import VECTORS, VERSION, Group, load
from aquant_ref.conformance.vectors.write import generate

__all__ = ["VECTORS", "VERSION", "Group", "generate", "lint", "load"]
