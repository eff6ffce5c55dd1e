from __future__ import annotations

import json

from aquant_ref.claims.overhead import FORMS, overhead
from aquant_ref.claims.tables import of_overhead
from aquant_ref.ptq.methods import Config
from tests.claims import networks


def test_every_form_is_counted_and_timed_and_those_that_lower_in_the_engine_too() -> None:
    found = overhead(networks.inputs(), Config("aquant", 2, 2, 5, batch=4), rounds=1)
    assert list(found["forms"]) == list(FORMS)
    assert found["forms"]["channel"]["border"] == "quadratic/sigmoid/channel/off"
    assert set(found["times_without"]) == {"polynomial", "simulation", "engine"}
    assert "engine" in found["forms"]["channel"]["times"]
    for form in FORMS:
        own = found["forms"][form]
        assert own["parameters"] > 0
        assert own["times"]["simulation"]["seconds"] > 0
    json.dumps(found, allow_nan=False)
    table = of_overhead(found).splitlines()
    assert sum(line.startswith("row/window") for line in table) == 2
