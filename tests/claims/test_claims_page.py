"""The page of the claims has each of them, and the counts of the borders' cost."""

from __future__ import annotations

import re

import numpy as np
import pytest

import reference_models
from aquant_ref.claims import CLAIMS, TABLES
from aquant_ref.claims.costs import border_cost, network_cost
from aquant_ref.nn import fold_batch_norm
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.network import LearnedNetwork
from aquant_ref.ptq.pipeline import learn, observe
from tests.pages import CLONE, cells, text

PAGE = text(CLONE / "aquant_ref" / "claims" / "README.md")
ROWS = {int(line[2]): cells(line) for line in re.findall(r"^\| \d [A-Z].*$", PAGE, re.MULTILINE)}


def with_borders(config: Config) -> LearnedNetwork:
    """ResNet-8 with the borders of `config`, learned from one image: their cost is the same."""
    model = reference_models.get("resnet8")
    trained, weights, _ = model.load(model.weights_path("shapes"))
    graph, weights = fold_batch_norm(trained, weights)
    images = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    network = observe(graph, weights, images, config)
    learn(network, images, config)
    return network


def test_every_claim_has_its_row() -> None:
    assert sorted(ROWS) == sorted({*CLAIMS, *TABLES})


@pytest.mark.parametrize("number", sorted(CLAIMS))
def test_a_claim_with_a_command_names_it(number: int) -> None:
    assert f"`aquant-ref claim {number}" in ROWS[number][1]


@pytest.mark.parametrize("form", ["", "row", "row/window"])
def test_the_counted_cost_of_a_border_is_that_of_resnet8(form: str) -> None:
    config = Config("aquant", 2, 2, 1, batch=1, border=form)
    network = with_borders(config)
    added, all_of_it = border_cost(network, config.form), network_cost(network)
    parameters = 100 * added.parameters / all_of_it.parameters
    operations = 100 * (added.multiply_adds + added.adds) / all_of_it.multiply_adds
    sentence = {
        "": "{:.1f} % more parameters, {:.1f} % more multiply-adds as a polynomial",
        "row": "Does not hold for rows ({:.1f} %, {:.1f} %;",
        "row/window": "fused rows ({:.1f} %, {:.1f} %;",
    }[form]
    assert sentence.format(parameters, operations) in ROWS[5][2]
