"""What holds for every test in this repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator

import pytest

# Set by `make test-free-threaded`: no import and no test may have switched the GIL back on by the end of the run.
FREE_THREADED = os.environ.get("SLIME_TEST_FREE_THREADED") == "1"
CI = os.environ.get("CI") == "true"


def gil_is_enabled() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def pytest_report_header() -> str:
    return f"GIL: {'enabled' if gil_is_enabled() else 'disabled'}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test in CI that skips because a tool is missing (a skip whose reason starts with "missing tool")."""
    report = yield
    if CI and report.skipped and isinstance(report.longrepr, tuple) and "missing tool" in report.longrepr[2]:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {report.longrepr[2]}; CI has to have it: add it to .ci/run"
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if FREE_THREADED and gil_is_enabled():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not FREE_THREADED:
        return
    if gil_is_enabled():
        terminalreporter.write_sep("=", "the GIL is on at the end of a run without it", red=True)
    else:
        terminalreporter.write_sep("=", "the GIL is still off")
