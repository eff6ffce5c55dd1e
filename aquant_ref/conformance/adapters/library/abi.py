"""The C functions of a library under test, as the contract's table has them. Spec: AQ-CONF-6.

A scalar operation is a function over several cases, an operation on tensors one over a single case:

    int32_t aquant_clip(int64_t cases, const char *variation, const int64_t *v, ..., int32_t *q);
    int32_t aquant_conv2d(const char *variation, const int32_t *x, const int64_t *x_shape, ...,
                          int32_t *q, int64_t *q_shape);
"""

from __future__ import annotations

import textwrap

from aquant_ref.conformance.contract import OPERATIONS, Field, Operation

VERSION = 1  # of this convention; a library says by aquant_abi_version() which one it follows
VERSION_FUNCTION = "aquant_abi_version"
DONE, REFUSES, UNSUPPORTED = 0, 3, 4  # what a function returns, as a command its exit code
ROOM = 1 << 22  # elements that a result tensor has room for
C_TYPES = {"i32": "int32_t", "i64": "int64_t", "f64": "double"}
WIDTH = 98  # columns of the header

TOP = f"""\
/* The functions that `aquant-ref verify --library` and `aquant-ref prove` call.
 *
 * A library exports aquant_abi_version, and any of the others; what is not there is unsupported.
 *
 *     cc -O2 -shared -fPIC -o libkernel.so kernel_library.c -lm
 *     aquant-ref verify --library ./libkernel.so
 *
 * A scalar operation is called with a number of cases: an array for each field, in the order of the
 * contract, then one for each result. An operation on tensors is called with one case: numbers by
 * value, a pair such as a stride as an array, a tensor as its elements, row-major, and its shape. A
 * result tensor has room for AQUANT_ROOM elements; the function writes them, and their shape.
 * `variation` and `rounding` are texts, the same for all cases of a call. `variation` is one of the
 * operation, such as "exact"; "core-int", "border" or "engine" is the contract's own way.
 *
 * Return AQUANT_DONE, AQUANT_REFUSES for an input outside the contract, or AQUANT_UNSUPPORTED.
 * Where a call with several cases is not done, each case is asked alone. Arrays are aligned for
 * their element type alone. Write nothing but the results.
 */
#ifndef AQUANT_KERNEL_H
#define AQUANT_KERNEL_H

#include <stdint.h>

#define AQUANT_ABI_VERSION {VERSION}
#define AQUANT_ROOM {ROOM}
enum {{ AQUANT_DONE = {DONE}, AQUANT_REFUSES = {REFUSES}, AQUANT_UNSUPPORTED = {UNSUPPORTED} }};

#ifdef _WIN32
#define AQUANT_EXPORT __declspec(dllexport)
#else
#define AQUANT_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {{
#endif

AQUANT_EXPORT int32_t {VERSION_FUNCTION}(void); /* returns AQUANT_ABI_VERSION */

"""
BOTTOM = """\
#ifdef __cplusplus
}
#endif

#endif
"""


def symbol(operation: Operation) -> str:
    """Return the name of the operation's function."""
    return f"aquant_{operation.name}"


def expressible(operation: Operation) -> bool:
    """Tell whether C has types for all fields; JSON, which a whole program is, has none."""
    return all(field.type != "json" for field in (*operation.fields, *operation.result))


def declaration(operation: Operation) -> str:
    """Return the C declaration of the operation's function."""
    parts = ["int64_t cases"] if operation.scalar else []
    parts.append("const char *variation")
    for field in operation.fields:
        parts += _parameters(field, operation.scalar, given=True)
    for field in operation.result:
        parts += _parameters(field, operation.scalar, given=False)
    return f"int32_t {symbol(operation)}({', '.join(parts)});"


def header() -> str:
    """Return the C header, with all operations that C can express in the order of the contract."""
    wrapped = (
        textwrap.fill(f"AQUANT_EXPORT {declaration(each)}", WIDTH, subsequent_indent="    ")
        for each in OPERATIONS.values()
        if expressible(each)
    )
    return TOP + "\n\n".join(wrapped) + "\n\n" + BOTTOM


def _parameters(field: Field, scalar: bool, *, given: bool) -> list[str]:
    constant = "const " if given else ""
    if field.type == "str":
        return [f"const char *{field.name}"]
    if scalar or field.axes:
        pointer = f"{constant}{C_TYPES[field.type]} *{field.name}"
        return [pointer, f"{constant}int64_t *{field.name}_shape"] if field.tensor else [pointer]
    return [f"{C_TYPES[field.type]} {field.name}"]
