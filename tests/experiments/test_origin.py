from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aquant_ref.experiments.origin import Origin
from aquant_ref.ptq import Config


def test_a_setting_that_is_added_with_its_default_renames_no_result() -> None:
    origin = Origin("resnet8", "shapes", "shapes", Path("weights.npz"), "0" * 64, "1" * 64)
    names = [origin.key(each, 1024) for each in (Config(), Config("qdrop", 4, 4, seed=1))]
    assert names == ["aquant-W2A2-0-1a6179067e50", "qdrop-W4A4-1-dbffd0867ba1"]
    assert origin.key(Config(signed=True), 1024) not in names


def test_results_of_the_withdrawn_feedback_keep_their_names() -> None:
    weights = "ae2c6628ff5b64051abd8c28aff5882670a5fd0020dded22182ffcd17c97d0aa"
    origin = Origin(
        "mobilenet", "cifar10:A", "cifar10", Path("w"), weights, "cifar10-51fb684258da73ab"
    )
    old, new = (
        Config("aquant-feedback", 2, 4, border=f"feedback/{errors}")
        for errors in ("rounding", "clipping")
    )
    assert (
        origin.key(old, 1024) == "aquant-feedback-W2A4-0-3bce04d171f4"
    )  # as mobilenet-cifar10.json
    assert old.recorded_border == "quadratic/sigmoid/channel/off/feedback"
    assert Config("aquant-feedback", 2, 4) == replace(new, border="")
    assert new.recorded_border.endswith("feedback/clipping")
    assert origin.key(Config("aquant-feedback", 2, 4), 1024) == origin.key(new, 1024)
    assert origin.key(new, 1024) != origin.key(old, 1024)


def test_a_result_has_another_name_for_all_that_it_depends_on_and_not_for_where_that_lies() -> None:
    origin = Origin("resnet8", "idx:A", "idx", Path("a.npz"), "0" * 64, "1" * 64)
    moved = replace(origin, data_set="idx:B", weights=Path("b.npz"))
    assert moved.key(Config(), 1024) == origin.key(Config(), 1024)
    others = (
        replace(origin, model="mobilenet"),
        replace(origin, data="cifar10"),
        replace(origin, weights_sha256="2" * 64),
        replace(origin, data_identity="2" * 64),
    )
    configs = (Config("rtn"), Config(batch=16), Config(search="brecq"), Config(seed=1))
    keys = {
        origin.key(Config(), 1024),
        origin.key(Config(), 512),
        origin.key(Config(), 1024, lowering="lut"),
        *(other.key(Config(), 1024) for other in others),
        *(origin.key(config, 1024) for config in configs),
    }
    assert len(keys) == 11
