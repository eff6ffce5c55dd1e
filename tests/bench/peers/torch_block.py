"""A block of reconstruction written in torch, with the same straight-through rules (AQ-STE).

QDrop: soft weights, one scale a tensor, elements dropped at random. AQuant: a border for each row
of the im2col matrix and the polynomial that its window adds. Gradients are torch's, but for the
rounding, whose rule is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from aquant_ref.nn.operations import Node
from aquant_ref.nn.training.optim import cosine
from aquant_ref.ptq.adaround import STRETCH_HIGH, STRETCH_LOW, regularizer_beta
from aquant_ref.ptq.learner import Learner
from aquant_ref.quant.border import BORDER_MIN

Keep = Callable[[tuple[int, ...]], Any]


class Nearest(torch.autograd.Function):
    """Fake quantization of x, rounded half_up; elements that are not kept stay as they are."""

    @staticmethod
    def forward(ctx: Any, x: Any, scale: Any, ends: tuple[int, int], keep: Any) -> Any:
        t = x / scale
        q = torch.floor(t + 0.5)
        clipped = q.clamp(*ends)
        ctx.save_for_backward(t, clipped, q == clipped, keep)
        return torch.where(keep, clipped * scale, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        t, clipped, inside, keep = ctx.saved_tensors
        g = gradients[0]
        kept = g * keep
        passed = kept * inside
        return g - kept + passed, (kept * clipped).sum() - (passed * t).sum(), None, None


class AtBorder(torch.autograd.Function):
    """Fake quantization of columns, which go up from the border on."""

    @staticmethod
    def forward(ctx: Any, x: Any, scale: Any, border: Any, ends: tuple[int, int]) -> Any:
        t = x / scale
        q = torch.floor(t - border) + 1
        clipped = q.clamp(*ends)
        ctx.save_for_backward(t, clipped, q == clipped, scale)
        ctx.ends = ends
        return clipped * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        t, clipped, inside, scale = ctx.saved_tensors
        g, (low, high) = gradients[0], ctx.ends
        passed = g * inside
        border = -scale * passed * ((t > low) & (t < high))
        return passed, (g * clipped).sum() - (passed * t).sum(), border, None


def _polynomial(tau: Any, coefficients: Any) -> Any:
    b0, b1, b2 = (coefficients[:, k, None] for k in range(3))
    return (tau * b2 + b1) * tau + b0


class TorchBlock:
    """The block of a `Learner`, its variables copied."""

    def __init__(self, learner: Learner) -> None:
        self.learner, self.block, self.settings = learner, learner.block, learner.settings
        self.network = learner.network
        self.variables = {
            name: torch.tensor(np.asarray(value, np.float32), requires_grad=True)
            for name, value in learner.variables.items()
        }
        self.fixed = {name: torch.tensor(p) for name, p in self.network.weights().items()}
        self.rounding = {
            name: tuple(
                torch.tensor(np.asarray(a, np.float32))
                for a in (each._floor, each._step, -each._zero_point - each._floor)
            )
            for name, each in learner._rounding.items()
        }
        self.optimizer = torch.optim.Adam(
            [{"params": [v], "lr": 1.0, "name": name} for name, v in self.variables.items()]
        )

    def weight(self, name: str) -> Any:
        """The soft weight, or that of the network."""
        if name not in self.rounding:
            return self.fixed[f"{name}.weight"]
        floor, step, low = self.rounding[name]
        high = low + self.network.scales[name].qmax
        soft = torch.minimum(torch.maximum(self.soft(name), low), high)
        return (soft + floor) * step

    def soft(self, name: str) -> Any:
        """h(v) of AdaRound."""
        v = torch.sigmoid(self.variables[f"weight/{name}"])
        return (v * (STRETCH_HIGH - STRETCH_LOW) + STRETCH_LOW).clamp(0, 1)

    def loss(self, inputs: Mapping[str, Any], target: Any, step: int, keep: Keep | None) -> Any:
        """The error of the block's output and the penalty of undecided weights."""
        values = {name: self.store(name, x, keep) for name, x in inputs.items()}
        for node in self.block.nodes:
            made = self.operate(node, [values[name] for name in node.inputs])
            inner = node.name != self.block.output
            values[node.name] = self.store(node.name, made, keep) if inner else made
        difference = values[self.block.output] - target
        error = (difference * difference).sum() / (difference.numel() / difference.shape[1])
        return error + self.penalty(step)

    def penalty(self, step: int) -> Any:
        """The regulariser of AdaRound."""
        beta = regularizer_beta(step, self.settings.iterations)
        if beta is None or not self.rounding:
            return 0.0
        total = sum((1 - (2 * self.soft(n) - 1).abs() ** beta).sum() for n in self.rounding)
        return self.settings.regularization * total

    def store(self, name: str, x: Any, keep: Keep | None) -> Any:
        """The tensor as readers get it."""
        scale = self.variables.get(f"scale/{name}")
        if scale is None or name in self.network.read_in_windows():
            return x
        kept = torch.ones_like(x, dtype=torch.bool) if keep is None else keep(tuple(x.shape))
        nearest: Any = Nearest.apply  # without types in torch
        return nearest(x, scale, self.ends(name), kept)

    def ends(self, name: str) -> tuple[int, int]:
        """The codes of a tensor in steps."""
        tensor = self.network.tensors[name]
        return -tensor.zero_point, tensor.qmax - tensor.zero_point

    def operate(self, node: Node, inputs: list[Any]) -> Any:
        """What a node makes."""
        if node.op == "relu":
            return functional.relu(inputs[0])
        if node.op == "add":
            return inputs[0] + inputs[1]
        assert node.op == "conv2d", node.op
        a, bias = node.attributes, self.fixed[f"{node.name}.bias"]
        where = {"stride": a.get("stride", 1), "padding": a.get("padding", 0)}
        if node.name not in self.network.windows:
            return functional.conv2d(inputs[0], self.weight(node.name), bias, **where)
        return self.in_windows(node, inputs[0], bias, where)

    def in_windows(self, node: Node, x: Any, bias: Any, where: dict[str, Any]) -> Any:
        """A convolution that rounds its columns at their borders."""
        source, weight = self.network.source(node.inputs[0]), self.weight(node.name)
        assert source is not None
        scale, ends = self.variables[f"scale/{source}"], self.ends(source)
        columns = functional.unfold(x, weight.shape[2:], **where)
        tau = (columns.detach() / scale.detach()).clamp(*ends) / max(-ends[0], ends[1])
        p = _polynomial(tau, self.variables[f"window/{node.name}"])
        fusion = self.variables.get(f"fusion/{node.name}")
        if fusion is not None:
            shape = (len(x), x.shape[1], -1, p.shape[2])
            share = _polynomial(tau, fusion).reshape(shape).mean(dim=2, keepdim=True)
            p = (p.reshape(shape) + share).reshape(p.shape)
        border = torch.sigmoid(4 * p).clamp(min=BORDER_MIN)
        at_border: Any = AtBorder.apply
        rounded = at_border(columns, scale, border, ends)
        out = weight.reshape(len(weight), -1) @ rounded + bias[:, None]
        size = self.network.graph.shapes[node.name][1:]
        return out.reshape(len(x), len(weight), *size)

    def step(self, loss: Any, step: int) -> None:
        """One step of Adam with the rates of `Learner.step`."""
        self.optimizer.zero_grad()
        loss.backward()
        factor = cosine(step, self.settings.iterations)
        for group in self.optimizer.param_groups:
            name = group["name"]
            rate = float(np.max(self.learner._rates[name]))
            group["lr"] = rate if name.startswith("weight/") else rate * factor
        self.optimizer.step()


def iterations(block: TorchBlock, exact: Any, quantized: Any, target: Any) -> None:
    """As `reconstruction.learn`: the block's iterations on tensors of the calibration images."""
    settings, (name,) = block.settings, block.block.inputs
    for step in range(settings.iterations):
        chosen = torch.randint(len(target), (settings.batch,)).sort().values
        x, keep = quantized[chosen], None
        if settings.dropping:
            x = torch.where(torch.rand(x.shape) < 0.5, x, exact[chosen])

            def keep(shape: tuple[int, ...]) -> Any:
                return torch.rand(shape) < 0.5

        block.step(block.loss({name: x}, target[chosen], step, keep), step)
