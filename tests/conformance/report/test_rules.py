from __future__ import annotations

import re

import pytest

from aquant_ref.conformance import contract
from aquant_ref.conformance.report.rules import linked, quoted, texts


def test_a_rule_is_quoted_whole() -> None:
    (quotation,) = quoted("rule AQ-PEER-2")
    assert quotation.startswith('<dt id="AQ-PEER-2">AQ-PEER-2</dt><dd><p><code>quantize</code> in')
    assert "clip(round(F(F(r)/F(s))) + z, qmin, qmax)" in quotation
    assert quotation.endswith("LiteRT&#x27;s reference kernel with half_away.</p></dd>")


def test_its_title_and_its_formula_are_marked() -> None:
    (quotation,) = quoted("AQ-ROUND-2")
    assert "<p><em>By a border B in (0, 1].</em></p>" in quotation
    assert "round_B(t) = floor(t - B) + 1, " in re.findall("<pre[^>]*>(.*)</pre>", quotation)[0]
    assert "0 is excluded [D], for" in quotation


def test_multiplication_is_not_taken_for_emphasis() -> None:
    (quotation,) = quoted("AQ-FIXED-3")
    assert "half_up(acc*2^max(e, 0)*m/2^31)" in quotation


def test_rules_are_quoted_once_in_the_order_of_the_specification() -> None:
    first, second = quoted("AQ-PEER-2, AQ-FIXED-2 and AQ-PEER-2")
    assert "AQ-FIXED-2" in first
    assert "AQ-PEER-2" in second


def test_only_rules_that_exist_are_linked_and_the_rest_is_escaped() -> None:
    text = linked("AQ-INT-4, AQ-NONE-1 <b>")
    assert text == '<a href="#AQ-INT-4">AQ-INT-4</a>, AQ-NONE-1 &lt;b&gt;'


@pytest.mark.parametrize("name", contract.OPERATIONS)
def test_every_rule_of_the_contract_can_be_quoted(name: str) -> None:
    operation = contract.get(name)
    for choice in operation.choices:
        assert set(contract.rules(operation, choice).split(", ")) <= texts().keys()
