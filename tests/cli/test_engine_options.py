"""``--engine``: what is refused before anything is read, and what it is told."""

from __future__ import annotations

import gzip
import json
import sys
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from dask import config as dask_config

from splitjoin_cli.api.engines import open_engine
from splitjoin_cli.api.merge import merge
from splitjoin_cli.api.split import split
from splitjoin_cli.api.verify import verify
from splitjoin_cli.core.errors import EngineError, UsageError
from splitjoin_cli.core.places import S3Place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.engines import aws_lambda
from splitjoin_cli.splitting.engines import dask as engine
from tests.stores.sources.http_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AWAY = "use --engine threads"


@pytest.fixture(autouse=True)
def _in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test in a directory of its own, with a file in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme.csv").write_bytes(b"id\n1\n")
    (tmp_path / "acme.csv.gz").write_bytes(gzip.compress(b"id\n1\n"))


def refused(source: str, engine: str = "dask:tls://127.0.0.1:1", **options: Any) -> tuple[str, str | None]:  # noqa: ANN401
    """What a split is refused for."""
    with pytest.raises(UsageError) as error:
        split(source, "out", client="acme", engine=engine, **options)
    return error.value.message, error.value.hint


def test_sources_that_workers_cannot_reach() -> None:
    """Standard input, and URLs that are not of ranges."""
    message, hint = refused("-")
    assert message == "--engine dask:tls://127.0.0.1:1: workers cannot read this process's standard input or pipes"
    assert hint == f"store it first, in a file that all workers see or on S3; or {AWAY}"
    message, hint = refused("sftp://host/acme.csv")
    assert message.endswith("workers read s3://, http(s):// and shared paths, and no sftp:// URL")
    assert hint == f"copy it to S3 first, or {AWAY}"


@pytest.mark.parametrize(
    ("url", "address", "what", "way"),
    [
        (
            "https://me:secret@host/acme.csv",
            "tls://127.0.0.1:1",
            "a login, which is not sent to workers",
            "leave it out, and put the login into ~/.netrc on each worker",
        ),
        (
            "https://host/acme.csv?token=secret",
            "tcp://127.0.0.1:1",
            "a query, which is not sent to workers without TLS",
            "use a tls:// scheduler, or store the file on S3 first",
        ),
    ],
)
def test_secrets_of_a_url_are_not_sent(url: str, address: str, what: str, way: str) -> None:
    """Nor told: a login never, a token in the query not in plain text."""
    message, hint = refused(url, f"dask:{address}")
    assert message == f"--engine dask:{address}: the URL holds {what}"
    assert hint == f"{way}; or {AWAY}"


def test_a_query_goes_over_tls() -> None:
    """To the scheduler, which is not there."""
    with mock.patch.object(engine, "CONNECT_SECONDS", 0.1), pytest.raises(EngineError, match="cannot reach"):
        split("https://host/acme.csv?token=secret", "out", engine="dask:tls://127.0.0.1:1")


@pytest.mark.parametrize(
    ("resource", "what"),
    [
        ({"ranges": False}, "the server does not send ranges of bytes"),
        ({"etags": False}, "the server sends neither an ETag that proves a version nor a Last-Modified time that does"),
    ],
)
def test_servers_that_workers_cannot_use(resource: dict[str, bool], what: str) -> None:
    """Without ranges, or where no range proves its version: the way out is named."""
    with serving(b"id\n1\n") as served, mock.patch("splitjoin_cli.api.one_split.open_engine", return_value=mock.Mock()):
        for name, value in resource.items():
            setattr(served, name, value)
        message, hint = refused(served.url)
        assert message.startswith(f"{served.url}: {what}")
    assert hint == f"store the file on S3 first, or {AWAY}"


