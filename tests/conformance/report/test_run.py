from __future__ import annotations

import platform
from datetime import datetime, timedelta, timezone

import numpy as np

import aquant_ref
from aquant_ref.conformance import vectors
from aquant_ref.conformance.report.run import described


def test_a_run_has_date_command_seed_and_versions() -> None:
    run = described("aquant-ref verify", 7)
    made = datetime.strptime(run["date"], "%Y-%m-%d %H:%M UTC").replace(tzinfo=timezone.utc)
    assert timedelta(0) <= datetime.now(timezone.utc) - made < timedelta(minutes=2)
    assert run["command"] == "aquant-ref verify"
    assert run["seed"] == "7"
    assert run["vectors"] == vectors.VERSION
    assert run["aquant_ref"] == aquant_ref.__version__
    assert run["numpy"] == np.__version__
    assert run["python"] == platform.python_version()
    assert platform.machine() in run["machine"]
