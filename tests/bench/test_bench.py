"""The benchmarks measure what they say; nothing here is timed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.cli.main import parser
from aquant_ref.experiments.inputs import Inputs
from aquant_ref.threads import set_threads
from tests.bench import command, engine, growth, jobs, processes
from tests.bench.conditions import conditions
from tests.bench.rows import FASTER, TIME, Goal, Row, compared, markdown, of_values

CLONE = Path(__file__).resolve().parents[2]
RESULTS = CLONE / "tests" / "bench" / "results"
PAGE = (CLONE / "tests" / "bench" / "README.md").read_text(encoding="utf-8")
needs_wait4 = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts no memory of processes")


def stored(name: str) -> dict[str, Any]:
    """A committed file of results."""
    content: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return content


def test_the_table_of_the_page_is_that_of_the_stored_rows() -> None:
    content = stored("bench.json")
    assert f"\n\n{markdown(content['rows'])}\n\n" in PAGE
    assert f"{content['cores']} cores of an {content['processor']}" in PAGE
    for name, value in content["versions"].items():
        assert f"{name} {value}" in PAGE or name in ("aquant_ref", "pillow", "scipy", "machine")
    assert {row["name"] for row in content["rows"]} == set(command.BENCHMARKS)
    assert all(row["note"] for row in content["rows"] if row["ratio"] is None)


def test_the_exponents_of_the_page_are_those_of_the_stored_points() -> None:
    content = stored(growth.FILE)
    assert f"\n\n{growth.markdown(content)}\n\n" in PAGE
    assert content["base"] == asdict(growth.BASE)
    assert list(content["growth"]) == list(growth.GROWING)
    for name, points in content["growth"].items():
        sizes = points["sizes"]
        assert tuple(sizes) == growth.GROWING[name]
        for key, fitted in points["exponents"].items():
            assert fitted == pytest.approx(growth.exponent(sizes, points[key]))
            last = growth.exponent(sizes[-2:], points[key][-2:])
            assert points["last"][key] == pytest.approx(last)
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
    assert lines[2] == "| work | slow | 2 x as fast | 2 .. 2 | 3 | 3 | 1 | least |"
    assert lines[3] == "| work | quick | 2 x the time | 2 .. 2 | 3 | 1.5 | 1.9 | no |"
    assert lines[4] == "| work | absent | is not installed |  |  | 1 | 1 | not measured |"


def test_a_row_says_which_package_is_missing() -> None:
    try:
        import_module("no_such_package.inside")
    except ImportError as error:
        said = engine.missing(error)
    assert said == "no-such-package is not installed: pip install '.[bench]'"


def test_a_goal_is_a_limit_on_the_right_side() -> None:
    assert Goal(10, 5, FASTER).reached(5, 5)
    assert not Goal(10, 5, FASTER).reached(4.9, 5)
    assert Goal(1, 2, "GB").reached(2, 2)
    assert not Goal(1, 2, "GB").reached(2.1, 2)
    assert Row("n", "w", "-", Goal(None, None, "s"), 1.0, (1.0, 1.0)).result()["ok"] is None


def test_a_row_without_a_peer_is_the_median_of_its_rounds() -> None:
    row = of_values("job", "work", Goal(1, 2, "s"), [3.0, 1.0, 1.5]).result()
    assert (row["ratio"], row["spread"], row["ok"], row["aim_reached"]) == (
        1.5,
        [1, 3],
        True,
        False,
    )
    assert markdown([row]).splitlines()[2] == "| work | - | 1.5 s | 1 .. 3 | 3 | 1 | 2 | least |"


def test_bad_arguments_are_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for given, message in (
        (["--only", "magic"], "--only: no 'magic'; there are engine"),
        (["--only", "job", "--growth", str(tmp_path)], "--only: no 'job'; there are images"),
        (["--rounds", "0"], "--rounds: needs at least 1, got 0"),
        (["--json", str(tmp_path)], "is a directory, not a file"),
        (["--json", "a.json", "--growth", str(tmp_path)], "--json: --growth writes its own"),
    ):
        assert command.main(given) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1


def test_the_command_prints_and_writes_what_was_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"good": 1.0, "bad": 3.0}

    def benchmark(name: str) -> command.Benchmark:
        return lambda rounds, progress: [of_values(name, name, Goal(1, 2, "s"), [found[name]])]

    monkeypatch.setattr(command, "BENCHMARKS", {name: benchmark(name) for name in found})
    path = tmp_path / "rows.json"
    assert command.main(["--only", "good", "--rounds", "2", "--json", str(path)]) == 0
    assert "| good | - | 1 s | 1 .. 1 | 1 | 1 | 2 | aim |" in capsys.readouterr().out
    content = json.loads(path.read_text(encoding="utf-8"))
    assert [row["ratio"] for row in content["rows"]] == [1.0]
    assert content["versions"]["numpy"] == np.__version__
    found["good"] = 2.0
    assert command.main(["--json", str(path)]) == 1  # one of them is too slow
    found["bad"] = 1.5
    assert command.main(["--only", "bad", "--json", str(path)]) == 0  # the other row stays
    content = json.loads(path.read_text(encoding="utf-8"))
    assert [row["ratio"] for row in content["rows"]] == [2.0, 1.5]
    path.write_text(json.dumps({**content, "cores": 1000}), encoding="utf-8")
    capsys.readouterr()
    assert command.main(["--json", str(path)]) == 2
    assert "was measured otherwise (here cores " in capsys.readouterr().err
    for damaged, words in (
        ({"rows": 5}, "has no 'rows'"),
        ({"rows": ["a"]}, "holds a row without 'name'"),
        ({"rows": [{"name": ["good"]}]}, "whose 'name' is ['good']"),
        ({"rows": [{"name": "good"}]}, "holds a row without 'work'"),
    ):
        path.write_text(json.dumps({**content, **damaged}), encoding="utf-8")
        assert command.main(["--json", str(path)]) == 2
        assert words in capsys.readouterr().err
    later = {**content["rows"][0], "name": "later"}
    path.write_text(
        json.dumps({**content, "comment": "kept", "rows": [*content["rows"], later]}),
        encoding="utf-8",
    )
    assert command.main(["--only", "good,good", "--json", str(path)]) == 0
    assert capsys.readouterr().out.count("| good |") == 1
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert [row["name"] for row in kept["rows"]] == ["good", "bad", "later"]
    assert kept["comment"] == "kept"

    def interrupted(rounds: int, progress: Any) -> list[Row]:
        raise KeyboardInterrupt

    monkeypatch.setitem(command.BENCHMARKS, "bad", interrupted)
    assert command.main(["--json", str(path)]) == 130
    assert capsys.readouterr().err == "interrupted; what was finished is kept\n"
    assert len(json.loads(path.read_text(encoding="utf-8"))["rows"]) == 3
    monkeypatch.undo()
    assert command.main(["--list"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in f"\n{out}" for name in command.BENCHMARKS)


def test_conditions_say_where_blas_is_held_to_another_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half as fast, it can be, where the one that it would choose has wider vectors."""
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    free = conditions()["versions"]["BLAS"]
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert conditions()["versions"]["BLAS"] == f"{free} held to Haswell"


