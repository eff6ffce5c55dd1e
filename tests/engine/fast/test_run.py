from __future__ import annotations

import numpy as np
import pytest

from aquant_ref.engine import Engine
from aquant_ref.errors import InputError
from aquant_ref.lowering import lower
from aquant_ref.threads import set_threads
from tests.engine import networks


def test_threads_and_the_split_into_batches_change_no_byte() -> None:
    model = networks.residual_network(5)
    engine, images = Engine(lower(model)), networks.hard_images(model, 23)
    try:
        set_threads(1)
        alone = {name: t.tobytes() for name, t in engine.run(images).items()}
        set_threads(3)
        assert {name: t.tobytes() for name, t in engine.run(images).items()} == alone
        parts = [engine.run(images[:1]), engine.run(images[1:7]), engine.run(images[7:])]
        joined = {n: np.concatenate([p[n] for p in parts]).tobytes() for n in alone}
        assert joined == alone
    finally:
        set_threads(None)


def test_images_that_do_not_fit_are_refused() -> None:
    engine = Engine(lower(networks.residual_network(0)))
    for images in (
        np.zeros((1, 2, 4, 4), np.uint8),
        np.zeros((1, 2, 4, 3), np.int64),
        np.zeros((0, 2, 4, 3), np.uint8),
    ):
        with pytest.raises(InputError, match="images"):
            engine.run(images)
