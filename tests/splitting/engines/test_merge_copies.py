"""Merging by units within one S3 store: the store copies bodies, and a worker reads what is not proven."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

import splitjoin_cli
from splitjoin_cli.api import merge as merging
from splitjoin_cli.core.errors import CorruptObjectError
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.place import Place
from tests.e2e.csvs import bulk
from tests.servers.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.proxy import Answer, Proxy
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
DATA = bulk(13 * MIB)


@pytest.fixture
def proxy(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Before a server that holds chunks of 6, 6 and 1 MiB."""
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    source = tmp_path / "acme.csv"
    source.write_bytes(DATA)
    splitjoin_cli.split(str(source), f"{bucket.uri}in/", client="acme", date="d", chunk_size="6MiB")
    with proxied(bucket.endpoint_url) as one:
        yield one


def merged(bucket: Bucket, proxy: Proxy) -> Any:  # noqa: ANN401 -- a MergeResult
    """By units of this process."""

    def opens(_request: object, stack: Any, _observer: object) -> InProcess:  # noqa: ANN401 -- an ExitStack
        engine = InProcess(Place())
        stack.callback(engine.close)
        return engine

    with mock.patch.object(merging, "open_engine", opens):
        out = f"{bucket.uri}out.csv"
        return splitjoin_cli.merge(f"{bucket.uri}in/", out, engine="dask:tls://h:1", endpoint_url=proxy.url)


def test_bodies_are_copied_by_the_store(bucket: Bucket, proxy: Proxy) -> None:
    """But for the last one, which is smaller than a part: no more than headers and that pass the workers."""
    result = merged(bucket, proxy)
    assert (result.size_bytes, result.total_parts) == (len(DATA), 3)
    assert bucket.get("out.csv") == DATA
    assert proxy.copied() == 2
    assert proxy.answered(key="in/acme_d-") < 2 * MIB
    assert proxy.sent(key="out.csv") < 2 * MIB
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented", None])
def test_what_the_store_does_not_copy_or_does_not_prove_is_read(bucket: Bucket, proxy: Proxy, code: str | None) -> None:
    """As on threads; None: it copies, and does not say which checksum it made of that."""
    if code is None:
        proxy.alter = lambda asked, answer: unsaid(answer) if asked.copies else answer
    else:
        proxy.refuse = lambda asked: (403 if code == "AccessDenied" else 501, code) if asked.copies else None
    merged(bucket, proxy)
    assert bucket.get("out.csv") == DATA
    assert proxy.sent(key="out.csv") >= len(DATA)
    assert bucket.open_uploads() == []


def unsaid(answer: Answer) -> Answer:
    """Without its checksum."""
    return replace(answer, body=(answer.body or b"").replace(b"ChecksumCRC64NVME", b"ChecksumOfNothing"))


def test_a_chunk_that_is_not_what_was_stored_is_refused(bucket: Bucket, proxy: Proxy) -> None:
    """One byte of its body, or of its header, is another: the same error as on threads, and no object."""
    key = "in/acme_d-2-3.csv"
    whole = bucket.get(key)
    for place in (0, 5 * MIB):
        damaged = whole[:place] + b"~" + whole[place + 1 :]
        bucket.client().put_object(Bucket=bucket.name, Key=key, Body=damaged)
        with pytest.raises(CorruptObjectError) as found:
            merged(bucket, proxy)
        with pytest.raises(CorruptObjectError) as wanted:
            splitjoin_cli.merge(f"{bucket.uri}in/", f"{bucket.uri}out.csv")
        assert (found.value.message, found.value.hint) == (wanted.value.message, wanted.value.hint)
        assert bucket.keys("out.csv") == []
    assert bucket.open_uploads() == []
