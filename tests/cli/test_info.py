"""``splitjoin info``: all that a report of a bug needs, and nothing that it must not hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli import __version__
from splitjoin_cli.api.info import info
from splitjoin_cli.core.bytes import crc64
from splitjoin_cli.core.native import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran

    Splitjoin = Callable[..., Ran]

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "s3cr3t",
    "AWS_SESSION_TOKEN": "s3cr3t",
    "AWS_ACCESS_KEY_ID": "AKIAs3cr3t",
    "AWS_ENDPOINT_URL_S3": "https://me:s3cr3t@host:1/path?s3cr3t",
    "AWS_BEARER_TOKEN_BEDROCK": "s3cr3t",
    "SPLITJOIN_DB_PASSWORD": "s3cr3t",
    "SPLITJOIN_SECRET": "arn:s3cr3t",
    "SPLITJOIN_INTO": "mysql://me:s3cr3t@db/x",
    "SPLITJOIN_ON_JOIN": "exec:curl -u me:s3cr3t host",
}


@pytest.mark.parametrize("as_json", [False, True])
def test_no_secret_is_shown(*, as_json: bool, splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that matter are named, and only harmless values shown."""
    for name, value in {**SECRETS, "AWS_REGION": "eu-west-1", "SPLITJOIN_JOBS": "3", "HOME_SWEET": "no"}.items():
        monkeypatch.setenv(name, value)
    ran = splitjoin("info", *(["--json"] if as_json else []))
    assert (ran.code, ran.stderr) == (0, "")
    assert "s3cr3t" not in ran.stdout
    assert "HOME_SWEET" not in ran.stdout
    for shown in ("AWS_REGION", "eu-west-1", "SPLITJOIN_JOBS", "https://host:1", "SPLITJOIN_DB_PASSWORD", "(set)"):
        assert shown in ran.stdout


def test_the_document(splitjoin: Splitjoin) -> None:
    """Versions, the level of the kernel, drivers: what is missing is null, never absent."""
    document = json.loads(splitjoin("info", "--json").stdout)
    assert list(document) == [
        "version", "python", "system", "machine", "cpus", "kernel", "scanner", "checksum", "packages", "drivers",
        "switches", "environment",
    ]  # fmt: skip
    compiled = kernel()
    assert document["version"] == __version__
    assert document["kernel"]["level"] == (None if compiled is None else compiled.name)
    assert set(document["drivers"]) == {"dask", "duckdb", "mysql", "postgresql"}
    assert document["packages"]["botocore"]
    assert document == info().to_json()


def test_what_is_not_installed_is_said(splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that is missing, and a package without a kernel."""
    monkeypatch.setattr("splitjoin_cli.api.info.DRIVERS", {"duckdb": "no-such-package"})
    monkeypatch.setattr("splitjoin_cli.api.info.kernels", tuple)
    lines = splitjoin("info").stdout.splitlines()
    assert "drivers     duckdb not installed" in lines
    assert "kernel      not compiled" in lines


def test_switches_are_shown(splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are on, and what they lead to."""
    monkeypatch.setenv("SPLITJOIN_SCANNER", "numpy")
    monkeypatch.setenv("SPLITJOIN_CRC", "python")
    crc64._functions.cache_clear()
    try:
        document = json.loads(splitjoin("info", "--json").stdout)
    finally:
        monkeypatch.undo()
        crc64._functions.cache_clear()
    assert document["switches"] == ["SPLITJOIN_SCANNER=numpy", "SPLITJOIN_CRC=python"]
    assert (document["scanner"], document["checksum"]) == ("numpy (by SPLITJOIN_SCANNER)", "Python")
