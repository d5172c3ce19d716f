"""What holds for all tests: a tier that could not run is named, and is a failure where it was expected."""

from __future__ import annotations

import os

import pytest
import structlog
from depth import depth
from google_emulators import google
from hypothesis import HealthCheck, settings
from vendor_contracts import ABSENT, BESIDE, NO_TERRAFORM_CHECK

import shared.logs  # noqa: F401 - sets up the logging that a process begins with

__all__ = ["google"]

# The same examples in every run, others with DEEP_TESTS=1; that the machine stood still is no fault of an example.
settings.register_profile("suite", derandomize=depth(1, 0) == 1, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_LOGGING = structlog.get_config()


@pytest.fixture(autouse=True)
def _logging() -> None:
    """Each test begins with the logging of a process that was told nothing, whatever was configured before it."""
    structlog.configure(**_LOGGING)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped, in one place at the end, so that nobody takes it for passed."""
    if reasons := _reasons(terminalreporter):
        terminalreporter.section("NOT RUN: these tiers need something that is not here", sep="!")
        for reason in sorted(set(reasons)):
            terminalreporter.line(f"{reason} ({reasons.count(reason)} tests)")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With REQUIRE_ALL_TIERS=1 a skipped test fails the suite, unless it needs what is nowhere expected to be."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("REQUIRE_ALL_TIERS") == "1" and reporter is not None and any(map(_expected, _reasons(reporter))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _expected(reason: str) -> bool:
    """Whether what was missing should have been there: what stands beside the repository, only where a folder for it is."""
    return not reason.startswith((ABSENT, NO_TERRAFORM_CHECK)) or BESIDE.is_dir()


def _reasons(reporter: pytest.TerminalReporter) -> list[str]:
    return [_reason(report).removeprefix("Skipped: ") for report in reporter.stats.get("skipped", [])]


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