@needs_wait4
def test_a_process_is_measured() -> None:
    used = processes.python(["-c", "print(len(bytearray(300 << 20)))"])
    assert used.output.strip() == str(300 << 20)
    assert 300 << 20 < used.peak < 600 << 20
    with pytest.raises(RuntimeError, match=r"(?s)ended with 1: .*ZeroDivisionError"):
        processes.python(["-c", "1/0"])


def test_the_large_job_has_what_its_command_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "IMAGES", 3)
    monkeypatch.setattr(jobs, "TEST_IMAGES", 2)
    monkeypatch.setattr(jobs, "CLASSES", 2)
    args = parser().parse_args(jobs.large_job(tmp_path))
    given = Inputs.load(args.model, args.data, images=args.images, seed=0, weights=args.weights)
    assert given.calibration.shape == (3, 3, 224, 224)
    assert len(given.test) == 2
    assert given.graph.shapes[given.graph.output] == (jobs.CLASSES,)


def test_the_base_of_the_growth_is_resnet8() -> None:
    ours, wanted = growth.network(16, 1), engine.inputs().graph
    assert list(ours.parameter_shapes.values()) == list(wanted.parameter_shapes.values())
    deeper, wider = growth.network(16, 3), growth.network(32, 1)
    assert len(deeper.blocks()) == len(wanted.blocks()) + 6
    assert sum(map(prod, wider.parameter_shapes.values())) > 3.5 * sum(
        map(prod, ours.parameter_shapes.values())
    )


def test_a_growth_point_measures_a_whole_run() -> None:
    found = growth.once(growth.Size(images=32, width=2, iterations=1))
    set_threads(None)
    assert found.keys() == growth.LABELS.keys() - {"peak"}
    assert min(found.values()) > 0


@needs_wait4
def test_growth_is_written_with_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    asked = []

    def point(size: growth.Size) -> dict[str, float]:
        asked.append(size.bits)
        return {"quantize": size.bits**0.5, "engine": 2.0, "peak": size.bits / (1 + len(asked))}

    monkeypatch.setattr(growth, "point", point)
    options = ["--growth", str(tmp_path), "--rounds", "2"]
    assert command.main([*options, "--only", "bits"]) == 0
    assert f"[bits]({tmp_path}/bits.png) 2 to 8" in capsys.readouterr().out
    assert asked == [2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2]  # up, and down again
    found = json.loads((tmp_path / growth.FILE).read_text(encoding="utf-8"))
    points = found["growth"]["bits"]
    assert points["exponents"]["quantize"] == pytest.approx(0.5)
    assert points["last"]["engine"] == pytest.approx(0, abs=1e-9)
    assert points["peak"][0] == 2 / 15  # the least of both rounds
    assert (tmp_path / "bits.png").read_bytes().startswith(b"\x89PNG")
    assert command.main([*options, "--only", "depth"]) == 0
    both = json.loads((tmp_path / growth.FILE).read_text(encoding="utf-8"))
    assert list(both["growth"]) == ["depth", "bits"]
    assert both["growth"]["bits"] == points  # stays
    capsys.readouterr()
    assert command.main(["--growth", str(tmp_path), "--rounds", "3"]) == 2
    assert "was measured otherwise (here rounds 3, there 2)" in capsys.readouterr().err
    assert command.main(["--json", str(tmp_path / growth.FILE)]) == 2
    assert "has no 'rows'" in capsys.readouterr().err
    damaged = {**both, "growth": {**both["growth"], "bits": {**points, "sizes": ["2", "8"]}}}
    (tmp_path / growth.FILE).write_text(json.dumps(damaged), encoding="utf-8")
    assert command.main([*options, "--only", "depth"]) == 2
    assert f"{growth.FILE}: has no 'growth'" in capsys.readouterr().err
