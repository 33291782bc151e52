"""The contract of a sink, held by every implementation: see splitjoin_cli/stores/sinks/base.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli.stores.sinks
from splitjoin_cli.core.errors import CopyRefusedError
from splitjoin_cli.core.model import ByteRange, S3Location
from splitjoin_cli.stores.sinks import s3_writer
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore, location
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.testing.bodies import Bytes
from splitjoin_cli.testing.probing import ProbingContract
from splitjoin_cli.testing.sinks import MIB, PART, SinkContract, names, noise
from splitjoin_cli.testing.small_objects import SmallObjectContract
from splitjoin_cli.testing.staging import CopyingSinkContract, StagingSinkContract
from tests.servers import odd_stores
from tests.servers.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.testing.sinks import SinkRig
    from tests.servers.s3 import S3Server


PREFIX = "weekly exports/a+b %41 ü=1"


COVERED = {"MemorySink", "S3Sink", "DirectorySink"}


S3 = pytest.param("s3", marks=pytest.mark.server)


ODD_S3 = pytest.param("s3, odd answers", marks=pytest.mark.server)


KINDS = ["memory", S3, ODD_S3, "directory", "directory, fsync"]


STAGING = pytest.mark.parametrize("rig", ["memory", "directory", "directory, fsync"], indirect=True)


COPYING = pytest.mark.parametrize("rig", ["memory", S3], indirect=True)


NOT_COPYING = pytest.mark.parametrize("rig", [ODD_S3], indirect=True)


class MemoryRig:
    keeps_metadata = True
    sweeps_by_name = True
    clock_seconds = 0.0

    def __init__(self) -> None:
        self.store = MemoryStore()

    def sink(self) -> MemorySink:
        return MemorySink(self.store, uri=f"memory:///{PREFIX}/")

    def leave_behind(self, name: str) -> None:
        killed = self.sink()
        killed.writer(name).write(b"half of it")
        killed.kill()

    def export(self, data: bytes) -> S3Location:
        self.store.exports["exports/big.csv"] = data
        return location(self.store, "exports", "big.csv")


class S3Rig:
    keeps_metadata = True
    sweeps_by_name = True
    clock_seconds = 2.1

    def __init__(self, server: S3Server, bucket: str, prefix: str) -> None:
        self.client = server.client()
        self.bucket = bucket
        self.prefix = f"{prefix}/{PREFIX}"

    def sink(self) -> S3Sink:
        return S3Sink(f"s3://{self.bucket}/{self.prefix}", jobs=4)

    def leave_behind(self, name: str) -> None:
        self.client.create_multipart_upload(Bucket=self.bucket, Key=f"{self.prefix}/{name}")

    def export(self, data: bytes) -> S3Location:
        key = f"{self.prefix} export.csv"
        etag = self.client.put_object(Bucket=self.bucket, Key=key, Body=data)["ETag"]
        return S3Location(self.bucket, key, etag)


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from splitjoin_cli.stores.sinks.directory import DirectorySink
sink = DirectorySink(Path(sys.argv[1]))
writer = sink.writer(sys.argv[2])
writer.write(b"half of it")
os.kill(os.getpid(), signal.SIGKILL)
"""


class DirectoryRig:
    keeps_metadata = False
    sweeps_by_name = False
    clock_seconds = 0.0

    def __init__(self, directory: Path, *, fsync: bool) -> None:
        self.directory = directory / PREFIX
        self.fsync = fsync

    def sink(self) -> DirectorySink:
        return DirectorySink(self.directory, fsync=self.fsync)

    def leave_behind(self, name: str) -> None:
        killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(self.directory), name], check=False)
        assert killed.returncode == -signal.SIGKILL

    def export(self, data: bytes) -> S3Location:
        raise NotImplementedError(len(data))


@pytest.fixture(scope="module")
def shared_bucket(request: pytest.FixtureRequest) -> str:
    """One bucket for the module: a fresh one costs this server a second."""
    server: S3Server = request.getfixturevalue("s3_server")
    server.client().create_bucket(Bucket="sink-contract")
    return "sink-contract"


@pytest.fixture(scope="module")
def odd_store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server behind a proxy that answers as odd stores do: its URL."""
    server: S3Server = request.getfixturevalue("s3_server")
    with proxied(server.endpoint_url) as proxy:
        proxy.alter = odd_stores.everything
        yield proxy.url


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SinkRig:
    """Each kind of place in turn, empty."""
    if request.param == "memory":
        return MemoryRig()
    if request.param.startswith("directory"):
        return DirectoryRig(tmp_path, fsync=request.param.endswith("fsync"))
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    if request.param.endswith("odd answers"):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", request.getfixturevalue("odd_store"))
    monkeypatch.setattr(s3_writer, "FIRST_PART_BYTES", PART)
    return S3Rig(server, request.getfixturevalue("shared_bucket"), tmp_path.name)


@pytest.mark.server
def test_every_sink_is_held_to_the_contract() -> None:
    """A sink that is not in this suite fails it."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.sinks.__path__, "splitjoin_cli.stores.sinks."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {name for name, kind in members if kind.__module__ == module.name and hasattr(kind, "put_small")}
    assert found - {"Sink"} == COVERED


@NOT_COPYING
def test_a_copy_that_cannot_be_believed_is_refused(rig: SinkRig) -> None:
    """The caller streams then; nothing becomes visible before, and nothing stays open."""
    data, copying = noise(12 * MIB), rig.sink()
    copier = copying.copier
    assert copier is not None
    with pytest.raises(CopyRefusedError, match=r"the store's answer has no ETag$"):
        copier.copy("chunk.csv", b"", rig.export(data), ByteRange(0, len(data)), checksum=None, read=Bytes(data))
    assert names(copying) == []
    assert copying.sweep("") == 0
    copying.close()


class TestSinks(SinkContract):
    pass


class TestSmallObjects(SmallObjectContract):
    pass


@pytest.mark.parametrize("rig", [S3, ODD_S3], indirect=True)
class TestProbing(ProbingContract):
    """Those whose store may lack something."""


@STAGING
class TestStagingSinks(StagingSinkContract):
    pass


@COPYING
class TestCopyingSinks(CopyingSinkContract):
    pass
