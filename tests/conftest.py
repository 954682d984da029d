"""What was skipped is said once a reason. XGEN_REQUIRE_LAB=1 makes every skip a failure, but for
those whose reason begins with `optional:` (an engine of several gigabytes, a right that root of
a machine need not have)."""

import os
from collections import Counter
from pathlib import Path

import pytest

_LAB = Path(__file__).parent / "lab"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where workers share the tests the longest files go first, so that none is left at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _LAB not in item.path.parents)


def _skips(reporter: pytest.TerminalReporter) -> Counter[str]:
    reports = reporter.stats.get("skipped", [])
    return Counter(str(r.longrepr[2]).removeprefix("Skipped: ") for r in reports)


def _counted(skips: Counter[str]) -> bool:
    return any(not reason.startswith("optional:") for reason in skips)


def _required() -> bool:
    return os.environ.get("XGEN_REQUIRE_LAB") == "1"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skips = _skips(terminalreporter)
    if not skips:
        return
    terminalreporter.section("not tested here")
    for reason, count in skips.most_common():
        terminalreporter.line(f"skipped {count} test{'s'[: count != 1]}: {reason}")
    if _required() and _counted(skips):
        terminalreporter.line("XGEN_REQUIRE_LAB=1: this counts as a failure", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        session.exitstatus == 0
        and reporter is not None
        and _required()
        and _counted(_skips(reporter))
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
