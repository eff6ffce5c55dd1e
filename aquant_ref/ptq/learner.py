"""Collect the variables of one block in one pass, step them, and write them back.

| variable | shape | meaning |
|---|---|---|
| `weight/<layer>` | that of the weight | v of AdaRound, which rounds each weight up or down |
| `bias/<layer>` | (O,) | the bias of the layer |
| `scale/<tensor>` | () | the scale of a stored tensor |
| `border/<tensor>` | (C or 1, 3) | the coefficients of its border |
| `window/<layer>` | (R, C or 1, 3) | the coefficients of a border that rounds in every window |
| `fusion/<layer>` | (R, 3) | the coefficients of its window term |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aquant_ref.nn.graph import INPUT, Block
from aquant_ref.nn.training.optim import Adam, cosine
from aquant_ref.nn.windows import pair
from aquant_ref.ptq.adaround import AdaRound, regularizer, regularizer_beta
from aquant_ref.ptq.network import LearnedNetwork, LearnedWindow, every_row
from aquant_ref.ptq.placement import LAYERS, boundary_layers, boundary_tensors, layers
from aquant_ref.typing import Reals

if TYPE_CHECKING:
    from aquant_ref.nn.operations import Node
    from aquant_ref.ptq.border_spec import BorderSpec
    from aquant_ref.ptq.pass_config import ReconstructionPass

Arrays = dict[str, Reals]


class Learner:
    """Hold the variables that `settings` learn in `block`, which has none without layers."""

    def __init__(self, network: LearnedNetwork, block: Block, settings: ReconstructionPass) -> None:
        self.network, self.block, self.settings = network, block, settings
        self.variables: Arrays = {}
        self._rates: dict[str, Any] = {}
        self._factors: dict[str, float] = {}
        self._rounding: dict[str, AdaRound] = {}
        self._hard = network.weights()
        self._optimizer = Adam()
        learned = set(layers(network.graph))
        if not settings.owns_output:
            learned -= boundary_layers(network.graph)
        self._layers = [node for node in block.nodes if node.name in learned]
        self._biased = self._layers if settings.biases else []
        if settings.biases and settings.unit == "network":
            self._biased = [node for node in block.nodes if node.op in LAYERS]
        made = [node.name for node in block.nodes]
        owned = made if settings.owns_output else (*block.inputs, *made[:-1])
        self._tensors = [name for name in owned if name in network.tensors and name != INPUT]
        if self._layers:
            self._declare()

    def _declare(self) -> None:
        settings = self.settings
        if settings.weights:
            for node in self._layers:
                self._add_weight(node.name)
        for node in self._biased:
            self._add(f"bias/{node.name}", self._hard[f"{node.name}.bias"], settings.bias_rate)
        if not settings.activations:
            return
        if settings.scales:
            for name in self._tensors:
                self._add_scale(name)
        if settings.border is not None:
            self._add_borders(settings.border)

    def _add_borders(self, form: BorderSpec) -> None:
        in_windows = self._read_in_windows(form)
        for node in self._layers:
            if node.op == "conv2d" and self.network.source(node.inputs[0]) in in_windows:
                self._add_window(node, form)
        if form.windowed and form.granularity != "mixed":
            return
        boundary = boundary_tensors(self.network.graph)  # nearest, and no block learns them
        for name in self._tensors:
            if name not in in_windows and (self.settings.unit != "network" or name not in boundary):
                self._add_border(name, form)

    def _read_in_windows(self, form: BorderSpec) -> set[str]:
        """Return the tensors that convolutions round in their windows, with borders of `form`."""
        if not form.windowed:
            return set()
        inner = set(layers(self.network.graph)) - boundary_layers(self.network.graph)
        readers = [self.network.graph.node(name) for name in inner]
        sources = {
            self.network.source(node.inputs[0])
            for node in readers
            if node.op == "conv2d"
            and (form.granularity != "mixed" or pair(node["kernel"]) != (1, 1))
        }
        # The image needs no border: its values are codes.
        return {name for name in sources if name not in (None, INPUT)}

    def _add(self, name: str, start: Reals, rate: Any) -> None:
        self.variables[name], self._rates[name] = start, rate

    def _add_weight(self, name: str) -> None:
        if name not in self.network.scales:  # weights of 32 bits stay in floating point
            return
        rounding = AdaRound(self.network.parameters[f"{name}.weight"], self.network.scales[name])
        self._rounding[name] = rounding
        self._add(f"weight/{name}", rounding.start, self.settings.weight_rate)

    def _add_scale(self, name: str) -> None:
        tensor = self.network.tensors[name]
        scale = np.asarray(tensor.scale, np.float64)
        unit = tensor.scale if self.settings.relative else 1.0
        self._add(f"scale/{name}", scale, self.settings.scale_rate * unit)
        if self.settings.lsq_factor:
            elements = self.settings.batch * np.prod(self.network.graph.shapes[name])
            self._factors[f"scale/{name}"] = float(1 / np.sqrt(elements * tensor.qmax))

    def _border_rates(self, form: BorderSpec) -> Reals:
        # Coefficients that the family lacks stay 0.
        return self.settings.border_rate * (np.arange(3) < form.columns)

    def _add_border(self, name: str, form: BorderSpec) -> None:
        tensor = self.network.tensors[name]
        channels = 1 if form.granularity == "tensor" else self.network.graph.shapes[name][0]
        start = tensor.coefficients
        if start is None:
            start = np.zeros((channels, 3), np.float32)
            self.network.tensors[name] = replace(tensor, squash=form.squash)
        self._add(f"border/{name}", start, self._border_rates(form))

    def _add_window(self, node: Node, form: BorderSpec) -> None:
        kernel = pair(node["kernel"])
        channels = self.network.graph.shapes[node.inputs[0]][0]
        rows = channels * kernel[0] * kernel[1]
        count = {"channel": channels, "tensor": 1}.get(form.granularity, rows)
        window = self.network.windows.get(node.name)
        if window is not None and len(window.coefficients) < count:
            window = replace(window, coefficients=every_row(window.coefficients, count))
            self.network.windows[node.name] = window
        if window is None:
            window = LearnedWindow(
                np.zeros((count, 3), np.float32),
                np.zeros((rows, 3), np.float32) if form.fused else None,
                form.squash,
                form.feedback,
                form.errors,
            )
            self.network.windows[node.name] = window
        self._add(f"window/{node.name}", window.coefficients, self._border_rates(form))
        if window.fusion is not None:
            self._add(f"fusion/{node.name}", window.fusion, self._border_rates(form))

    def parameters(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters of the network, with soft weights and learned biases in place."""
        parameters: dict[str, Any] = dict(self._hard)
        for name, rounding in self._rounding.items():
            parameters[f"{name}.weight"] = rounding.soft(variables[f"weight/{name}"])
        for node in self._biased:
            parameters[f"{node.name}.bias"] = variables[f"bias/{node.name}"]
        return parameters

    def penalty(self, variables: Mapping[str, Any], step: int) -> Any:
        """Return the regularizer of the soft weights in iteration `step`."""
        beta = regularizer_beta(
            step + self.settings.owns_output,
            self.settings.iterations,
            schedule=self.settings.beta_schedule,
        )
        if beta is None:
            return 0.0
        total: Any = 0.0
        for name in self._rounding:
            total = total + regularizer(variables[f"weight/{name}"], beta)
        return self.settings.regularization * total

    def step(self, gradients: Mapping[str, Reals], step: int) -> None:
        """Take one step of Adam, in iteration `step`."""
        factor = cosine(step, self.settings.iterations)
        rates = {
            # The rate of the weights is constant, all others fall to 0 (QDrop).
            name: rate if name.startswith("weight/") else rate * factor
            for name, rate in self._rates.items()
        }
        scaled = {name: g * self._factors.get(name, 1.0) for name, g in gradients.items()}
        self._optimizer.step(self.variables, scaled, rates)

    def impossible(self) -> str | None:
        """Describe the first variable with an impossible value, or return None."""
        for name, value in self.variables.items():
            if not np.isfinite(value).all():
                return f"{name} is not finite"
            if name.startswith("scale/") and float(value) <= 0:
                return f"{name} is {float(value):.6g}"
        return None

    def write_back(self) -> None:
        """Write the learned values into the network."""
        network, learned = self.network, self.variables
        for name, rounding in self._rounding.items():
            network.codes[name] = rounding.codes(learned[f"weight/{name}"])
        for node in self._biased:
            network.biases[node.name] = learned[f"bias/{node.name}"]
        for node in self._layers:
            if f"window/{node.name}" in learned:
                network.windows[node.name] = replace(
                    network.windows[node.name],
                    coefficients=learned[f"window/{node.name}"],
                    fusion=learned.get(f"fusion/{node.name}"),
                )
        for name in self._tensors:
            tensor = network.tensors[name]
            network.tensors[name] = replace(
                tensor,
                scale=float(learned.get(f"scale/{name}", tensor.scale)),
                coefficients=learned.get(f"border/{name}", tensor.coefficients),
            )
