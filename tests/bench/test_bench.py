"""The benchmarks measure what they say; nothing here is timed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autograd import value_and_grad

from aquant_ref.ptq.reconstruction import _objective, coin_flips
from aquant_ref.threads import set_threads
from tests.bench import command, engine, growth, learning
from tests.bench.peers.int8 import Int8Network
from tests.bench.rows import FASTER, TIME, Goal, Row, compared, markdown

CLONE = Path(__file__).resolve().parents[2]
RESULTS = CLONE / "tests" / "bench" / "results"
README = (CLONE / "README.md").read_text(encoding="utf-8")


def test_the_table_of_the_readme_is_that_of_the_stored_rows() -> None:
    content = json.loads((RESULTS / "bench.json").read_text(encoding="utf-8"))
    assert markdown(content["rows"]) in README
    assert f"{content['rounds']} rounds" in README
    assert content["processor"] in README
    for name, value in content["versions"].items():
        assert f"{name} {value}" in README or name in ("aquant_ref", "pillow", "scipy", "machine")
    assert {row["name"] for row in content["rows"]} == set(command.BENCHMARKS)


def test_the_exponents_of_the_readme_are_those_of_the_stored_points() -> None:
    found = json.loads((RESULTS / "growth.json").read_text(encoding="utf-8"))
    for name, fitted in growth.exponents(found).items():
        cells = " | ".join(f"{value:.2f}" for value in fitted.values())
        assert f"| [{name}](tests/bench/results/{name}.png) | {cells} |" in README
        assert (RESULTS / f"{name}.png").exists()


def test_an_exponent_is_that_of_the_power_law() -> None:
    x = [1.0, 2.0, 4.0, 9.0]
    assert growth.exponent(x, [3 * v**1.5 for v in x]) == pytest.approx(1.5)


class Clock:
    """Each program takes as long as it says."""

    def __init__(self) -> None:
        self.now, self.order = 0.0, list[str]()

    def program(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.order.append(name)
            self.now += seconds

        return run


def test_ours_and_the_peers_alternate_and_ratios_are_the_right_way_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    real = command.engine.compared.__globals__["alternately"]
    monkeypatch.setattr(
        "tests.bench.rows.alternately",
        lambda *a, **o: real(*a, **o, clock=lambda: clock.now),
    )
    peers: dict[str, tuple[Goal, Any]] = {
        "slow": (Goal(3, 1, FASTER), clock.program("slow", 4.0)),
        "quick": (Goal(1.5, 1.9, TIME), clock.program("quick", 1.0)),
        "absent": (Goal(1, 1, TIME), "is not installed"),
    }
    rows = compared("name", "work", clock.program("ours", 2.0), peers, rounds=3)
    slow, quick, absent = (row.result() for row in rows)
    assert (slow["ratio"], slow["ok"], slow["aim_reached"]) == (2.0, True, False)
    assert (quick["ratio"], quick["ok"], quick["aim_reached"]) == (2.0, False, False)
    assert (absent["ratio"], absent["ok"], absent["note"]) == (None, None, "is not installed")
    assert clock.order[3:9] == ["ours", "slow", "quick", "quick", "slow", "ours"]
    lines = markdown([slow, quick, absent]).splitlines()
    assert lines[2] == "| work | slow | 2 x as fast | 2 .. 2 | 3 | 1 | least |"
    assert lines[3] == "| work | quick | 2 x the time | 2 .. 2 | 1.5 | 1.9 | no |"
    assert lines[4] == "| work | absent | is not installed |  | 1 | 1 | not measured |"


def test_a_goal_is_a_limit_on_the_right_side() -> None:
    assert Goal(10, 5, FASTER).reached(5, 5)
    assert not Goal(10, 5, FASTER).reached(4.9, 5)
    assert Goal(1, 2, "GB").reached(2, 2)
    assert not Goal(1, 2, "GB").reached(2.1, 2)
    assert Row("n", "w", "-", Goal(None, None, "s"), 1.0, (1.0, 1.0)).result()["ok"] is None


def test_bad_arguments_are_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for given, message in (
        (["--only", "magic"], "--only: no 'magic'; there are engine"),
        (["--rounds", "0"], "--rounds: needs at least 1, got 0"),
        (["--json", str(tmp_path)], "is a directory, not a file"),
    ):
        assert command.main(given) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("peer", ["litert", "onnxruntime", "onnx_reference"])
def test_a_peer_computes_the_same_network(peer: str) -> None:
    """All of its answers are those of the float network, whose 8-bit form it is."""
    module = {"litert": "ai_edge_litert", "onnxruntime": "onnxruntime", "onnx_reference": "onnx"}
    pytest.importorskip(module[peer], reason=f"{module[peer]} is not installed: extra bench")
    given = engine.inputs()
    codes = given.test.batch(np.arange(16))
    run = getattr(engine, peer)(Int8Network(given, given.calibration[:64]), codes)
    assert not isinstance(run, str), run
    wanted = given.graph.run(given.parameters, given.graph.to_float(codes))
    made = np.asarray(run())
    assert made.shape == wanted.shape
    assert (made.argmax(axis=1) == wanted.argmax(axis=1)).all()
    assert np.corrcoef(made.ravel(), wanted.ravel())[0, 1] > 0.999


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


def test_a_growth_point_measures_a_whole_run() -> None:
    found = growth.point(images=32, width=4, depth=2, bits=2, iterations=2)
    set_threads(None)
    assert set(found) == set(growth.MEASURES)
    assert min(found["learn"], found["run"]) > 0
