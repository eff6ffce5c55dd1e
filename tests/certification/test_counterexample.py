"""Certificates against what a float32 simulation really does, and inputs that show it erring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.certification.certificate import Margins, certify, margins
from aquant_ref.certification.counterexample import Witnesses
from aquant_ref.certification.extremes import Reach
from aquant_ref.certification.linear_form import Code
from aquant_ref.comparison.blame import Judge
from aquant_ref.engine import Engine
from aquant_ref.lowering import Lowering
from aquant_ref.model.quantized_model import QuantizedModel
from aquant_ref.simulate import Simulation
from tests.certification.test_certificate import tied_network
from tests.engine import graphs, networks
from tests.engine.test_engine import options

plain = options.map(lambda choice: {**choice, "windows": ""})


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), choice=options)
def test_every_float32_mismatch_lies_at_a_threshold_that_was_named_fragile(
    seed: int, choice: dict[str, Any]
) -> None:
    """Each layer from the simulation's own codes, so that nothing propagates."""
    check_mismatches(networks.residual_network(seed, **choice), seed)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_every_float32_mismatch_in_random_graphs_was_named_fragile(seed: int) -> None:
    """All operations, codes signed and unsigned of up to 16 bits."""
    check_mismatches(graphs.random_model(seed), seed)


def check_mismatches(model: QuantizedModel, seed: int) -> None:
    images = networks.hard_images(model, 12, seed)
    simulated = Simulation(model, dtype=np.float32).run(images)
    for verdict in Judge(Lowering(model), dtype=np.float32).judge(simulated):
        assert verdict.why == ""
        if verdict.divergence is not None:
            assert verdict.divergence.fragile == verdict.divergence.mismatches


def test_a_network_of_ties_does_differ_in_float32_and_each_time_where_it_may() -> None:
    model = networks.tied_network(3)
    simulated = Simulation(model, dtype=np.float32).run(networks.hard_images(model, 60))
    verdicts = Judge(Lowering(model), dtype=np.float32).judge(simulated)
    found = next(each.divergence for each in verdicts if each.name == "body.relu1")
    assert found is not None
    assert found.ties is not None
    # how many depends on the order in which BLAS adds
    assert found.mismatches == found.fragile == found.ties > 5
    assert [guess.defect for guess in found.guesses] == ["rounding of floats", "ties"]


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), choice=plain)
def test_a_certified_decision_is_the_same_in_float32_at_the_accumulators_around_it(
    seed: int, choice: dict[str, Any]
) -> None:
    """And at the codes of the worst case, where the rounding errors are largest."""
    check_certified(networks.residual_network(seed, **choice), seed)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_a_certified_decision_in_a_random_graph_is_the_same_in_float32(seed: int) -> None:
    check_certified(graphs.random_model(seed), seed)


def check_certified(model: QuantizedModel, seed: int) -> None:
    lowering, rng = Lowering(model), np.random.default_rng(seed)
    reach, engine = Reach(lowering.program), Engine(lowering.program)
    simulation, found = Simulation(model, dtype=np.float32), margins(lowering, dtype=np.float32)
    for decisions in lowering.decisions:
        margin, accumulator = found[decisions.name], decisions.accumulator.name
        if not graphs.is_sum(lowering.program, accumulator):
            continue
        channel = int(rng.integers(len(decisions.exact)))
        index, terms = reach.worst_case(accumulator, channel)
        choices = [*terms.ends()]
        for k in rng.permutation(len(decisions.exact[channel]))[:4].tolist():
            for value in terms.near(decisions.exact[channel][k], rng):
                choices += terms.reaching(value, rng, tries=8)
        given_codes = reach.tensors(accumulator, choices)
        integers = engine.compute(decisions.name, given_codes)
        simulated = simulation.compute(decisions.name, given_codes)
        assert margin.explain(integers, simulated).all()


def test_a_tie_has_a_witness_in_float32() -> None:
    """The accumulator lies on the threshold; scales that float32 has not decide at random."""
    lowering = Lowering(tied_network())
    witnesses = Witnesses(lowering, dtype=np.float32)
    search = witnesses.find("stem.relu")
    witness = search.witness
    assert witness is not None
    assert search.tries > 0
    assert witness.threshold == witness.accumulator
    assert abs(witness.integers - witness.simulated) == 1


RESIDUAL = networks.residual_network(2, weight_bits=8, act_bits=8, size=(5, 5))


