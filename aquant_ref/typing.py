"""Name the arrays that the program passes around, by what they are.

Choose by meaning first; the dtype follows. A signature then says which stage of the network
a value belongs to, and mypy refuses a float where an integer is wanted.

| The array contains | Name | dtype |
|---|---|---|
| quantized values: activations, weights, zero points | `Codes` | any integer |
| sums of products of codes, biases, thresholds | `Accumulators` | int64 |
| real numbers: images, weights, activations, scales, gradients | `Reals` | float32 or float64 |
| other whole numbers: indices, shifts, multipliers, counts | `Integers` | any integer |
| class numbers, one per image | `Labels` | any integer |
| one truth value per element | `Mask` | bool |
| images as stored in a file | `Pixels` | uint8 |
| numbers whose kind the function does not care about, or finds out | `Array` | any |

`Array` is for code that copies, reshapes, stores or compares arrays of every kind, and for values
from outside before they are checked. Write a comment for units and shape; no type states them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.integer[Any]]
Accumulators: TypeAlias = NDArray[np.int64]
Reals: TypeAlias = NDArray[np.floating[Any]]
Integers: TypeAlias = NDArray[np.integer[Any]]
Labels: TypeAlias = NDArray[np.integer[Any]]
Mask: TypeAlias = NDArray[np.bool_]
Pixels: TypeAlias = NDArray[np.uint8]
Array: TypeAlias = NDArray[Any]
