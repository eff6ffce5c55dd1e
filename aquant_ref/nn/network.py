"""Define a network of your own, one method call a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aquant_ref.nn.graph import INPUT, Builder
from aquant_ref.nn.operations import OPERATIONS, Shape

if TYPE_CHECKING:
    from aquant_ref.nn.windows import Padding, Pair


class Network(Builder):
    """Write a network down layer by layer; each method returns the name of its tensor.

    `input_shape` is (channels, height, width); `zero` is the pixel code of the real number 0 in
    each channel (AQ-AFFINE-4), 0 where it is left out. A tensor is named "<block>.<operation>_<n>",
    and its parameters "<tensor>.weight" and so on; `name` replaces the last part. Blocks are
    reconstructed together; layers outside of every block make a block of their own. `kernel`,
    `stride` and `dilation` are a number or (vertical, horizontal); `padding` is one too, or
    ((top, bottom), (left, right)). `graph()` is the network so far; its `parameter_shapes` are the
    names and shapes of the weights. The last layer is linear. Each method raises InputError, which
    names the layer, for an attribute or an input that does not fit.

    >>> net = Network((3, 8, 8))
    >>> with net.block("stem"):
    ...     x = net.relu(net.batch_norm(net.conv2d(net.input, 4, kernel=3), eps=1e-3))
    >>> with net.block("head"):
    ...     logits = net.linear(net.flatten(net.global_avg_pool(x)), 10)
    >>> print(net.graph())
    tensor                  operation                   reads                   shape  block
    image                                                                       3x8x8
    stem.conv2d_1           conv2d channels=4 kernel=3  image                   4x6x6  stem
    stem.batch_norm_1       batch_norm eps=0.001        stem.conv2d_1           4x6x6  stem
    stem.relu_1             relu                        stem.batch_norm_1       4x6x6  stem
    head.global_avg_pool_1  global_avg_pool             stem.relu_1             4x1x1  head
    head.flatten_1          flatten                     head.global_avg_pool_1  4      head
    head.linear_1           linear channels=10          head.flatten_1          10     head
    """

    input = INPUT

    def __init__(self, input_shape: Shape, *, zero: Sequence[int] = ()) -> None:
        super().__init__(input_shape, zero)
        self._counts: Counter[tuple[str, str]] = Counter()

    def conv2d(
        self,
        x: str,
        channels: int,
        *,
        kernel: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        name: str = "",
    ) -> str:
        """Convolve; weight (channels, C/groups, kh, kw), bias (channels,). Spec: AQ-IDEAL-4."""
        return self._append(
            "conv2d",
            name,
            x,
            channels=channels,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )

    def linear(self, x: str, channels: int, *, name: str = "") -> str:
        """Multiply by a matrix; weight (channels, C), bias (channels,)."""
        return self._append("linear", name, x, channels=channels)

    def batch_norm(self, x: str, *, eps: float = 1e-5, name: str = "") -> str:
        """Normalise each channel; gamma, beta, mean and variance (C,). `fold` removes it."""
        return self._append("batch_norm", name, x, eps=eps)

    def relu(self, x: str, *, name: str = "") -> str:
        """Take max(x, 0)."""
        return self._append("relu", name, x)

    def relu6(self, x: str, *, name: str = "") -> str:
        """Take min(max(x, 0), 6)."""
        return self._append("relu6", name, x)

    def leaky_relu(self, x: str, *, alpha: float = 0.01, name: str = "") -> str:
        """Take x where x >= 0, else alpha*x; 0 <= alpha <= 1. Spec: AQ-IDEAL-4."""
        return self._append("leaky_relu", name, x, alpha=alpha)

    def add(self, a: str, b: str, *, name: str = "") -> str:
        """Add two tensors of one shape."""
        return self._append("add", name, a, b)

    def mul(self, a: str, b: str, *, name: str = "") -> str:
        """Multiply two tensors of one shape, element by element. Spec: AQ-IDEAL-4."""
        return self._append("mul", name, a, b)

    def concat(self, *inputs: str, name: str = "") -> str:
        """Put the channels of two or more tensors one after the other."""
        return self._append("concat", name, *inputs)

    def max_pool(
        self,
        x: str,
        *,
        kernel: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        dilation: Pair = 1,
        name: str = "",
    ) -> str:
        """Take the largest pixel of each window; padding never wins. Spec: AQ-IDEAL-4."""
        places = {"stride": stride, "padding": padding, "dilation": dilation}
        return self._append("max_pool", name, x, kernel=kernel, **places)

    def avg_pool(
        self,
        x: str,
        *,
        kernel: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        dilation: Pair = 1,
        count_padding: bool = True,
        name: str = "",
    ) -> str:
        """Take the mean of each window, over all its pixels or the real ones. Spec: AQ-IDEAL-4."""
        places = {"stride": stride, "padding": padding, "dilation": dilation}
        return self._append(
            "avg_pool", name, x, kernel=kernel, count_padding=count_padding, **places
        )

    def global_avg_pool(self, x: str, *, name: str = "") -> str:
        """Take the mean of each channel: (C, 1, 1)."""
        return self._append("global_avg_pool", name, x)

    def requantize(self, x: str, *, name: str = "") -> str:
        """Give a tensor a quantizer of its own: codes of another scale. Spec: AQ-IDEAL-4."""
        return self._append("requantize", name, x)

    def flatten(self, x: str, *, name: str = "") -> str:
        """Make (C*H*W,) of (C, H, W), channel first."""
        return self._append("flatten", name, x)

    def _append(self, op: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Append a layer without the attributes that have their default."""
        known = OPERATIONS[op].attributes
        given = {
            key: value
            for key, value in attributes.items()
            if type(value) is not type(known[key].default) or value != known[key].default
        }
        if not name:
            self._counts[self._block, op] += 1
            name = f"{op}_{self._counts[self._block, op]}"
        return self(name, op, *inputs, **given)
