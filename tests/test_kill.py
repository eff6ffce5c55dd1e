from __future__ import annotations

import pytest

from tests import kill


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table", "train"])
def test_a_command_that_is_killed_goes_on_where_it_was(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One kill of two of them; `python -m tests.kill` kills all of them 20 times."""
    assert kill.main(["--kills", "1", "--only", name]) == 0
    assert "1 kills, " in capsys.readouterr().out
