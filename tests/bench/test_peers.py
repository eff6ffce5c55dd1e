"""The peers compute what we compute; each is skipped where it is not installed."""

from __future__ import annotations

import numpy as np
import pytest
from autograd import value_and_grad

from aquant_ref.ptq.reconstruction import _objective, coin_flips
from tests.bench import engine, learning
from tests.bench.peers.int8 import Int8Network


@pytest.mark.parametrize("peer", ["litert", "onnxruntime", "onnx_reference"])
def test_a_peer_computes_the_same_network(peer: str) -> None:
    """All of its answers are those of the float network, whose 8-bit form it is.

    The logits of LiteRT are codes, which are clipped to the range of the calibration images.
    """
    module = {"litert": "ai_edge_litert", "onnxruntime": "onnxruntime", "onnx_reference": "onnx"}
    pytest.importorskip(module[peer], reason=f"{module[peer]} is not installed: extra bench")
    given = engine.inputs()
    codes = given.test.batch(np.arange(16))
    network = Int8Network(given, given.calibration[:64])
    run = getattr(engine, peer)(network, codes)
    assert not isinstance(run, str), run
    wanted = given.graph.run(given.parameters, given.graph.to_float(codes))
    made = np.asarray(run(), float)
    if peer == "litert":
        logits = network.ranges[given.graph.output]
        made = logits.scale * (made + 128 - logits.zero_point)
        wanted = wanted.clip(*logits.scale * (np.array([0, 255]) - logits.zero_point))
    assert made.shape == wanted.shape
    assert (made.argmax(axis=1) == wanted.argmax(axis=1)).all()
    assert abs(made - wanted).max() < 0.02 * np.ptp(wanted)


@pytest.mark.parametrize("name", learning.CONFIGS)
def test_torch_computes_the_same_loss_and_gradients(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from tests.bench.peers.torch_block import TorchBlock

    given = learning.setting(name)
    learner, (read,) = given.learner(), given.block.inputs
    rng = np.random.default_rng(1)
    for key, value in learner.variables.items():
        if key.startswith(("window/", "fusion/")):
            learner.variables[key] = rng.normal(0, 0.2, value.shape).astype(np.float32)
    x, target = given.cache.quantized[read][:8], given.target[:8]
    step = learning.ITERATIONS - 5  # where the regulariser acts
    ours = value_and_grad(_objective)(
        learner.variables, learner, {read: x}, target, step, np.random.default_rng(5)
    )
    again = np.random.default_rng(5)
    block = TorchBlock(learner)
    keep = (lambda s: torch.from_numpy(coin_flips(again, s))) if name == "qdrop" else None
    loss = block.loss({read: torch.tensor(x)}, torch.tensor(target), step, keep)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(ours[0]), rel=1e-5)
    for key, gradient in ours[1].items():
        wanted = np.asarray(gradient)
        made = block.variables[key].grad.numpy()
        assert abs(made - wanted).max() <= 1e-4 * abs(wanted).max(), key
    assert learning.theirs(given) is not None
