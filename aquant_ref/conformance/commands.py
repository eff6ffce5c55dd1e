"""Run the kit's commands `gen`, `check`, `verify`, `identify` and `vectors`.

The caller passes the function that prints. numpy is imported only when a command runs.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aquant_ref.conformance.arguments import TIMEOUT
from aquant_ref.errors import InputError, install
from aquant_ref.given import integers, words
from aquant_ref.progress import Progress, quiet

if TYPE_CHECKING:
    import argparse

    from aquant_ref.conformance.adapters import Adapter, Capabilities
    from aquant_ref.conformance.cases.selection import Selection
    from aquant_ref.conformance.identification.identify import Identification
    from aquant_ref.conformance.report.deviations import Deviations
    from aquant_ref.conformance.report.report import Report

WAYS = ("adapter", "pipe", "exec", "library")
ENGINE = "aquant_ref.conformance.adapters:EngineAdapter"

Show = Callable[[str], None]


def gen(args: argparse.Namespace, show: Show) -> int:
    """Show a stream of cases."""
    from aquant_ref.conformance.protocol import check_stream

    check_stream.gen(_selection(args), _places(args), lambda text: show(text.removesuffix("\n")))
    return 0


def check(args: argparse.Namespace, show: Show, stdin: BinaryIO) -> int:
    """Judge the answers on standard input; returns the exit code of the report."""
    from aquant_ref.conformance.protocol import check_stream

    _check_outputs(args)
    timeout = TIMEOUT if args.timeout is None else args.timeout
    report = check_stream.check(
        *(_selection(args), _places(args), stdin),
        timeout=timeout,
        oracle=args.oracle,
        keep=args.keep,
    )
    return _tell(report, args, show)


def verify(args: argparse.Namespace, show: Show) -> int:
    """Verify an adapter or a kernel; returns the exit code of the report."""
    from aquant_ref.conformance.cases.selection import MOST, check_whole
    from aquant_ref.conformance.verification import GENERATED, SEED, verify

    _check_outputs(args)
    if args.n is not None:
        check_whole("n", args.n, 0, MOST)
    known = _known(args)
    if args.shrink:
        _check_shrink(args)
    adapter = _adapter(args)
    capabilities = _capabilities(args, adapter)
    report = verify(
        adapter,
        capabilities=capabilities,
        operations=args.operations or None,
        generated=GENERATED if args.n is None else args.n,
        seed=SEED if args.seed is None else args.seed,
        deviations=known,
        only=args.case,
        command=_again(args),
        keep=args.keep,
    )
    if args.shrink:
        _shrink(report, adapter, capabilities)
    return _tell(report, args, show)


def identify(args: argparse.Namespace, show: Show, progress: Progress = quiet) -> int:
    """Find which variations an implementation computes; returns the exit code."""
    from aquant_ref.conformance.cases.selection import MOST, check_whole
    from aquant_ref.conformance.identification.identify import GENERATED, identify
    from aquant_ref.conformance.protocol.streams import check_timeout
    from aquant_ref.conformance.verification import SEED

    if args.n is not None:
        check_whole("n", args.n, 0, MOST)
    if args.timeout is not None:
        check_timeout(args.timeout)
    adapter = _adapter(args)
    found = identify(
        adapter,
        capabilities=_capabilities(args, adapter),
        operations=args.operations or None,
        generated=GENERATED if args.n is None else args.n,
        seed=SEED if args.seed is None else args.seed,
        progress=progress,
    )
    again = _verify(args, found) if found.options_apply else ""
    if args.json:
        show(json.dumps({**found.as_json(), "verify": again}, indent=2))
    else:
        show("\n".join([found.text(), *([f"\nto verify what fits: {again}"] if again else [])]))
    return found.exit_code


def _verify(args: argparse.Namespace, found: Identification) -> str:
    """Return the command that verifies what fits."""
    joined = {
        name: ",".join(filter(None, (getattr(args, name), words)))
        for name, words in found.options().items()
    }
    again = _again(args, {"n": None, "seed": None, **joined})
    return shlex.join([*shlex.split(again), *(found.operations or args.operations)])


def _known(args: argparse.Namespace) -> Deviations | None:
    """Load the given deviations, or those that come with the adapter of an engine."""
    from aquant_ref.conformance.adapters.engines import names
    from aquant_ref.conformance.report import deviations

    if args.deviations:
        return deviations.load(args.deviations)
    return names.known(args.adapter) if args.adapter in names.ENGINES else None


def _again(args: argparse.Namespace, instead: Mapping[str, str | None] | None = None) -> str:
    """Return the command that verifies the same implementation in the same way.

    `instead` replaces the values of some options.
    """
    command = ["aquant-ref", "verify"]
    names = (*WAYS, "profile", "bits", "signs", "rounding", "granularity", "variations", "sizes")
    for name in (*names, "timeout", "n", "seed"):
        value = (instead or {}).get(name, getattr(args, name))
        if value is not None:
            command += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    for name in ("rejects", "in_process"):
        command += [f"--{name.replace('_', '-')}"] * getattr(args, name)
    return shlex.join(command)


def _check_shrink(args: argparse.Namespace) -> None:
    if args.pipe or args.exec:
        raise InputError("shrink: needs an adapter in Python; a kernel would be started too often")
    try:
        from aquant_ref.conformance import strategies  # noqa: F401
    except ImportError as error:
        raise InputError(f"shrink: needs Hypothesis: {install('conformance')}; {error}") from error


def _shrink(report: Report, adapter: Adapter, capabilities: Capabilities) -> None:
    """Search for the simplest failing input of every operation that fails."""
    from aquant_ref.conformance import strategies

    for name in dict.fromkeys(failure.operation for failure in report.failures):
        for selection in capabilities.selections(name, seed=0):
            smallest = strategies.smallest_failure(adapter, selection)
            if smallest is not None:
                report.smallest[f"{name} {selection.profile}"] = smallest


def vectors(args: argparse.Namespace, show: Show) -> int:
    """Write the stored vectors, or check them; return 1 if something is wrong with them."""
    from aquant_ref.conformance import vectors

    directory = Path(args.dir) if args.dir else vectors.VECTORS
    if args.action == "lint" and not os.path.isdir(directory):
        raise InputError(f"dir: {directory} is not a directory")
    if args.action == "generate":
        for path in vectors.generate(directory):
            show(str(path))
        return 0
    wrong = vectors.lint(directory)
    show("\n".join(wrong) or f"{directory}: nothing is wrong")
    return 1 if wrong else 0


def _selection(args: argparse.Namespace) -> Selection:
    from aquant_ref.conformance import contract
    from aquant_ref.conformance.cases.selection import BITS, ROUNDINGS, SIGNS, Selection

    tags = contract.get(args.operation).tags
    for name, tag in (("bits", "bits"), ("signs", "bits"), ("rounding", "rounding")):
        if getattr(args, name) is not None and tag not in tags:
            raise InputError(f"{name}: the cases of {args.operation} do not depend on it")
    return Selection(
        args.operation,
        args.profile or "",
        bits=BITS if args.bits is None else integers("bits", args.bits),
        signs=SIGNS if args.signs is None else words("signs", args.signs),
        rounding=ROUNDINGS if args.rounding is None else words("rounding", args.rounding),
        seed=args.seed,
        rejects=args.rejects,
        edition=args.edition,
    )


def _places(args: argparse.Namespace) -> Sequence[int]:
    from aquant_ref.conformance.cases.selection import MOST, check_whole

    if args.only is None:
        check_whole("n", args.n, 0, MOST)
        return range(args.n)
    places = integers("only", args.only)
    if not 0 <= min(places) <= max(places) <= MOST or len(set(places)) < len(places):
        raise InputError(f"only: needs different numbers from 0 to {MOST}, got {args.only}")
    return places


def _adapter(args: argparse.Namespace) -> Adapter:
    from aquant_ref.conformance.adapters import (
        CommandAdapter,
        LibraryAdapter,
        PipeAdapter,
        PythonAdapter,
        load,
    )

    _check_meant(args)
    timeout = TIMEOUT if args.timeout is None else args.timeout
    if args.pipe is not None:
        return PipeAdapter(args.pipe, timeout=timeout)
    if args.exec is not None:
        return CommandAdapter(args.exec, timeout=timeout, keep=args.keep)
    if args.library is not None:
        return LibraryAdapter(args.library, timeout=timeout)
    if args.adapter is None or args.in_process:
        return load(args.adapter or ENGINE)
    return PythonAdapter(args.adapter, timeout=timeout)


def _check_meant(args: argparse.Namespace) -> None:
    """Raise InputError for an option that does not apply to the chosen kind of implementation."""
    chosen = [way for way in WAYS if getattr(args, way) is not None]
    if len(chosen) > 1:
        raise InputError("adapter: give only one of --adapter, --pipe, --exec and --library")
    if args.in_process and chosen != ["adapter"]:
        raise InputError("in-process: applies to --adapter only")
    if args.timeout is not None and (args.in_process or not chosen):
        who = "an adapter" if chosen else "this package's own engine"
        raise InputError(f"timeout: nothing ends {who} in this process")


def _capabilities(args: argparse.Namespace, adapter: Adapter) -> Capabilities:
    from aquant_ref.conformance import contract
    from aquant_ref.conformance.adapters.asking import Asked
    from aquant_ref.conformance.options import asked_for

    asked = Asked(adapter)
    names = [contract.get(name).name for name in args.operations] or contract.OPERATIONS
    return asked_for(args, asked.capabilities, filter(asked.supports, names))


def _check_outputs(args: argparse.Namespace) -> None:
    """Check output files and time limit before any work; InputError names the wrong one."""
    from aquant_ref.conformance.protocol.streams import check_timeout
    from aquant_ref.formats.atomic import check_writable_file

    if args.timeout is not None:
        check_timeout(args.timeout)
    for path in filter(None, (args.junit, args.html)):
        check_writable_file(path)
    # an adapter may change the directory
    args.junit, args.html = (path and os.path.abspath(path) for path in (args.junit, args.html))


def _tell(report: Report, args: argparse.Namespace, show: Show) -> int:
    from aquant_ref.conformance.report import html, junit
    from aquant_ref.formats.atomic import replacing

    for path, make in ((args.junit, junit.xml), (args.html, html.document)):
        if path:
            with replacing(path) as stream:
                stream.write(make(report).encode())
    show(json.dumps(report.as_json(), indent=2) if args.json else report.text())
    return report.exit_code
