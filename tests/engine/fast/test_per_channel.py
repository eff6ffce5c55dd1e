from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from aquant_ref.engine import Engine, Instruction, Program


@example(-200, [0, 0, 0, 0, 1, 0, 0, 0, 0], 2)  # 203 of a pair is no int16
@example(200, [1, 0, 0, 0, 0, 0, 0, 0, 0], 3)  # what is padded is 0, above all codes
@given(
    st.sampled_from([-200, -128, -1, 0, 2, 3, 4, 128, 200]),
    st.lists(st.integers(-1, 1), min_size=9, max_size=9),
    st.integers(1, 4),
)
def test_zero_points_may_be_outside_the_codes(
    zero_point: int, weight: list[int], count: int
) -> None:
    """In pairs, and where 0, as which padding counts, is none of the centred codes."""
    where = {"stride": [1, 1], "padding": [[1, 1], [1, 1]], "dilation": [1, 1], "groups": 1}
    kernel, one = np.array(weight, np.int8).reshape(1, 1, 3, 3), np.ones((1, 1, 1, 1), np.int8)
    none, zero = np.zeros(1, np.int32), np.array([zero_point], np.int32)
    thresholds = {"thresholds": np.array([[64, 128, 192]])}
    program = Program(
        (1, 3, 4),
        (
            Instruction(
                "acc",
                "conv2d",
                ("image",),
                {**where, "padding": [[0, 0], [0, 0]]},
                {"weight": one, "zero_point": none},
            ),
            Instruction("codes", "threshold", ("acc",), {"least": 0}, thresholds),
            Instruction("sum", "conv2d", ("codes",), where, {"weight": kernel, "zero_point": zero}),
        ),
    )
    images = np.random.default_rng(count).choice([0, 64, 255], (count, 1, 3, 4)).astype(np.uint8)
    images[0], images[-1] = 0, 255
    padded = np.pad(images.astype(np.int64) // 64 - zero_point, ((0, 0), (0, 0), (1, 1), (1, 1)))
    wanted = [
        [
            [
                sum(int(w * v) for w, v in zip(weight, x[i : i + 3, j : j + 3].flat, strict=True))
                for j in range(4)
            ]
            for i in range(3)
        ]
        for x in padded[:, 0]
    ]
    pair = Engine(program)._steps["sum"].pair
    assert pair is not None
    assert pair.dtype in ("int16", "int32")
    for product_ in ("auto", "integer"):
        made = Engine(program, product=product_).run(images)["sum"]
        assert made[:, 0].tolist() == wanted
