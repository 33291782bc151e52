"""Sources behind URLs: a server that is asked little, lies, breaks off, changes its mind, and must not be quoted."""

from __future__ import annotations

import builtins
import gzip
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import BadInputError, SourceChangedError, SourceError
from splitjoin_cli.stores.sources.open import open_source
from splitjoin_cli.stores.sources.url import UrlSource, redacted
from tests.stores.sources.http_server import Resource, serving
from tests.stores.sources.reading import drained, read_through

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = b"id,name\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(300_000))


@pytest.fixture
def resource() -> Iterator[Resource]:
    """A well-behaved resource."""
    with serving(DATA) as resource:
        yield resource


def open_impatiently(url: str) -> UrlSource:
    """A source that does not wait between tries."""
    return UrlSource(url, sleep=lambda _: None)


def secretive(resource: Resource) -> str:
    """The resource's URL with a password and a signature."""
    return resource.url.replace("http://", "http://alice:hunter2@") + "?X-Signature=hunter3"


def chain_of(error: BaseException) -> str:
    """All that a printed traceback would say of an error's text and its causes'."""
    texts = []
    current: BaseException | None = error
    while current is not None:
        texts.append(f"{current} {getattr(current, 'hint', '')}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return " ".join(texts)


def test_properties(resource: Resource) -> None:
    """Size and ETag come from the answer; the URI has neither user, password, query nor fragment."""
    resource.credentials = "alice:hunter2"
    source = open_source(secretive(resource))
    properties = source.properties
    assert properties.uri == resource.url
    assert (properties.seekable, properties.size, properties.stored_bytes) == (False, None, len(DATA))
    assert (properties.compression, properties.validator, properties.s3) == (None, resource.etag, None)
    assert read_through(source) == DATA
    source.check_unchanged()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u:p@host:8443/a/b.csv?sig=x#frag", "https://host:8443/a/b.csv"),
        ("https://token@host/b.csv", "https://host/b.csv"),
        ("sftp://user:p%40ss@host//abs/b.csv", "sftp://host//abs/b.csv"),
        ("gs://bucket/key.csv", "gs://bucket/key.csv"),
        ("https://u:p@odd@host/b.csv", "https://host/b.csv"),
    ],
)
def test_redacted(url: str, expected: str) -> None:
    """What is left of a URL names the thing and opens nothing."""
    assert redacted(url) == expected


def test_missing(resource: Resource) -> None:
    """The server's status is told; the query and the foreign error that quotes it are not, not even as a cause."""
    url = secretive(resource).replace("export.csv", "other.csv")
    with pytest.raises(SourceError) as caught:
        open_source(url)
    assert caught.value.message == f"cannot open {redacted(url)}: the server answered 404"
    assert "hunter" not in chain_of(caught.value)


def test_wrong_password(resource: Resource) -> None:
    """A refusal is told by its status."""
    resource.credentials = "bob:secret"
    with pytest.raises(SourceError) as caught:
        open_source(secretive(resource))
    assert caught.value.message == f"cannot open {resource.url}: the server answered 401"
    assert "hunter" not in chain_of(caught.value)


def test_no_server(resource: Resource) -> None:
    """A connection that nobody takes is told by its kind."""
    with serving(b"") as gone:
        url = secretive(gone)
    with pytest.raises(SourceError) as caught:
        open_source(url)
    assert caught.value.message == f"cannot open {gone.url}: ConnectionError"
    assert "hunter" not in chain_of(caught.value)
    assert resource.requests == []


