"""Engine against oracle on as many random graphs as you like: `python -m tests.engine.many`."""

from __future__ import annotations

import argparse
import sys
import time

from aquant_ref.threads import use_one_blas_thread

use_one_blas_thread()

from tqdm import tqdm  # noqa: E402

from tests.engine import graphs, networks  # noqa: E402
from tests.engine.dead import dead_model  # noqa: E402
from tests.engine.judge import assert_engine_equals_oracle  # noqa: E402


def main() -> None:
    """Print one line that says what was compared; a difference raises, with the seed."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.many", description=__doc__)
    parser.add_argument("--graphs", type=int, default=1000, metavar="N", help="default 1000")
    parser.add_argument("--images", type=int, default=3, metavar="N", help="of each, default 3")
    parser.add_argument("--dead", action="store_true", help="graphs with dead parts")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the first, default 0")
    args = parser.parse_args()
    started, nodes, elements = time.monotonic(), 0, 0
    seeds = range(args.seed, args.seed + args.graphs)
    for seed in tqdm(seeds, "engine against oracle", disable=not sys.stderr.isatty()):
        model = dead_model(seed) if args.dead else graphs.random_model(seed)
        try:
            images = networks.hard_images(model, args.images, seed)
            made = assert_engine_equals_oracle(model, images)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        nodes += len(model.graph.nodes)
        elements += sum(tensor.size for tensor in made.values())
    sys.stdout.write(
        f"{args.graphs} graphs from seed {args.seed} on, {nodes} nodes: 0 differences in "
        f"{elements} codes and logits, {time.monotonic() - started:.0f} s\n"
    )


if __name__ == "__main__":
    main()
