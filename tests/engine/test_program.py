from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aquant_ref.engine import Program
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.lowering import lower
from tests.engine import networks

Change = Callable[[dict[str, Any], dict[str, Any]], Any]


def instruction(meta: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in meta["instructions"] if each["name"] == name)


def attribute(name: str, **changes: Any) -> Change:
    return lambda meta, arrays: instruction(meta, name)["attributes"].update(changes)


def array(name: str, change: Callable[[Any], Any]) -> Change:
    return lambda meta, arrays: arrays.update({name: change(arrays[name])})


def first(count: int) -> Change:
    def change(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        meta["instructions"] = meta["instructions"][:count]
        names = {each["name"] for each in meta["instructions"]}
        for key in [key for key in arrays if key.rpartition("/")[0] not in names]:
            del arrays[key]

    return change


CHANGES: dict[str, tuple[Change, str]] = {
    "no instructions": (first(0), "makes no logits"),
    "the first two instructions": (first(2), "makes no logits"),
    "no image": (lambda meta, arrays: meta.update(input_shape=[2, 0, 3]), "image"),
    "an image of text": (lambda meta, arrays: meta.update(input_shape="233"), "image"),
    "an image of booleans": (lambda meta, arrays: meta.update(input_shape=[True, 2, 3]), "image"),
    "an image of fractions": (lambda meta, arrays: meta.update(input_shape=[2.0, 2, 3]), "image"),
    "a huge image": (
        lambda meta, arrays: meta.update(input_shape=[1, 2**20, 2**20]),
        "image: is too large",
    ),
    "an image of too many channels": (
        lambda meta, arrays: meta.update(input_shape=[2**17, 1, 1]),
        "image: is too large",
    ),
    "an attribute too many": (
        attribute("stem.conv.acc", strides=[2, 2]),
        "stem.conv.acc: conv2d has no attribute 'strides'; it has dilation, groups, padding, str",
    ),
    "an attribute of another": (attribute("head.linear", groups=1), "head.linear: linear has no"),
    "an array of another": (
        lambda meta, arrays: arrays.update({"stem.conv.acc/bias": np.zeros(4, np.int32)}),
        "stem.conv.acc/bias",
    ),
    "groups of text": (attribute("stem.conv.acc", groups="1"), "its groups cannot be '1'"),
    "groups of a boolean": (attribute("stem.conv.acc", groups=True), "its groups cannot be"),
    "huge groups": (attribute("stem.conv.acc", groups=2**53), "its groups cannot be"),
    "a huge padding": (
        attribute("stem.conv.acc", padding=[[2**53, 0], [0, 0]]),
        "its padding cannot be",
    ),
    "a large padding": (
        attribute("stem.conv.acc", padding=[[2**27, 0], [2**27, 0]]),
        "stem.conv.acc: the windows",
    ),
    "a negative padding": (
        attribute("stem.conv.acc", padding=[[-1, 0], [0, 0]]),
        "its padding cannot be",
    ),
    "a stride of text": (attribute("stem.conv.acc", stride="11"), "its stride cannot be '11'"),
    "a name that is none": (
        lambda meta, arrays: meta["instructions"][-1].update(name="a\nb"),
        "a\\",
    ),
    "an operation that is none": (
        lambda meta, arrays: meta["instructions"][-1].update(op=["linear"]),
        "is not an integer program",
    ),
    "inputs of text": (
        lambda meta, arrays: meta["instructions"][-1].update(inputs="x"),
        "head.linear: ",
    ),
    "attributes of a list": (
        lambda meta, arrays: meta["instructions"][-1].update(attributes=[]),
        "head.linear: ",
    ),
    "no source": (lambda meta, arrays: meta.pop("source"), "source"),
    "a stride of 0": (attribute("stem.conv.acc", stride=[0, 0]), "its stride cannot be"),
    "one stride": (attribute("stem.conv.acc", stride=[1]), "its stride cannot be"),
    "no attributes": (
        lambda meta, arrays: instruction(meta, "stem.conv.acc").update(attributes={}),
        "its stride cannot be None",
    ),
    "negative padding": (
        attribute("body.conv1.acc", padding=[[-1, 1], [0, 0]]),
        "its padding cannot be",
    ),
    "padding of pairs": (attribute("body.conv1.acc", padding=[1, 1]), "its padding cannot be"),
    "a dilation of 0": (attribute("body.conv1.acc", dilation=[1, 0]), "its dilation cannot be"),
    "an endless padding": (attribute("body.pool", padding=[[1, 2**27], [1, 1]]), "pixels, more"),
    "a pool of padding alone": (
        attribute("body.pool", padding=[[9, 0], [0, 0]]),
        "meets nothing but padding",
    ),
    "a sum without a divisor": (array("head.mean.acc/factor", lambda a: a * 0), "not positive"),
    "factors of other windows": (
        array("head.mean.acc/factor", lambda a: np.repeat(a, 2, axis=0)),
        "factor has shape",
    ),
    "a code that is none": (attribute("stem.relu", least=-(2**15) - 1), "its least cannot be"),
    "codes of both signs": (attribute("stem.relu", least=2**16 - 3), "its least cannot be"),
    "a fractional kernel": (attribute("body.pool", kernel=[2.5, 2]), "its kernel cannot be"),
    "a kernel beyond the image": (attribute("body.pool", kernel=[9, 9]), "does not fit"),
    "three groups": (attribute("body.conv1.acc", groups=3), "3 groups"),
    "other positions": (attribute("head.flatten", positions=2), "positions"),
    "an unknown op": (
        lambda meta, arrays: instruction(meta, "head.flatten").update(op="magic"),
        "magic",
    ),
    "two instructions of one name": (
        lambda meta, arrays: instruction(meta, "head.flatten").update(name="body.pool"),
        "made twice",
    ),
    "another order": (lambda meta, arrays: meta["instructions"].reverse(), "before it is made"),
    "one term of an add": (
        lambda meta, arrays: instruction(meta, "body.add.acc").update(inputs=["body.pool"]),
        "inputs",
    ),
    "a layer that reads accumulators": (
        lambda meta, arrays: instruction(meta, "body.conv1.acc").update(inputs=["stem.conv.acc"]),
        "holds no codes",
    ),
    "an instruction that is none": (lambda meta, arrays: meta["instructions"].append(7), ""),
    "a weight of another shape": (array("stem.conv.acc/weight", lambda a: a[:, :1]), "weight"),
    "half the classes' weights": (array("head.linear/weight", lambda a: a[:1]), "bias"),
    "a float weight": (array("stem.conv.acc/weight", lambda a: a.astype(float)), "float64"),
    "a zero point that is no code": (
        array("stem.conv.acc/zero_point", lambda a: a - 2**16),
        "code",
    ),
    "thresholds of other channels": (array("stem.relu/thresholds", lambda a: a[:2]), "channels"),
    "thresholds in no order": (array("stem.relu/thresholds", lambda a: a[:, ::-1]), "sorted"),
    "a multiplier of 0": (array("body.add.acc/multiplier_a", lambda a: a * 0), "positive"),
    "a multiplier beyond int64": (
        array("body.add.acc/multiplier_a", lambda a: a * 0 + 2**62),
        "can reach",
    ),
    "a weight beyond int32": (
        array("stem.conv.acc/weight", lambda a: np.full(a.shape, 2**31 - 1, np.int32)),
        "can reach",
    ),
    "an array too many": (lambda meta, arrays: arrays.update(more=np.zeros(1)), "more"),
    "an array too few": (lambda meta, arrays: arrays.pop("stem.relu/thresholds"), "thresholds"),
}


TABLE_CHANGES: dict[str, tuple[Change, str]] = {
    "a table without the last code": (
        array("body.conv1.acc/codes", lambda a: a[:, :-1]),
        "no entry for code 192",
    ),
    "a table of other rows": (array("body.conv1.acc/lift", lambda a: a[:5]), "in 36 rows"),
    "a narrow table without the last code": (
        array("body.pool.narrow/table", lambda a: a[:-1]),
        "no entry for code 192",
    ),
    "a padding that is no code": (
        attribute("body.conv1.acc", zero_code=200),
        "its zero_code cannot be 200",
    ),
    "a sum of fusion that reaches what never goes up": (
        array("body.conv1.acc/fusion", lambda a: a * 0 - 2**30 // 9 - 1),
        "fusion can reach",
    ),
    "codes that would wrap": (array("body.conv1.acc/codes", lambda a: a * 0 + 255), "no room"),
    "a float table": (array("body.conv1.acc/codes", lambda a: a.astype(float)), "float64"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.npz"
    lower(networks.residual_network(3, pool=True)).save(path)
    return path


@pytest.fixture(scope="module")
def with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "tables.npz"
    lower(networks.residual_network(3, pool=True, shortcut=False, windows="fused")).save(path)
    return path


@pytest.mark.parametrize("name", CHANGES | TABLE_CHANGES)
def test_a_program_that_cannot_be_run_is_refused(
    saved: Path, with_tables: Path, tmp_path: Path, name: str
) -> None:
    """Past bugs: tracebacks, exit code 1, and mismatches for files with valid checksums."""
    change, words = (CHANGES | TABLE_CHANGES)[name]
    meta, arrays = native.load(saved if name in CHANGES else with_tables, "program")
    change(meta, arrays)
    path = tmp_path / "changed.npz"
    native.save(path, "program", meta=meta, arrays=arrays)
    with pytest.raises(InputError, match=r"changed.npz: is not an integer program .*") as error:
        Program.load(path)
    assert words in str(error.value)


def test_the_program_itself_is_accepted(saved: Path, with_tables: Path, tmp_path: Path) -> None:
    for path in (saved, with_tables):
        Program.load(path).save(tmp_path / "again.npz")
        assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
