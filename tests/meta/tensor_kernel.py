"""A kernel as a script: numpy alone, `max_pool2d` and `thresholds`; other operations are not there.

aquant-ref verify --exec 'python tests/meta/tensor_kernel.py {case}'
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

UNSUPPORTED = 4


def max_pool2d(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    top, bottom, left, right = padding
    x = np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=np.iinfo(x.dtype).min)
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(x, extent, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return windows.max(axis=(3, 4))


def thresholds(acc: Any, thresholds: Any, least: int) -> Any:
    reached = acc[..., None] >= thresholds[:, None, None, :]
    return least + reached.sum(axis=3, dtype=np.int32)


def smoke(x: Any) -> Any:
    return x


def main(directory: Path) -> int:
    case = json.loads((directory / "desc.json").read_text())
    operation: Any = {"smoke": smoke, "max_pool2d": max_pool2d, "thresholds": thresholds}.get(
        case["op"]
    )
    if operation is None:
        return UNSUPPORTED
    about = ("format", "op", "id", "profile", "bits", "signed", "bias_int", "results")
    fields = {key: value for key, value in case.items() if key not in about}
    for key, value in fields.items():
        if isinstance(value, str):
            fields[key] = np.load(directory / value, allow_pickle=False)
    (name,) = case["results"]
    np.save(directory / f"out_{name}.npy", operation(**fields), allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
