"""Provide the pytest plugin, which pytest loads wherever aquant_ref is installed.

    def test_my_kernel_conforms(aquant_verify):
        aquant_verify(MyAdapter())

or `pytest --aquant-adapter package.module:MyAdapter`, which adds a test for each operation and
flag. The adapter runs in a process of its own, unless `--aquant-in-process` is given.
`--aquant-deviations FILE` names the known deviations. numpy is imported only then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from aquant_ref.errors import InputError

if TYPE_CHECKING:
    from aquant_ref.conformance.adapters import Adapter
    from aquant_ref.conformance.report.report import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("aquant_ref", "conformance of a quantization kernel")
    group.addoption("--aquant-adapter", metavar="MOD:CLASS", help="verify this adapter")
    group.addoption("--aquant-in-process", action="store_true", help="ask it in this process")
    group.addoption("--aquant-deviations", metavar="FILE", help="deviations.toml")


def _run(config: pytest.Config, adapter: Adapter, **chosen: Any) -> Report:
    from aquant_ref.conformance.report.deviations import load
    from aquant_ref.conformance.verification import verify

    path = config.getoption("--aquant-deviations")
    if path:
        chosen.setdefault("deviations", load(path))
    return verify(adapter, **chosen)


@pytest.fixture
def aquant_verify(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Return a function that verifies an adapter, and fails the test with the report."""

    def check(adapter: Adapter, **chosen: Any) -> Report:
        message = ""
        try:
            report = _run(request.config, adapter, **chosen)
        except InputError as error:
            message = str(error)
        if message:  # not while the other is handled, which pytest would show too
            pytest.fail(message, pytrace=False)
        if report.exit_code:
            pytest.fail(report.text(), pytrace=False)
        return report

    return check


class ConformanceItem(pytest.Item):
    """Test one operation, variation and flag of a report."""

    report: Report
    key: tuple[str, str, str]

    def runtest(self) -> None:
        """Fail if a case does; skip if none passed."""
        name, profile, flag = self.key
        counted = self.report.total(operation=name, profile=profile, flag=flag)
        if counted["fail"] or counted["error"] or counted["missing"]:
            message = [
                line
                for f in self.report.failures
                if (f.operation, f.profile, "+".join(f.flags)) == self.key
                for line in self.report.lines(f)
            ]
            said = self.report.diagnosis(name, profile)
            pytest.fail("\n".join([str(counted), *said, *message]), pytrace=False)
        if not counted["pass"]:
            pytest.skip(str({status: count for status, count in counted.items() if count}))

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Return the place of the test, which is not in the user's files."""
        return self.path, None, self.name


class RunItem(pytest.Item):
    """Test what belongs to no flag: the protocol, stale deviations, and that a case passes."""

    report: Report

    def runtest(self) -> None:
        """Fail if there is any."""
        if self.report.of_run:
            pytest.fail("\n".join([*self.report.of_run, *self.report.hints]), pytrace=False)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Return the place of the test, which is not in the user's files."""
        return self.path, None, self.name


class RestItem(pytest.Item):
    """Say what was not declared, and so not asked."""

    report: Report

    def runtest(self) -> None:
        """Skip with that line."""
        pytest.skip(self.report.rest)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Return the place of the test, which is not in the user's files."""
        return self.path, None, self.name


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of `--aquant-adapter`."""
    name = config.getoption("--aquant-adapter")
    if not name:
        return
    from aquant_ref.conformance.adapters import PythonAdapter, load

    make = load if config.getoption("--aquant-in-process") else PythonAdapter
    try:
        report = _run(config, make(name), command=f"aquant-ref verify --adapter {name}")
    except InputError as error:
        raise pytest.UsageError(str(error)) from error
    for key in report.flags:
        item = ConformanceItem.from_parent(session, name=f"aquant_ref/{'/'.join(key)}")
        item.report, item.key = report, key
        items.append(item)
    run = RunItem.from_parent(session, name="aquant_ref/run")
    run.report = report
    items.append(run)
    if report.rest:
        rest = RestItem.from_parent(session, name="aquant_ref/not declared")
        rest.report = report
        items.append(rest)
