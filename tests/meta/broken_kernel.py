"""A kernel for `clip` that is right, but breaks the protocol in the way that its argument says."""

from __future__ import annotations

import os
import sys
import time


def main(way: str) -> None:
    if way in ("babbling", "one line"):
        while True:
            sys.stdout.write("y" * 1000 + "\n" * (way == "babbling"))
    lines = sys.stdin.read().splitlines()
    out = [lines[0]]
    for line in lines[1:]:
        case, v, low, high = line.split()
        out.append(f"{case} {min(max(int(v), int(low)), int(high))}")
    half = len(out) // 2
    if way == "silent":
        return
    if way in ("crash", "exit", "hang"):
        sys.stdout.write("\n".join(out[:half]) + "\n")
        sys.stdout.flush()
        if way == "crash":
            os.abort()
        if way == "exit":
            os._exit(7)
        time.sleep(60)
    if way == "truncated":
        sys.stdout.write("\n".join(out[:half]) + "\n" + out[half][:-1])
        return
    if way == "duplicated":
        out.append(out[half])
    if way == "reordered":
        out[1:] = out[:0:-1]
    if way == "garbled":
        out[half] = out[half].split()[0] + " 12..5"
    if way == "chatty":
        out.insert(1, "Initialising...")
    if way == "unknown":
        out.append("123456 0")
    if way == "other arguments":
        out[0] = out[0].replace("seed=", "seed=9")
    if way == "no header":
        del out[0]
    if way == "skips":
        out[1:] = [f"{line.split()[0]} skip not today" for line in out[1:]]
    if way == "errors":
        out[1:] = [f"{line.split()[0]} error no memory" for line in out[1:]]
    if way == "forgets":
        del out[half]
    sys.stdout.write("\n".join(out) + "\n")


main(sys.argv[1])