@pytest.mark.parametrize(
    ("source", "options", "what"),
    [("acme.csv.gz", {}, "is compressed (gzip)"), ("acme.csv", {"encoding": "utf-16"}, "is transcoded")],
)
def test_sources_without_ranges(tmp_path: Path, source: str, options: dict[str, Any], what: str) -> None:
    """What must be undone from the front on."""
    if options:
        (tmp_path / source).write_bytes("id\n1\n".encode("utf-16"))
    with mock.patch("splitjoin_cli.api.one_split.open_engine", return_value=mock.Mock()):
        message, hint = refused(source, **options)
    assert message == f"--engine dask:tls://127.0.0.1:1: {source} {what}, and workers read a source by ranges"
    assert hint == f"store it plain first, or {AWAY}"


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:8786", "192.0.2.1:8786", "ws://192.0.2.1:8786"])
def test_a_plain_scheduler_elsewhere_must_be_allowed(address: str) -> None:
    """Whoever reaches it runs code; so it is said, and not tried."""
    message, hint = refused("acme.csv", f"dask:{address}")
    assert message == (
        f"the Dask scheduler {address} is not on this machine, and is spoken to without TLS: anyone who reaches it can "
        "run code on its workers"
    )
    assert hint == "use a tls:// address; or --allow-plain-dask where the network between is private"
    engine.check_address(address, allow_plain=True)


@pytest.mark.parametrize("address", ["tls://192.0.2.1:1", "tcp://127.0.0.1:1", "localhost:1"])
def test_tls_and_this_machine_are_allowed(address: str) -> None:
    """Its own addresses, by whatever name."""
    engine.check_address(address, allow_plain=False)


def test_where_the_scheduler_is(tmp_path: Path) -> None:
    """Typed, in a scheduler file, or in Dask's own configuration."""
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": "tls://10.0.0.7:8786"}))
    assert engine.address_of("tls://host:1") == "tls://host:1"
    assert engine.address_of(str(file)) == "tls://10.0.0.7:8786"
    with dask_config.set({"scheduler-address": "tls://configured:1"}):
        assert engine.address_of("") == "tls://configured:1"


@pytest.mark.parametrize(
    ("text", "content", "message"),
    [
        ("", None, "--engine dask: names no scheduler, and Dask's configuration has none"),
        ("gone.json", None, "cannot read the scheduler file gone.json: No such file or directory"),
        ("bad.json", "[]", "bad.json is not a scheduler file"),
        ("bad.json", "{", "bad.json is not a scheduler file"),
    ],
)
def test_a_scheduler_that_is_not_named(tmp_path: Path, text: str, content: str | None, message: str) -> None:
    """Is a usage error with the way out; Dask alone would start a cluster here."""
    if content is not None:
        (tmp_path / text).write_text(content)
    with dask_config.set({"scheduler-address": None}):
        found, hint = refused("acme.csv", f"dask:{text}")
    assert found == message
    assert hint is not None