@pytest.mark.parametrize(("scheme", "extra"), [("http", "http"), ("gs", "gcs"), ("azure", "azure"), ("sftp", "ssh")])
def test_missing_extra_is_named(scheme: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package of a transport is missing, the hint installs it."""
    import_module = builtins.__import__

    def without_transports(name: str, *arguments: Any) -> Any:  # noqa: ANN401 -- as the original
        if name.partition(".")[0] in {"requests", "smart_open"}:
            raise ImportError(name)
        return import_module(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_transports)
    with pytest.raises(SourceError) as caught:
        open_source(f"{scheme}://host/e.csv")
    assert (
        caught.value.message == f"cannot read {scheme}://host/e.csv: the package that reads {scheme} is not installed"
    )
    assert caught.value.hint == f"pip install 'smart-open[{extra}]'"


def test_unknown_scheme() -> None:
    """A scheme that nobody reads is named, with those that are read."""
    with pytest.raises(SourceError) as caught:
        open_source("gopher://host/e.csv")
    assert caught.value.message == "cannot read gopher://host/e.csv: unknown scheme gopher"
    assert caught.value.hint == "a path, s3://, http://, https://, sftp://, gs:// or azure://"


@pytest.mark.parametrize("cuts", [[1_500_000], [100, 5_000_000, 7], [0, 0, 0]])
def test_broken_connection_is_taken_up_where_it_broke(resource: Resource, cuts: list[int]) -> None:
    """A body that breaks off is asked for again from the byte reached: nothing is lost, nothing comes twice."""
    source = open_impatiently(resource.url)
    resource.break_after = cuts
    resource.requests.clear()
    assert read_through(source, 1 << 20) == DATA
    assert resource.break_after == []
    assert len(resource.requests) > len(cuts)


def test_server_that_restarts_is_waited_for(resource: Resource) -> None:
    """A server that refuses for a while after the connection broke is asked again, with growing pauses."""
    pauses: list[float] = []
    source = UrlSource(resource.url, sleep=pauses.append)
    resource.break_after = [1_500_000]
    stream = source.stream()
    resource.refusals = [503, 502]
    assert drained(stream, 1 << 20) == DATA
    assert pauses == [0.5, 1.0, 2.0]


def test_server_that_stays_away(resource: Resource) -> None:
    """When each try to take up the pass is refused, the last refusal is told."""
    source = open_impatiently(resource.url)
    resource.break_after = [1_500_000]
    stream = source.stream()
    resource.refusals = [503] * 9
    with pytest.raises(SourceError) as caught:
        drained(stream, 1 << 20)
    assert caught.value.message == f"cannot open {resource.url}: the server answered 503"


def test_broken_for_good(resource: Resource) -> None:
    """A connection that breaks at the same byte each time is an error after four tries, with the byte."""
    source = open_impatiently(resource.url)
    resource.ranges = False
    resource.break_after = [1 << 20] * 9
    with pytest.raises(SourceError) as caught:
        read_through(source, 1 << 19)
    reached = caught.value.message
    assert reached.startswith(f"cannot read {resource.url}: the connection broke after ")
    assert f" of {len(DATA)} bytes (" in reached
    assert caught.value.hint == "run the same command again, or fetch the file first"
    gets = [request for request in resource.requests if request[0] == "GET"]
    assert len(gets) == 1 + 4


def test_change_between_passes(resource: Resource) -> None:
    """A second pass that meets another ETag does not begin."""
    source = open_source(resource.url)
    assert read_through(source) == DATA
    old = resource.etag
    resource.data = DATA.replace(b"id,", b"ID,")
    with pytest.raises(SourceChangedError) as caught:
        source.stream()
    assert caught.value.message == f"{resource.url} changed while it was read: ETag was {old}, is {resource.etag}"
    assert caught.value.hint == "run again: the new content is a new run"


def test_change_while_a_pass_breaks(resource: Resource) -> None:
    """A connection that breaks and is taken up on another content is a change, not a mixture."""
    source = open_impatiently(resource.url)
    resource.break_after = [1_500_000]
    stream = source.stream()
    buffer = memoryview(bytearray(1 << 20))
    assert stream.readinto(buffer) == 1 << 20
    resource.data = DATA[::-1]
    with pytest.raises(SourceChangedError):
        stream.readinto(buffer)
    stream.close()


def test_length_alone_tells_a_change(resource: Resource) -> None:
    """A server without ETags still says how long the body is."""
    resource.etags = False
    source = open_source(resource.url)
    assert source.properties.validator is None
    resource.data = DATA + b"1,2\n"
    with pytest.raises(SourceChangedError) as caught:
        source.check_unchanged()
    expected = f"Content-Length was {len(DATA)}, is {len(DATA) + 4}"
    assert caught.value.message == f"{resource.url} changed while it was read: {expected}"


def test_links_signed_for_get_are_checked_by_get(resource: Resource) -> None:
    """Where HEAD is refused, a GET says what HEAD would have."""
    resource.head = False
    source = open_source(resource.url)
    source.check_unchanged()
    resource.data = DATA[:-1]
    with pytest.raises(SourceChangedError):
        source.check_unchanged()


def test_server_that_is_gone_cannot_be_checked() -> None:
    """Not being able to ask is an error, and not a change."""
    with serving(DATA) as resource:
        source = open_source(secretive(resource))
    with pytest.raises(SourceError) as caught:
        source.check_unchanged()
    assert type(caught.value) is SourceError
    assert caught.value.message == f"cannot check {resource.url}: ConnectionError"
    assert "hunter" not in chain_of(caught.value)


def test_server_without_lengths_and_ranges(resource: Resource) -> None:
    """The least that a server can say is enough to read it, twice."""
    resource.etags = resource.ranges = resource.lengths = False
    source = open_source(resource.url)
    assert source.properties.stored_bytes is None
    assert [read_through(source), read_through(source)] == [DATA, DATA]
    source.check_unchanged()


def test_compressed_and_wide(resource: Resource) -> None:
    """Compression and encoding are undone behind a URL as elsewhere, and damage names the URL."""
    resource.data = gzip.compress(DATA[:9999].decode().encode("utf-16"))
    source = open_source(resource.url, encoding="utf-16")
    assert source.properties.compression == "gzip"
    assert source.properties.stored_bytes == len(resource.data)
    assert read_through(source) == DATA[:9999]
    with pytest.raises(BadInputError) as caught:
        read_through(open_source(resource.url))
    assert caught.value.message == f"{resource.url} looks like UTF-16"


def test_opening_after_close(resource: Resource) -> None:
    """A closed source begins no pass."""
    source = open_source(resource.url)
    source.close()
    with pytest.raises(SourceError) as caught:
        source.stream()
    assert caught.value.message == f"{resource.url} was closed"
