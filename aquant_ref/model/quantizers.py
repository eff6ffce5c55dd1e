"""What a quantized network holds for a layer and for a tensor, and when that makes sense.

`check` of each raises ValueError, one line that says what is wrong; the name is added by the
network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aquant_ref.checks import integer, is_array, number, settle, shown
from aquant_ref.quant import border
from aquant_ref.quant.feedback import ERROR_BITS, FeedbackTables
from aquant_ref.quant.qparams import check_bits, code_range
from aquant_ref.quant.window import NEVER_LIFT, WideCodes, WindowBorder
from aquant_ref.typing import Array, Codes, Reals

ERRORS = ("clipping", "rounding")  # that a border with feedback feeds back
MOST_ERROR = 1 << 17  # of a code: 255 steps with 8 fraction bits, and a border
MOST_DIRECTION, MOST_PULL = 1 << 16, 1 << 15
LARGEST = 2.0**300  # of units, biases and scales: quotients and products of them stay in float64


@dataclass(frozen=True)
class QuantizedLayer:
    """A convolution or linear layer: codes (O, ...) of `bits` bits, unsigned, 0..2^bits - 1.

    `zero_point` (O,) int32, `unit` (O,) and `bias` (O,) float64.
    """

    codes: Codes
    zero_point: Codes
    bits: int
    unit: Reals
    bias: Reals

    def integers(self) -> Codes:
        """Return the weights as int32, codes - zero_point, which multiply the input's codes."""
        zero_point = self.zero_point.reshape(-1, *(1,) * (self.codes.ndim - 1))
        return self.codes.astype(np.int32) - zero_point.astype(np.int32)

    def check(self, weight: tuple[int, ...]) -> None:
        """Raise ValueError unless this can be the layer whose weight has that shape."""
        qmax = 2 ** check_bits("layer", self.bits) - 1
        _check_shape("codes", self.codes, weight)
        _check_integers("codes", self.codes, 0, qmax)
        _check_shape("zero_point", self.zero_point, weight[:1])
        _check_integers("zero_point", self.zero_point, 0, qmax)
        for name, values in (("unit", self.unit), ("bias", self.bias)):
            _check_shape(name, values, weight[:1])
            _check_finite(name, values)
        if not bool(((self.unit >= 1 / LARGEST) & (self.unit <= LARGEST)).all()):
            raise ValueError("unit is not between 2^-300 and 2^300")
        if bool((abs(self.bias) > LARGEST).any()):
            raise ValueError("bias is beyond 2^300")


@dataclass(frozen=True)
class QuantizedTensor:
    """The quantizer of a tensor: codes qmin..qmax of value scale*(code - zero_point).

    Spec: AQ-AFFINE-5. `zero_point` is a code. `crossings` (C or 1, 2^bits - 1) float64,
    AQ-BORDER-2: t = r/scale goes from k to k + 1, the code to the next, where it reaches
    crossings[c, k - low], which is in (k, k + 1].

    A border's polynomial, `coefficients` (C or 1, 1 to 3) float64 with its `squash`, is what the
    crossings were computed from; the fixed-point lowering alone reads it (AQ-SNAP-5). `wide` says
    what wide codes mean where readers round the tensor, None as AQ-WINDOW-1 (AQ-FEEDBACK-3).
    """

    scale: float
    bits: int
    crossings: Reals
    zero_point: int = 0
    signed: bool = False
    coefficients: Reals | None = None
    squash: str = "sigmoid"
    wide: WideCodes | None = None

    @property
    def qmin(self) -> int:
        """The smallest code."""
        return code_range(self.bits, signed=self.signed)[0]

    @property
    def qmax(self) -> int:
        """The largest code."""
        return code_range(self.bits, signed=self.signed)[1]

    @property
    def low(self) -> int:
        """The smallest code in steps; -low is the zero point, counted from the smallest code."""
        return self.qmin - self.zero_point

    @property
    def high(self) -> int:
        """The largest code in steps."""
        return self.qmax - self.zero_point

    def __post_init__(self) -> None:
        for name in ("scale", "bits", "zero_point"):  # as the file has them
            if isinstance(value := getattr(self, name), np.generic):
                settle(self, **{name: value.item()})

    def codes(self, t: Reals) -> Codes:
        """Return the codes of t = r/scale (N, C, ...): uint8, int8 if signed; 16 bits wide above 8.

        Spec: AQ-AFFINE-5, AQ-BORDER-2. Raises InputError for NaN.
        """
        reached = border.codes(t, self.crossings, -self.low)
        if not self.signed:
            return reached
        return (reached.astype(np.int32) + self.qmin).astype(
            np.int8 if self.bits <= 8 else np.int16
        )

    def real(self, codes: Codes, dtype: Any) -> Reals:
        """Return the real numbers scale*(code - zero_point) in `dtype`. Spec: AQ-AFFINE-3."""
        steps = codes.astype(dtype)
        if self.zero_point:
            steps -= self.zero_point
        steps *= dtype.type(self.scale)
        return steps

    def wide_codes(self) -> WideCodes:
        """Return what the wide codes mean that this tensor has where its readers round it."""
        return self.wide or WideCodes.of(self.bits, -self.low)

    def check(self, channels: int) -> None:
        """Raise ValueError unless this can be the quantizer of a tensor of so many channels."""
        count = 2 ** check_bits("tensor", self.bits) - 1
        number("scale", self.scale)
        integer("zero_point", self.zero_point, self.qmin, self.qmax)
        if not 1 / LARGEST <= self.scale <= LARGEST:
            raise ValueError(f"scale is {self.scale}, needs 2^-300 to 2^300")
        _check_shape("crossings", self.crossings, (channels, count), (1, count))
        _check_finite("crossings", self.crossings)
        cell = np.arange(count) + self.low
        if not bool(((self.crossings > cell) & (self.crossings <= cell + 1)).all()):
            raise ValueError("crossings lie outside their cells")
        if self.coefficients is not None:
            shapes = [(rows, degree) for rows in (channels, 1) for degree in (3, 2, 1)]
            _check_shape("coefficients", self.coefficients, *shapes)
            _check_finite("coefficients", self.coefficients)
        if self.squash not in border.SQUASHES:
            known = ", ".join(border.SQUASHES)
            raise ValueError(f"squash is {self.squash!r}, needs one of {known}")
        if self.wide is not None:
            self.wide.check(self.bits, -self.low)


