"""Define layers in numpy with their derivatives, the graph that joins them, and training."""

from __future__ import annotations

from aquant_ref.nn.conv import conv2d, linear
from aquant_ref.nn.elementwise import (
    add,
    concat,
    flatten,
    leaky_relu,
    mul,
    relu,
    relu6,
    softmax,
    softmax_cross_entropy,
)
from aquant_ref.nn.fold import fold, fold_batch_norm
from aquant_ref.nn.graph import INPUT, Block, Builder, Graph
from aquant_ref.nn.network import Network
from aquant_ref.nn.norm import batch_norm
from aquant_ref.nn.operations import Node
from aquant_ref.nn.pool import avg_pool, global_avg_pool, max_pool

__all__ = [
    "INPUT",
    "Block",
    "Builder",
    "Graph",
    "Network",
    "Node",
    "add",
    "avg_pool",
    "batch_norm",
    "concat",
    "conv2d",
    "flatten",
    "fold",
    "fold_batch_norm",
    "global_avg_pool",
    "leaky_relu",
    "linear",
    "max_pool",
    "mul",
    "relu",
    "relu6",
    "softmax",
    "softmax_cross_entropy",
]
