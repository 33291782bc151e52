"""The installed command asks a store that is not AWS what it lacks, says it once, and leaves nothing there."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli
from splitjoin_cli.api.rm import rm
from splitjoin_cli.core.aws import endpoints
from splitjoin_cli.core.names import PROBE_PREFIX
from tests.e2e.kills import end
from tests.servers import odd_stores

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Asked, Proxy
    from tests.servers.s3 import Bucket

pytestmark = pytest.mark.server
EXPORT = b"id,name\n1,a\n2,b\n"
NOT_APART = "Warning: this store does not keep conditional writes apart: do not run two splits of one name at once"


@pytest.fixture
def behind(splitjoin_s3: Splitjoin, proxy: Proxy) -> Splitjoin:
    """The command, with the proxy as its store; two exports."""
    for name in ("acme_20240131.csv", "beta_20240131.csv"):
        (splitjoin_s3.directory / name).write_bytes(EXPORT)
    return splitjoin_s3.within(AWS_ENDPOINT_URL_S3=proxy.url)


def record(proxy: Proxy) -> list[Asked]:
    """The requests that name such objects from here on, noted as they come: each of them before its answer is heard."""
    asked: list[Asked] = []

    def note(one: Asked) -> None:
        if PROBE_PREFIX in one.key or PROBE_PREFIX in str(one.query):
            asked.append(one)

    proxy.refuse = note
    return asked


def test_a_store_that_ignores_conditions_is_named_once(behind: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """By a split of two sources, too; a dry run and a split that is done already store nothing to find out."""
    proxy.alter, asked = odd_stores.ignores_conditions, record(proxy)
    command = ("split", "acme_20240131.csv", "beta_20240131.csv", f"{bucket.uri}in/")
    assert NOT_APART not in behind.ok(*command, "--dry-run").stderr
    assert asked == []
    ran = behind.ok(*command, "--json")
    assert ran.stderr.count(NOT_APART) == ran.stderr.count("Warning") == 1
    assert [one.method for one in asked] == ["PUT", "PUT", "PUT", "DELETE", "GET", "GET"]
    assert NOT_APART not in behind.ok(*command).stderr
    assert len(asked) == 6
    assert not any(PROBE_PREFIX in key for key in bucket.keys("in/"))


def held(asked: Asked) -> bool:
    """Whether it is the first write of a probe."""
    return asked.method == "PUT" and PROBE_PREFIX in asked.key


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_ended_while_it_asks(behind: Splitjoin, bucket: Bucket, proxy: Proxy, by: signal.Signals) -> None:
    """A signal leaves nothing; what a kill leaves is no chunk for any command, and the next split removes it."""
    stored, go_on = threading.Event(), threading.Event()

    def answering(asked: Asked) -> None:
        if held(asked) and not stored.is_set():
            stored.set()
            assert go_on.wait(60)

    proxy.answering = answering
    command = ("split", "acme_20240131.csv", f"{bucket.uri}in/")
    process = behind.begin(*command)
    assert stored.wait(60)
    process.send_signal(by)
    go_on.set()
    end(process)
    assert process.returncode == (143 if by is signal.SIGTERM else -signal.SIGKILL)
    left = [key for key in bucket.keys("in/") if PROBE_PREFIX in key]
    assert len(left) == (1 if by is signal.SIGKILL else 0)
    if not left:
        return
    assert "probe" not in behind.ok("ls", f"{bucket.uri}in/").stdout
    behind.ok(*command)
    assert bucket.keys("in/") == ["in/acme_20240131-1-1.csv", "in/acme_20240131.manifest.json"]


def test_commands_take_a_leftover_for_nothing(bucket: Bucket, s3_env: Bucket, tmp_path: Path) -> None:
    """``ls``, ``verify`` and ``merge`` do not see it, and a prefix that is split leaves it out."""
    source, place = tmp_path / "acme_1.csv", f"{bucket.uri}in/"
    source.write_bytes(EXPORT)
    splitjoin_cli.split(source, place, client="acme", date="1")
    s3_env.client().put_object(Bucket=bucket.name, Key=f"in/{PROBE_PREFIX}left", Body=b"left")
    s3_env.client().put_object(Bucket=bucket.name, Key="exports/gamma_20240131.csv", Body=EXPORT)
    s3_env.client().put_object(Bucket=bucket.name, Key=f"exports/{PROBE_PREFIX}left", Body=b"left")
    assert splitjoin_cli.verify(place, source=source).ok
    merged = splitjoin_cli.merge(place, tmp_path / "merged.csv")
    assert merged.size_bytes == len(EXPORT)
    every = splitjoin_cli.split([f"{bucket.uri}exports/"], f"{bucket.uri}out/")
    assert [one["file_name"] for one in every.to_json()["splits"]] == ["gamma_20240131"]


def test_aws_is_asked_nothing(
    bucket: Bucket, s3_env: Bucket, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request of a split, or of a removal, is of such an object where the endpoint's name is one of AWS's."""
    assert bucket is s3_env
    monkeypatch.setattr(endpoints, "AWS_SUFFIXES", ("127.0.0.1",))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    (tmp_path / "acme.csv").write_bytes(EXPORT)
    asked = record(proxy)
    splitjoin_cli.split(tmp_path / "acme.csv", f"{bucket.uri}in/", client="acme", date="1")
    rm(f"{bucket.uri}in/", name="acme_1", force=True)
    assert "in/acme_1-1-1.csv" in {one.key for one in proxy.requests}
    assert asked == []