@pytest.mark.parametrize(
    ("model", "least"),
    [(RESIDUAL, 2), (networks.with_signs(RESIDUAL), 2), (graphs.random_model(22), 1)],
    ids=["unsigned", "signed", "a random graph"],
)
def test_a_witness_is_one_for_whoever_runs_the_layer_on_it(
    model: QuantizedModel, least: int
) -> None:
    """Spec: AQ-LOWER-11."""
    lowering = Lowering(model)
    witnesses = Witnesses(lowering, dtype=np.float32)
    found = 0
    for certificate in certify(lowering, dtype=np.float32):
        witness = witnesses.find(certificate.name).witness
        if witness is None:
            continue
        found += 1
        codes = {Code(read, index): code for read, index, code in witness.codes}
        given_codes = Reach(lowering.program).tensors(certificate.accumulator, [codes])
        place = (0, *witness.index)
        engine, simulation = Engine(lowering.program), Simulation(model, dtype=np.float32)
        assert engine.compute(certificate.accumulator, given_codes)[place] == witness.accumulator
        assert engine.compute(certificate.name, given_codes)[place] == witness.integers
        assert simulation.compute(certificate.name, given_codes)[place] == witness.simulated
        assert witness.integers != witness.simulated
    assert found >= least


def test_a_search_is_the_same_each_time() -> None:
    lowering = Lowering(networks.residual_network(2, weight_bits=4, act_bits=4))
    one, two = (Witnesses(lowering, dtype=np.float32).find("body.relu2") for _ in range(2))
    assert one == two


def test_where_nothing_is_fragile_there_is_nothing_to_try() -> None:
    lowering = Lowering(networks.residual_network(11))
    assert all(each.certified for each in certify(lowering))
    witnesses = Witnesses(lowering, dtype=np.float64)
    for each in certify(lowering):
        search = witnesses.find(each.name)
        assert (search.tries, search.witness) == (0, None)


def test_a_fused_border_has_no_terms_and_is_not_searched() -> None:
    lowering = Lowering(networks.residual_network(5, windows="fused"))
    with pytest.raises(NotImplementedError, match="fused_conv2d"):
        Witnesses(lowering, dtype=np.float32).find("body.relu2")


def test_a_layer_is_simulated_alone_as_in_the_whole_run() -> None:
    bordered = (
        networks.residual_network(4, pool=True, signed=True, windows=windows)
        for windows in ("", "row", "fused", "feedback")
    )
    for model in (*bordered, *map(graphs.random_model, range(20))):
        images = networks.hard_images(model, 6)
        engine, simulation = Engine(Lowering(model).program), Simulation(model)
        run = {"image": images, **engine.run(images)}
        for name in engine.program.recorded:
            given_codes = {read: run[read] for read in engine.program.sources(name)}
            for alone in (engine, simulation):
                assert alone.compute(name, given_codes).tolist() == run[name].tolist()


def explained(fragile: list[bool], integers: int, simulated: int, least: int = 0) -> bool:
    distance = np.where([fragile], 0.0, 1.0)
    margin = Margins(distance, np.array([0.5]), least)
    return bool(margin.explain(*(np.array([[code]]) for code in (integers, simulated))).all())


def test_a_step_is_explained_only_if_each_threshold_that_it_passes_is_fragile() -> None:
    assert explained([False, True, False], 1, 2)
    assert explained([False, True, False], 2, 1)
    assert explained([True, True, False], 0, 2)
    assert explained([False, False, False], 2, 2)
    assert not explained([False, True, False], 0, 1)
    assert not explained([False, True, False], 1, 3)
    assert not explained([True, True, True], 3, 4)  # there is no code 4
    assert not explained([True, True, True], 0, -1)
    assert explained([False, True, False], -1, 0, least=-2)
    assert not explained([False, True, False], 1, 0, least=-2)
    assert not explained([True, True, True], -2, -3, least=-2)


@pytest.mark.parametrize(
    ("error", "off", "holds"), [(0.4, 1, False), (0.7, 1, True), (0.7, 2, False)]
)
def test_a_logit_is_explained_by_its_error(error: float, off: int, holds: bool) -> None:
    margin = Margins(np.full((1, 1), 0.5), np.array([error]), logits=True)
    integers = np.array([[1000]])
    assert margin.explain(integers, integers).all()
    assert bool(margin.explain(integers, integers - off).all()) == holds


def test_margins_name_as_many_fragile_thresholds_as_the_certificate_counts() -> None:
    lowering = Lowering(tied_network())
    for dtype in (np.float32, np.float64):
        found = margins(lowering, dtype=dtype)
        for certificate in certify(lowering, dtype=dtype):
            margin = found[certificate.name]
            assert margin.fragile.sum() == certificate.fragile
            assert certificate.certified == (not margin.fragile.any())
            assert margin.distance.min() == certificate.margin
