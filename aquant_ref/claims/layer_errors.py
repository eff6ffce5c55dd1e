"""Claim 3: measure the bias of the element-wise error of every layer, and its sources.

The paper claims that the border covers weight, activation and propagated errors and removes the
bias of the element-wise error. Take one output channel o at one position of one image. In the float
network the layer reads x and has weights w and bias b. In the quantized network x~ arrives before
the rounding of this layer and x_hat after it, and the layer has w_hat and b_hat. The errors of the
products, w_hat*x_hat - w*x, summed over the window, and the error of the bias add up to the error
of the output before its activation function,

    e = (w_hat . x_hat + b_hat) - (w . x + b)
      = (w_hat - w) . x_hat  +  w . (x_hat - x~)  +  w . (x~ - x)  +  (b_hat - b)
        weight part             activation part      propagated part

To measure a part, the error is computed again with that part switched off:

    weight         (w . x_hat + b_hat) - (w . x + b)       float weights, the same roundings
    activation     (w_hat . x~ + b_hat) - (w . x + b)      the input of this layer unrounded
    propagated     (w_hat . Q(x) + b_hat) - (w . x + b)    the input from the float network, rounded
                                                           by the quantizer Q of this layer

The output of an add is the sum of two branches, and a part is switched off in both: in a branch
that is a layer as above; a branch that is a stored tensor counts as a layer of weight 1.

The *bias of a product*, one for each weight of a layer, is the mean of w_hat*x_hat - w*x over
images and positions. The summary of a layer is the root mean square over its weights, in % of that
of the float products w*x (`product_size`). In the output of a layer, products with biases of
opposite sign cancel, and so may the branches of an add: block reconstruction only minimizes the
error of the block's output.

The *bias* of channel o is the mean of e over images and positions, its *deviation* the standard
deviation of e; the mean of e^2 is bias^2 + deviation^2. The summary of a layer is the root mean
square over its channels, of the bias and of e. The unit is that of the layer's output; `spread`,
the root mean square over channels of the standard deviation of the float output, makes layers
comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.checks import takes_functions
from aquant_ref.claims.switched import PARTS, WHOLE, Switched
from aquant_ref.errors import InputError
from aquant_ref.progress import Progress, quiet
from aquant_ref.ptq.placement import LAYERS, SUMS
from aquant_ref.typing import Pixels, Reals

if TYPE_CHECKING:
    from aquant_ref.ptq.network import LearnedNetwork

ALL = (WHOLE, *PARTS)
BATCH = 32


@dataclass(frozen=True)
class ChannelErrors:
    """The mean and standard deviation of the error of a layer's output, (O,) float64 each."""

    bias: Reals
    deviation: Reals

    @property
    def rms_bias(self) -> float:
        """The root mean square over channels of the bias."""
        return float(np.sqrt(np.mean(self.bias**2)))

    @property
    def rms_error(self) -> float:
        """The root mean square over channels, images and positions of the error itself."""
        return float(np.sqrt(np.mean(self.bias**2 + self.deviation**2)))


@dataclass(frozen=True)
class LayerErrors:
    """The errors of layer or add `name`, by what is switched off: WHOLE (nothing) or a PART.

    `product_bias` holds the root mean squares of the biases of its products, `product_size` that of
    the float products; an add has no products.
    """

    name: str
    spread: float
    without: Mapping[str, ChannelErrors]
    product_size: float = 0.0
    product_bias: Mapping[str, float] = field(default_factory=dict)

    def result(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "layer": self.name,
            "spread": self.spread,
            "product_size": self.product_size,
            "switched_off": {
                what: {
                    "rms_bias": each.rms_bias,
                    "rms_error": each.rms_error,
                    "bias": each.bias.tolist(),
                    "deviation": each.deviation.tolist(),
                    "rms_product_bias": self.product_bias.get(what),
                }
                for what, each in self.without.items()
            },
        }


@takes_functions
def layer_errors(
    network: LearnedNetwork, codes: Pixels, *, progress: Progress = quiet, label: str = "errors"
) -> list[LayerErrors]:
    """Measure every layer and add of `network` on the images `codes`, uint8 (N, C, H, W).

    Raises InputError if there are no images.
    """
    if len(codes) == 0:
        raise InputError("images: needs at least one, got none")
    names = [node.name for node in network.graph.nodes if node.op in SUMS]
    outputs = {name: _Moments() for name in names}
    errors = {name: {what: _Moments() for what in ALL} for name in names}
    layers = [name for name in names if network.graph.node(name).op in LAYERS]
    rows = {name: {what: _Moments() for what in (None, *ALL)} for name in layers}
    for start in progress(range(0, len(codes), BATCH), label):
        images = network.graph.to_float(codes[start : start + BATCH])
        switched = Switched(network, images)
        for name in names:
            float_output = switched.exact[name]
            outputs[name].add(float_output)
            for what, moments in errors[name].items():
                moments.add(switched.output(name, what) - float_output)
        for name in layers:
            for off, moments in rows[name].items():
                if off != "weight":  # whose rows are those of WHOLE
                    moments.add(switched.rows(name, off))
    measured = []
    for name in names:
        without = {what: moments.channels() for what, moments in errors[name].items()}
        spread = float(np.sqrt(np.mean(outputs[name].channels().deviation ** 2)))
        products = _products(switched, name, rows[name]) if name in rows else (0.0, {})
        measured.append(LayerErrors(name, spread, without, *products))
    return measured


def _products(
    switched: Switched, name: str, rows: Mapping[str | None, _Moments]
) -> tuple[float, dict[str, float]]:
    """Return the size of the float products of layer `name`, and the size of their biases."""
    groups = switched.graph.node(name).attributes.get("groups", 1)

    def products(weight: Reals, factors: Reals) -> Reals:
        matrix = weight.astype(np.float64).reshape(groups, len(weight) // groups, -1)
        return np.asarray(matrix * factors.reshape(groups, 1, -1))

    exact, mean = switched.weight(name, "weight"), rows[None].channels().bias
    float_products = products(exact, mean)
    size = float(np.sqrt(np.mean(products(exact**2, rows[None].squares / rows[None].count))))
    biases = {}
    for off in ALL:
        read = rows[WHOLE if off == "weight" else off].channels().bias
        bias = products(switched.weight(name, off), read) - float_products
        biases[off] = float(np.sqrt(np.mean(bias**2)))
    return size, biases


class _Moments:
    """Count, sum and sum of squares of each channel of (N, O, ...), in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.sum: Any = 0.0
        self.squares: Any = 0.0

    def add(self, values: Reals) -> None:
        values = values.astype(np.float64)
        axes = (0, *range(2, values.ndim))
        self.count += values.size // values.shape[1]
        self.sum = self.sum + values.sum(axis=axes)
        self.squares = self.squares + (values * values).sum(axis=axes)

    def channels(self) -> ChannelErrors:
        mean = self.sum / self.count
        return ChannelErrors(mean, np.sqrt(np.maximum(self.squares / self.count - mean**2, 0)))
