"""The public names: one network from its definition to a reloaded program, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aquant_ref as aq

SHAPE = (1, 5, 4)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype(np.uint8)


@cache
def graph() -> Any:
    net = aq.Network(SHAPE)
    with net.block("stem"):
        x = net.relu(net.batch_norm(net.conv2d(net.input, 2, kernel=3, bias=False)))
    with net.block("head"):
        net.linear(net.flatten(net.global_avg_pool(x)), 3)
    return net.graph()


@cache
def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.uniform(0.5, 1, shape) for name, shape in graph().parameter_shapes.items()}


@cache
def folded() -> Any:
    return aq.fold(graph(), weights(), mean=[0.5], std=[0.25])


@cache
def model() -> aq.QuantizedModel:
    return aq.quantize(*folded(), IMAGES, bits="W3A5", method="rtn")


@cache
def program() -> aq.Program:
    return aq.lower(model())


# From a definition to a reloaded program


@pytest.mark.parametrize("lowering", ["threshold", "fixed_point"])
def test_a_reloaded_program_gives_the_logits_that_the_simulation_gives(
    lowering: str, tmp_path: Path
) -> None:
    made = aq.lower(model(), lowering)
    made.save(tmp_path / "p.npz")
    logits = aq.Program.load(tmp_path / "p.npz").run(IMAGES)
    assert logits.shape == (3, 3)
    assert logits.dtype.kind == "i"
    assert aq.compare(model(), made, IMAGES).exact
    np.testing.assert_array_equal(
        logits, aq.comparison.agreement.simulation_of(model(), made).run(IMAGES)[made.output]
    )


def test_a_batch_larger_than_one_pass_gives_each_image_its_logits() -> None:
    repeated = np.tile(IMAGES, (500, 1, 1, 1))
    np.testing.assert_array_equal(program().run(repeated), np.tile(program().run(IMAGES), (500, 1)))


def test_a_border_is_words_or_a_border_spec() -> None:
    spec = aq.BorderSpec(granularity="tensor", family="linear")
    settings: dict[str, Any] = {"iterations": 2, "batch": 2}
    by_spec = aq.quantize(*folded(), IMAGES, border=spec, **settings)
    by_words = aq.quantize(*folded(), IMAGES, border="tensor/linear", **settings)
    assert aq.lower(by_spec).run(IMAGES).tolist() == aq.lower(by_words).run(IMAGES).tolist()


@pytest.mark.parametrize("shape", [(1, 9, 4), (2, 4, 9), (3, 7, 7), (4, 6, 5)])
@pytest.mark.parametrize("method", ["rtn", "aquant"])
def test_images_of_any_channels_and_sides_are_quantized(
    shape: tuple[int, int, int], method: str
) -> None:
    net = aq.Network(shape)
    with net.block("stem"):
        x = net.relu(net.batch_norm(net.conv2d(net.input, 4, kernel=(3, 2), padding=1)))
    with net.block("body"):
        x = net.relu(net.conv2d(x, 4, kernel=1))
    with net.block("head"):
        net.linear(net.flatten(net.max_pool(x, kernel=2)), 3)
    rng = np.random.default_rng(2)
    shapes = net.graph().parameter_shapes
    drawn = {name: rng.uniform(0.1, 0.4, each) for name, each in shapes.items()}
    images = rng.integers(0, 256, (4, *shape)).astype(np.uint8)
    channels = np.linspace(0.2, 0.6, shape[0])
    own, values = aq.fold(net.graph(), drawn, mean=channels, std=channels)
    made = aq.quantize(own, values, images, method=method, iterations=2, batch=2)
    for lowering in ("threshold", "fixed_point"):
        assert aq.compare(made, aq.lower(made, lowering), images).exact


def test_labels_give_an_accuracy_and_an_array_gives_none() -> None:
    labels = program().run(IMAGES).argmax(axis=1)
    labelled = aq.data.Images(IMAGES, labels, ("a", "b", "c"), "three")
    assert aq.compare(model(), program(), labelled).top1 == {"simulation": 1.0, "engine": 1.0}
    assert aq.compare(model(), program(), IMAGES).top1 == {}


# What is refused, by the name of the parameter

DOORS: dict[str, Callable[[Any], Any]] = {
    "Network, input_shape": aq.Network,
    "fold, graph": lambda other: aq.fold(other, weights()),
    "fold, weights": lambda other: aq.fold(graph(), other),
    "fold, mean": lambda other: aq.fold(graph(), weights(), mean=other),
    "fold, std": lambda other: aq.fold(graph(), weights(), std=other),
    "quantize, graph": lambda other: aq.quantize(other, folded()[1], IMAGES),
    "quantize, weights": lambda other: aq.quantize(folded()[0], other, IMAGES),
    "quantize, images": lambda other: aq.quantize(*folded(), other),
    "quantize, bits": lambda other: aq.quantize(*folded(), IMAGES, bits=other),
    "quantize, method": lambda other: aq.quantize(*folded(), IMAGES, method=other),
    "quantize, border": lambda other: aq.quantize(*folded(), IMAGES, border=other),
    "quantize, batch": lambda other: aq.quantize(*folded(), IMAGES, batch=other),
    "quantize, iterations": lambda other: aq.quantize(*folded(), IMAGES, iterations=other),
    "quantize, seed": lambda other: aq.quantize(*folded(), IMAGES, seed=other),
    "quantize, search": lambda other: aq.quantize(*folded(), IMAGES, search=other),
    "quantize, signed": lambda other: aq.quantize(*folded(), IMAGES, signed=other),
    "lower, model": aq.lower,
    "lower, lowering": lambda other: aq.lower(model(), other),
    "compare, model": lambda other: aq.compare(other, program(), IMAGES),
    "compare, program": lambda other: aq.compare(model(), other, IMAGES),
    "compare, images": lambda other: aq.compare(model(), program(), other),
    "certify, model": aq.certify,
    "Program.run, images": lambda other: program().run(other),
    "Program.save, path": lambda other: program().save(other),
    "Program.load, path": aq.Program.load,
    "QuantizedModel.save, path": lambda other: model().save(other),
    "QuantizedModel.load, path": aq.QuantizedModel.load,
    "set_threads, count": aq.set_threads,
    "BorderSpec, family": lambda other: aq.BorderSpec(family=other),
    "BorderSpec, feedback": lambda other: aq.BorderSpec(feedback=other),
}


@pytest.mark.parametrize(
    "other", [[], 0.5, {1}, "1", -1, object(), np.zeros(2)], ids=lambda other: type(other).__name__
)
@pytest.mark.parametrize("door", DOORS)
def test_an_argument_of_another_kind_is_one_line_that_names_it(door: str, other: Any) -> None:
    if door.endswith("path") and isinstance(other, str):
        pytest.skip("a name of a file")
    with pytest.raises(aq.InputError) as caught:
        DOORS[door](other)
    message = str(caught.value)
    assert door.rpartition(" ")[2] in re.split(r"\W", message.partition(",")[0]), message
    assert "\n" not in message
    assert "--" not in message


def test_too_few_images_name_the_parameter() -> None:
    with pytest.raises(aq.InputError, match="^images: 3 calibration images, fewer than a batch"):
        aq.quantize(*folded(), IMAGES)


def test_a_misspelt_setting_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        aq.InputError, match="^unknown setting 'iters'; .*did you mean 'iterations'"
    ):
        aq.quantize(*folded(), IMAGES, iters=3)


# How results show themselves

RESULTS: dict[str, Callable[[], Any]] = {
    "Graph": graph,
    "QuantizedModel": model,
    "Program": program,
    "Certificate": lambda: aq.certify(model()),
    "Agreement": lambda: aq.compare(model(), program(), IMAGES),
}


class Tags(HTMLParser):
    """The tags and the text of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.cells += tag == "td"


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_shows_itself_in_one_line_as_a_table_and_as_rows(name: str) -> None:
    result = RESULTS[name]()
    assert repr(result).startswith(f"<{name} ")
    assert "\n" not in repr(result)
    rows = result.rows()
    assert len({tuple(row) for row in rows}) == 1
    head, *lines = result.summary().splitlines()
    assert len(lines) == len(rows)
    assert all(str(key) in head for key in rows[0])
    parser = Tags()
    parser.feed(result._repr_html_())
    assert parser.tags == {"p", "table", "tr", "th", "td"}
    assert parser.cells == len(rows) * len(rows[0])


def test_names_of_a_file_are_escaped_in_html() -> None:
    net = aq.Network(SHAPE)
    net.relu(net.input, name="<script>&")
    assert "&lt;script&gt;&amp;" in net.graph()._repr_html_()
    assert "<script>" not in net.graph()._repr_html_()


def test_what_was_put_together_by_hand_of_parts_that_do_not_fit_has_a_repr() -> None:
    assert "Program" in repr(aq.Program((1, 1, 1), ()))


def test_numbers_of_a_certificate_are_those_of_its_layers() -> None:
    certificate = aq.certify(model())
    assert certificate.certified == all(row["fragile"] == 0 for row in certificate.rows())
    assert [row["name"] for row in certificate.rows()] == [each.name for each in certificate]