@dataclass(frozen=True)
class FeedbackBorder:
    """A border that feeds the error of its window back in floating point; it has no integer form.

    `border` (R or 1, U) float64 is B0 of every row and wide code, `rank` how many directions are
    kept. `errors` is "rounding", the withdrawn rule AQ-FEEDBACK-1, or "clipping", AQ-FEEDBACK-2,
    for weights that stay in floating point.
    """

    border: Reals
    rank: int
    errors: str = "rounding"


Window = WindowBorder | FeedbackBorder | FeedbackTables


def check_window(
    window: Window, rows: int, tensor: QuantizedTensor, *, outputs: int, groups: int
) -> None:
    """Raise ValueError unless `window` can round the wide codes of `tensor` in that many rows.

    Those are the rows of all `groups`; `outputs` counts those of the layer.
    """
    if tensor.signed:
        raise ValueError("rounds in windows what is stored with signed codes; wide ones have none")
    wide = tensor.wide_codes().largest + 1
    shapes = (rows, wide), (1, wide)
    if isinstance(window, FeedbackBorder):
        _check_shape("border", window.border, *shapes)
        _check_finite("border", window.border)
        if type(window.rank) is not int or window.rank < 1:
            raise ValueError(f"rank is {window.rank}, needs at least 1")
        if window.errors not in ERRORS:
            raise ValueError(f"errors is {window.errors!r}, needs one of {', '.join(ERRORS)}")
        return
    if isinstance(window, FeedbackTables):
        _check_feedback(window, shapes, (outputs, groups), 2**tensor.bits - 1)
        return
    _check_shape("codes", window.codes, *shapes)
    _check_dtype("codes", window.codes, np.uint8)
    _check_integers("codes", window.codes, 0, 2**tensor.bits - 1)
    if (window.lift is None) != (window.fusion is None):
        raise ValueError("has only one of lift and fusion")
    for name, table in (("lift", window.lift), ("fusion", window.fusion)):
        if table is not None:
            _check_shape(name, table, *shapes)
            _check_dtype(name, table, np.int32)
            _check_integers(name, table, NEVER_LIFT, -NEVER_LIFT)


def _check_feedback(window: FeedbackTables, shapes: Any, layer: tuple[int, int], qmax: int) -> None:
    (rows, wide), _ = shapes
    outputs, groups = layer
    _check_shape("codes", window.codes, (1, wide))
    _check_dtype("codes", window.codes, np.uint8)
    _check_integers("codes", window.codes, 0, qmax)
    integer("error_bits", window.error_bits, 0, ERROR_BITS)
    kept = [(groups, rank, rows // groups) for rank in range(1, outputs // groups + 1)]
    for name, own, limit in (
        ("lift", shapes, -NEVER_LIFT),
        ("error", shapes, MOST_ERROR),
        ("directions", kept, MOST_DIRECTION),
        ("pull", kept, MOST_PULL),
    ):
        table = getattr(window, name)
        _check_shape(name, table, *own)
        _check_dtype(name, table, np.int32)
        _check_integers(name, table, -limit, limit)
    if window.pull.shape != window.directions.shape:
        raise ValueError("has not one pull for each direction")
    if bool((window.lift[:, window.codes[0] == qmax] > NEVER_LIFT).any()):
        raise ValueError(f"a code goes up from {qmax}")


def _check_shape(name: str, values: Array, *shapes: tuple[int, ...]) -> None:
    if not is_array(values):
        raise ValueError(f"{name} needs an array, got {shown(values)}")
    if values.shape not in shapes:
        raise ValueError(f"{name} of shape {values.shape}, needs {shapes[0]}")


def _check_finite(name: str, values: Array) -> None:
    if values.dtype != np.float64 or not bool(np.isfinite(values).all()):
        raise ValueError(f"{name} needs finite numbers of float64")


def _check_dtype(name: str, values: Array, dtype: type[np.integer[Any]]) -> None:
    if values.dtype != dtype:
        raise ValueError(f"{name} is {values.dtype}, needs {np.dtype(dtype)}")


def _check_integers(name: str, values: Array, low: int, high: int) -> None:
    if values.dtype.kind not in "iu" or int(values.min()) < low or int(values.max()) > high:
        raise ValueError(f"{name} needs integers from {low} to {high}")
