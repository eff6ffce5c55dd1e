from __future__ import annotations

from typing import Any

import pytest

from aquant_ref.cli import arguments, commands
from aquant_ref.experiments import artifacts
from aquant_ref.ptq import Config


def given(*words: str) -> Any:
    return arguments.parser(commands.COMMANDS).parse_args(words)


def test_every_command_is_a_function_of_its_name() -> None:
    for name, command in commands.COMMANDS.items():
        assert command.__name__ == name.replace("-", "_")
        assert command.__doc__
        with pytest.raises(SystemExit):
            given(name, "--help")


def test_an_experiment_is_what_the_options_say() -> None:
    args = given("quantize", "--model", "mobilenet", "--images", "64", "--weights", "w.npz")
    made = commands.experiment(args, Config("rtn"))
    assert (made.model, made.data, made.images, made.weights) == (
        "mobilenet",
        args.data,
        64,
        "w.npz",
    )
    assert commands.experiment(args, Config("rtn"), images=32).images == 32


def test_a_progress_bar_gives_every_step_and_shows_nothing_where_nobody_looks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(commands.progress(range(3), "time")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ((), {}),
        (("--seed", "2"), {"seeds": 2}),
        (("--weight-bits", "3"), {"bits": "W3A2"}),
        (("--act-bits", "4", "--iters", "5"), {"bits": "W2A4", "iters": 5}),
        (("--debug", "--threads", "1"), {}),  # which change no row
    ],
)
def test_options_of_a_claim_that_differ_from_their_defaults_are_those_of_its_table(
    words: tuple[str, ...], options: dict[str, Any]
) -> None:
    assert commands._unlike_default(given("claim", "4", *words)) == options


def test_a_run_that_differs_from_its_simulation_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Found:
        def __init__(self, exact: bool) -> None:
            self.agreement, self.result = self, {"exact": exact}
            self.exact = exact

    for exact in (True, False):
        monkeypatch.setattr(artifacts, "rerun", lambda *_, exact=exact, **__: Found(exact))
        assert commands.run(given("run", "out", "--json")) == (not exact)
        assert f'"exact": {"true" if exact else "false"}' in capsys.readouterr().out


def test_one_model_or_all_are_shown_with_their_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.models(given("models", "resnet8")) == 0
    one = capsys.readouterr().out
    assert one.startswith("resnet8: ")
    assert commands.models(given("models")) == 0
    assert one in capsys.readouterr().out