def test_a_scheduler_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time that is said, and without Dask's own words."""
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 0.5)
    with pytest.raises(EngineError) as error:
        split("acme.csv", "out", engine="dask:tcp://127.0.0.1:1")
    assert error.value.message.startswith("cannot reach the Dask scheduler tcp://127.0.0.1:1: ")
    assert error.value.hint == "check the address and that the scheduler runs"


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every extra."""
    monkeypatch.delitem(sys.modules, "splitjoin_cli.splitting.engines.dask")
    monkeypatch.setitem(sys.modules, "dask", None)
    request = mock.Mock(engine="dask:tls://h:1")
    with pytest.raises(UsageError) as error:
        open_engine(request, mock.Mock(), Silent())
    assert error.value.message == "--engine dask: needs Dask, which is not installed"
    assert error.value.hint == "pip install 'splitjoin[dask]'"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("acme.csv", "functions read s3:// and http(s)://, and acme.csv is a path on this machine"),
        (
            "file:///data/acme.csv",
            "functions read s3:// and http(s)://, and file:///data/acme.csv is a path on this machine",
        ),
        ("-", "workers cannot read this process's standard input or pipes"),
        ("https://me:word@host/acme.csv", "the URL holds a login, which is not sent to workers"),
        ("https://host/acme.csv?token=1", "the URL holds a query, which is not sent to workers"),
        ("sftp://host/acme.csv", "workers read s3:// and http(s)://, and no sftp:// URL"),
    ],
)
def test_sources_that_functions_cannot_reach(source: str, what: str) -> None:
    """All that is neither on S3 nor behind http."""
    with pytest.raises(UsageError) as error:
        split(source, "s3://bucket/in/", client="acme", engine="lambda:splits")
    assert error.value.message == f"--engine lambda:splits: {what}"
    assert error.value.hint is not None
    assert error.value.hint.endswith(f"or {AWAY}")


def test_a_destination_that_functions_cannot_reach() -> None:
    """Before the function is asked for."""
    with pytest.raises(UsageError) as error:
        split("s3://bucket/acme.csv", "out", engine="lambda:splits")
    assert error.value.message == "--engine lambda:splits: functions read and write s3://, and out is a path here"
    assert error.value.hint == f"use s3://BUCKET/PREFIX/, or {AWAY}"


@pytest.mark.parametrize("name", ["", "a b", "arn:aws:s3:::splits", "splits:live:now"])
def test_what_names_no_function(name: str) -> None:
    """By the pattern that Lambda has for names."""
    with pytest.raises(UsageError) as error:
        split("s3://bucket/acme.csv", "s3://bucket/in/", engine=f"lambda:{name}")
    assert error.value.message == f"--engine: 'lambda:{name}' does not name a function"


def test_what_is_no_engine_and_what_functions_cannot_limit() -> None:
    """Each with the way out."""
    with pytest.raises(UsageError) as error:
        split("s3://bucket/acme.csv", "s3://bucket/in/", engine="spark")
    assert error.value.message == "--engine: 'spark' is neither threads nor dask:ADDRESS nor lambda:FUNCTION"
    with pytest.raises(UsageError) as error:
        split("s3://bucket/acme.csv", "s3://bucket/in/", engine="lambda:splits", bwlimit="8MB")
    assert "with --engine lambda: its workers do that" in error.value.message
    assert error.value.hint == f"leave --bwlimit out, or {AWAY}"


def test_a_function_without_the_kernel_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer, and costs as much more."""
    made = mock.Mock(greeting=mock.Mock(kernel=None))
    monkeypatch.setattr(aws_lambda, "LambdaEngine", mock.Mock(return_value=made))
    request, observer = mock.Mock(engine="lambda:splits", destination=S3Place("bucket", "")), mock.Mock()
    assert open_engine(request, mock.Mock(), observer) is made
    [[said], _] = observer.warn.call_args
    assert said.startswith("the function of --engine lambda:splits was built without the compiled kernel")


@pytest.mark.parametrize(
    ("out", "engine", "message", "way"),
    [
        ("-", "dask:tls://127.0.0.1:1", "workers cannot write to this process's standard output", "name a file"),
        ("/dev/null", "dask:", "workers cannot write to /dev/null, which is not a file", "name a file"),
        (
            "out.csv",
            "lambda:split",
            "functions write to s3://, and out.csv is a path on this machine",
            "write s3://bucket/key",
        ),
    ],
)
def test_what_workers_cannot_merge_into(out: str, engine: str, message: str, way: str) -> None:
    """Said before anything is read."""
    place = "s3://bucket/in/" if engine.startswith("lambda:") else "."
    with mock.patch("splitjoin_cli.api.merge.open_place"), pytest.raises(UsageError) as error:
        merge(place, out, engine=engine)
    assert (error.value.message, error.value.hint) == (f"--engine {engine}: {message}", f"{way}, or {AWAY}")


@pytest.mark.parametrize("call", [lambda place, **more: merge(place, "s3://b/k", **more), verify])
def test_stored_chunks_that_functions_cannot_read(call: Callable[..., object]) -> None:
    """A directory of this machine; and a rate is for what passes here."""
    with pytest.raises(UsageError) as error:
        call(".", engine="lambda:split")
    assert error.value.message == "--engine lambda:split: functions read s3://, and . is a path on this machine"
    assert error.value.hint == AWAY
    with pytest.raises(UsageError, match=r"^--bwlimit limits what this process sends"):
        call(".", engine="dask:tls://127.0.0.1:1", bwlimit=1000)


def test_a_source_beside_chunks_must_be_one_of_ranges() -> None:
    """As for split."""
    with mock.patch("splitjoin_cli.api.verify.open_place"), pytest.raises(UsageError) as error:
        verify(".", source="acme.csv.gz", engine="dask:tls://127.0.0.1:1")
    assert error.value.message.endswith("acme.csv.gz is compressed (gzip), and workers read a source by ranges")
