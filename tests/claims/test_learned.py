from __future__ import annotations

from dataclasses import replace

import numpy as np

from aquant_ref.claims.learned import learned
from aquant_ref.ptq.methods import Config
from aquant_ref.ptq.pipeline import learn, observe
from tests.claims import networks

CONFIG = Config("aquant", 2, 2, 5, batch=4)


def test_a_shared_first_pass_gives_what_each_method_gives_alone() -> None:
    given = networks.inputs()
    images = given.graph.to_float(given.calibration)
    methods = ["qdrop", "aquant", "qdrop-bias", "brecq", "aquant-feedback"]
    configs = [replace(CONFIG, method=method) for method in methods]
    for config, shared in zip(configs, learned(given, configs), strict=True):
        alone = observe(given.graph, given.parameters, images, config)
        learn(alone, images, config)
        ours, theirs = shared.weights(), alone.weights()
        assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)
        assert shared.windows.keys() == alone.windows.keys()
        for name, tensor in alone.tensors.items():
            assert shared.tensors[name].scale == tensor.scale
            assert np.array_equal(shared.tensors[name].coefficients, tensor.coefficients)
