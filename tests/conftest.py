"""What all tests share: a clean environment, the server fixtures, and the rule that CI leaves no test out."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests import laws

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

pytest_plugins = [
    "tests.servers.mariadb",
    "tests.servers.postgres",
    "tests.servers.s3",
    "tests.servers.dynamodb",
    "tests.servers.moto",
    "tests.servers.aws_desk",
    "tests.servers.function_zip",
    "tests.servers.chromium",
    "tests.servers.dask",
]

SERVER_FIXTURES = {
    "mariadb_server",
    "postgres_server",
    "s3_server",
    "dynalite_server",
    "ministack_server",
    "moto_server",
    "browser",
    "dask_cluster",
}
CI_MAY_SKIP: dict[str, str] = {}
"""Node ids of tests that CI may leave out, each with the reason."""

# Container images forbid bytecode. Each of the hundreds of commands that tests start would compile the package again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the options, credentials or profiles of whoever runs it."""
    for name in os.environ:
        if name.startswith(("SPLITJOIN_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def _dropped_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test opened and dropped, as a process does that ends: from Python 3.13 on an open one is a warning.

    What the product opened is left alone: it closes that itself, or its test fails.
    """
    dropped: list[SqliteTracker | SqliteLoader] = []

    def noting(kind: type[SqliteTracker | SqliteLoader]) -> None:
        make = kind.__init__

        def init(self: Any, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 -- those of ``kind``
            make(self, *arguments, **named)
            if sys._getframe(1).f_globals["__name__"].startswith("tests."):
                dropped.append(self)

        monkeypatch.setattr(kind, "__init__", init)

    noting(SqliteTracker)
    noting(SqliteLoader)
    yield
    for one in dropped:
        one.close()


def pytest_configure() -> None:
    """Heed SIGINT where the parent ignores it, as a shell's background job and ``nohup`` do.

    The commands that tests start would inherit that, and those that are interrupted would not end.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    laws.load()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a server."""
    for item in items:
        if SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("server")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one, unless CI_MAY_SKIP says why."""
    report = yield
    if report.skipped and _ci_needs(item.nodeid) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"CI leaves no test out, and this one was skipped: {call.excinfo and call.excinfo.value}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself whole."""
    report = yield
    if report.skipped and _ci_needs(collector.nodeid):
        report.outcome = "failed"
        report.longrepr = f"CI leaves no test out, and this module was skipped: {report.longrepr}"
    return report


def _ci_needs(node_id: str) -> bool:
    return "CI" in os.environ and node_id not in CI_MAY_SKIP
