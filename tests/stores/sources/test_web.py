"""Sources behind URLs: a server that is asked little, lies, breaks off, changes its mind, and must not be quoted."""

from __future__ import annotations

import builtins
import gzip
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import BadInputError, SourceChangedError, SourceError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sources.open import open_source
from splitjoin_cli.stores.sources.resumed import AGAIN
from splitjoin_cli.stores.sources.url import redacted
from splitjoin_cli.stores.sources.web import HttpSource
from splitjoin_cli.stores.sources.web_answers import NODES, refused, required_total
from splitjoin_cli.stores.sources.web_ranges import HttpRanges
from splitjoin_cli.testing.reading import drained, read_range, read_through
from tests.stores.sources.http_server import Misbehaviour, Resource, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DATA = b"id,name\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(300_000))


@pytest.fixture
def resource() -> Iterator[Resource]:
    """A well-behaved resource."""
    with serving(DATA) as resource:
        yield resource


def open_impatiently(url: str, sleep: Callable[[float], None] = lambda _: None) -> HttpSource:
    """A source that does not wait between tries; its first answer is dropped, so that each pass asks for another."""
    source = HttpSource(url, sleep=sleep)
    source.stream().close()
    return source


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


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (404, "check the URL"),
        (429, "the server is busy or has failed: run the same command again later"),
        (503, "the server is busy or has failed: run the same command again later"),
    ],
)
def test_each_refusal_says_what_to_do(status: int, hint: str) -> None:
    """Whoever is woken by it looks at the URL, or waits."""
    assert refused("http://host/a.csv", status).hint == hint


class NotHttp(socketserver.StreamRequestHandler):
    """Answers what no web server says."""

    def handle(self) -> None:
        """One line, whatever was asked."""
        self.rfile.readline()
        self.wfile.write(b"220 mail.example.org ready\r\n")


@pytest.mark.parametrize(
    ("scheme", "why", "hint"),
    [
        (
            "http",
            "the server's answer is not HTTP",
            "check the URL's host and port, and the network; then run the same command again",
        ),
        (
            "https",
            "the TLS connection failed",
            "check the URL's scheme and host; an authority of your own is named by REQUESTS_CA_BUNDLE",
        ),
    ],
)
def test_a_server_of_another_kind(scheme: str, why: str, hint: str) -> None:
    """A wrong port, or https where http is spoken, is told in words."""
    with socketserver.TCPServer(("127.0.0.1", 0), NotHttp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"{scheme}://127.0.0.1:{server.server_address[1]}/export.csv"
        with pytest.raises(SourceError) as caught:
            open_source(url)
        server.shutdown()
    assert (caught.value.message, caught.value.hint) == (f"cannot open {url}: {why}", hint)


def test_no_server(resource: Resource) -> None:
    """A connection that nobody takes is told by the system's error within those that requests makes of it."""
    with serving(b"") as gone:
        url = secretive(gone)
    with pytest.raises(SourceError) as caught:
        open_source(url)
    assert caught.value.message == f"cannot open {gone.url}: connection refused"
    assert caught.value.hint == "check the URL's host and port, and the network; then run the same command again"
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
    assert caught.value.hint == "a path, s3://, http://, https://, sftp://, ftp://, gs:// or azure://"


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
    source = open_impatiently(resource.url, pauses.append)
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
    assert reached.endswith(f" of {len(DATA)} bytes (the server closed the connection)")
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
    assert caught.value.message == f"cannot check {resource.url}: connection refused"
    assert "hunter" not in chain_of(caught.value)


def test_server_without_lengths_and_ranges(resource: Resource) -> None:
    """The least that a server can say is enough to read it, twice."""
    resource.etags = resource.ranges = resource.lengths = False
    source = open_source(resource.url)
    assert source.properties.stored_bytes is None
    assert [read_through(source), read_through(source)] == [DATA, DATA]
    source.check_unchanged()
    (warning,) = source.properties.warnings
    assert warning == (
        f"{resource.url}: the server does not say how long the file is, so a broken connection looks like "
        "the end of the file; check the number of rows"
    )


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


OTHER = DATA[:-8] + DATA[-8:].swapcase().translate(bytes.maketrans(b"0123456789", b"1234567890"))
"""As long as DATA, and other in its last bytes alone."""

LONG_AGO = "Wed, 21 Oct 2015 07:28:00 GMT"
TO_COME = "Fri, 21 Oct 2095 07:28:00 GMT"  # not older than the answer: the file may change within that second


def read_over_a_break(resource: Resource, *, then: bytes | None = None) -> bytes:
    """One pass whose connection breaks once; ``then``: what the server has from there on."""
    source = open_impatiently(resource.url)
    resource.break_after, resource.versions = [1_500_000], [] if then is None else [then]
    resource.requests.clear()
    try:
        data = read_through(source, 1 << 20)
        source.check_unchanged()
    finally:
        source.close()
    return data


def ranges_asked(resource: Resource) -> list[str]:
    """The ranges of all requests that had one."""
    return [span for _, span in resource.requests if span is not None]


def test_range_of_another_version_is_refused(resource: Resource) -> None:
    """A proxy that sends the range asked for, of a file that is as long and is another, is found by its ETag."""
    old = resource.etag
    resource.misbehaviour = "ranges whatever If-Range says"
    with pytest.raises(SourceChangedError) as caught:
        read_over_a_break(resource, then=OTHER)
    assert caught.value.message == f"{resource.url} changed while it was read: ETag was {old}, is {resource.etag}"


@pytest.mark.parametrize("misbehaviour", ["ranges from another start", "ranges of another total"])
def test_contradicting_ranges_are_refused(resource: Resource, misbehaviour: Misbehaviour) -> None:
    """The start and the total of a Content-Range are what was asked for and what the file had, or it is another."""
    resource.misbehaviour = misbehaviour
    with pytest.raises(SourceChangedError, match=r"^http://\S+ changed while it was read: ") as caught:
        read_over_a_break(resource)
    (span,) = ranges_asked(resource)
    start = int(span.removeprefix("bytes=").removesuffix("-"))
    sent = f"'bytes {start - 1}-{len(DATA) - 1}/{len(DATA)}'"
    expected = {
        "ranges from another start": f"asked for the bytes from {start} on, the server sent {sent}",
        "ranges of another total": f"it had {len(DATA)} bytes and now has {len(DATA) + 1}",
    }[misbehaviour]
    assert caught.value.message == f"{resource.url} changed while it was read: {expected}"


def test_precondition_that_fails_is_a_change(resource: Resource) -> None:
    """A server that answers 412 to the range of another version says that it changed."""
    resource.misbehaviour = "ranges by precondition"
    old = resource.etag
    with pytest.raises(SourceChangedError) as caught:
        read_over_a_break(resource, then=OTHER)
    assert caught.value.message.endswith(f": the server answered 412: ETag {old} is gone")


@pytest.mark.parametrize("misbehaviour", ["ranges without a validator", "ranges refused", "ranges answered in pieces"])
def test_servers_that_are_odd_and_right(resource: Resource, misbehaviour: Misbehaviour) -> None:
    """What proves nothing, and what is refused, is read from the front; what comes in pieces is put together."""
    resource.misbehaviour = misbehaviour
    assert read_over_a_break(resource) == DATA
    assert ranges_asked(resource)


def test_server_that_ignores_ranges(resource: Resource) -> None:
    """All of the same version instead of a range of it is read past what is known; of another it is a change."""
    resource.ranges = False
    assert read_over_a_break(resource) == DATA
    assert len([method for method, _ in resource.requests if method == "GET"]) == 2
    with pytest.raises(SourceChangedError, match="ETag was"):
        read_over_a_break(resource, then=OTHER)


def test_every_request_asks_for_the_stored_bytes_and_the_version(resource: Resource) -> None:
    """Identity on each request, HEAD too; the strong validator on each range."""
    assert read_over_a_break(resource) == DATA
    assert {headers["Accept-Encoding"] for headers in resource.asked} == {"identity"}
    assert [headers.get("If-Range") for headers in resource.asked if "Range" in headers] == [resource.etag]


@pytest.mark.parametrize(("date", "conditions"), [(LONG_AGO, [LONG_AGO]), (TO_COME, []), ("yesterday", [])])
def test_a_date_proves_what_is_older(resource: Resource, date: str, conditions: list[str]) -> None:
    """Last-Modified goes into If-Range where the file cannot have changed again within its second; else no range."""
    resource.etags, resource.last_modified = False, date
    assert open_source(resource.url).properties.validator == (date if conditions else None)
    assert read_over_a_break(resource) == DATA
    assert [headers["If-Range"] for headers in resource.asked if "Range" in headers] == conditions


def test_a_later_date_is_a_change(resource: Resource) -> None:
    """Last-Modified alone tells two versions apart."""
    resource.etags, resource.last_modified = False, LONG_AGO
    source = open_source(resource.url)
    resource.last_modified = "Thu, 22 Oct 2015 07:28:00 GMT"
    with pytest.raises(SourceChangedError) as caught:
        source.check_unchanged()
    expected = "Last-Modified was Wed, 21 Oct 2015 07:28:00 GMT, is Thu, 22 Oct 2015 07:28:00 GMT"
    assert caught.value.message == f"{resource.url} changed while it was read: {expected}"


def test_without_validators_a_pass_begins_again(resource: Resource) -> None:
    """No range is asked for where nothing would prove it: all of it comes again, and is passed over."""
    resource.etags = False
    assert read_over_a_break(resource) == DATA
    assert ranges_asked(resource) == []
    assert [method for method, _ in resource.requests] == ["GET", "GET", "HEAD"]


def test_without_validators_the_pass_is_one_version(resource: Resource) -> None:
    """Other bytes before the break are a change; where only later ones differ, the pass is the new version, whole."""
    resource.etags = False
    assert read_over_a_break(resource, then=OTHER) == OTHER
    resource.data = DATA
    with pytest.raises(SourceChangedError) as caught:
        read_over_a_break(resource, then=DATA.replace(b"id,", b"ID,"))
    message = caught.value.message
    assert message.startswith(f"{resource.url} changed while it was read: the connection broke, and its first ")
    assert message.endswith(" bytes are other ones now")
    assert caught.value.hint == "run again: the new content is a new run"


def read_and_check(source: HttpSource) -> None:
    """As a split does."""
    read_through(source, 1 << 20)
    source.check_unchanged()


def test_a_version_that_ends_before_the_break(resource: Resource) -> None:
    """Without validators, what is shorter than what was read is another file."""
    resource.etags = False
    source = open_impatiently(resource.url)
    resource.break_after, resource.versions = [1_500_000], [DATA[:1000]]
    with pytest.raises(SourceChangedError) as caught:
        read_and_check(source)
    assert caught.value.message.endswith(f"Content-Length was {len(DATA)}, is 1000")


@pytest.mark.parametrize("misbehaviour", ["HEAD of another size", "HEAD without a validator"])
def test_head_that_tells_less_than_get(resource: Resource, misbehaviour: Misbehaviour) -> None:
    """HEAD answers that are wrong, or silent, are asked again by GET: they are no change, and prove nothing."""
    resource.misbehaviour = misbehaviour
    source = open_source(resource.url)
    source.check_unchanged()
    resource.data = OTHER
    with pytest.raises(SourceChangedError, match="ETag was"):
        source.check_unchanged()


def test_behind_a_redirect(resource: Resource) -> None:
    """What counts is the answer that has the file, each time; a redirect's own ETag is nobody's."""
    resource.redirects = True
    source = open_source(resource.url)
    assert source.properties.validator == resource.etag
    assert source.properties.uri == resource.url
    source.close()
    assert read_over_a_break(resource) == DATA
    resource.misbehaviour = "ranges whatever If-Range says"
    with pytest.raises(SourceChangedError, match="ETag was"):
        read_over_a_break(resource, then=OTHER)


def test_weak_etag_is_compared_and_proves_no_range(resource: Resource, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weak ETag may be true of two versions: it tells a change, and no range is asked for by it."""
    monkeypatch.setattr(Resource, "etag", property(lambda self: f'W/"{len(self.data)}"'))
    assert open_source(resource.url).properties.validator is None
    assert read_over_a_break(resource) == DATA
    assert ranges_asked(resource) == []
    with pytest.raises(SourceChangedError, match="ETag was"):
        read_over_a_break(resource, then=DATA[:-1])


@pytest.mark.parametrize("opens", [open_impatiently, HttpRanges])
@pytest.mark.parametrize("last_modified", ["Mon, 01 Jan 2024 00:00:00 GMT", None])
def test_nodes_with_an_etag_each_are_named(
    resource: Resource, opens: Callable[[str], HttpSource | HttpRanges], last_modified: str | None
) -> None:
    """Where time and size stay the same, the hint says what the cause may be, and the way out; else it is a change."""
    resource.nodes, resource.last_modified = 2, last_modified
    source = opens(resource.url)
    with pytest.raises(SourceChangedError, match="changed while it was read: ETag was ") as caught:
        read_through(source)
    assert caught.value.hint == (AGAIN if last_modified is None else f"{AGAIN}; {NODES}")
    source.close()


def test_coding_that_was_not_asked_for(resource: Resource) -> None:
    """A server that compresses all the same is read where the bytes say how, and refused where they do not."""
    resource.data, resource.content_encoding = gzip.compress(DATA), "gzip"
    assert read_through(open_source(resource.url)) == DATA
    resource.content_encoding = "br"
    with pytest.raises(SourceError) as caught:
        open_source(resource.url)
    assert caught.value.message == (
        f"cannot read {resource.url}: the server sends it coded as 'br', which was not asked for"
    )


def test_answer_that_is_no_file(resource: Resource) -> None:
    """Success without content is not the file."""
    resource.misbehaviour = "no content"
    with pytest.raises(SourceError) as caught:
        open_source(resource.url)
    assert caught.value.message == f"cannot open {resource.url}: the server answered 204"


def test_netrc(resource: Resource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The login comes from the file that NETRC names; without it the hint says so."""
    resource.credentials = "alice:hunter2"
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(SourceError) as caught:
        open_source(resource.url)
    assert caught.value.message == f"cannot open {resource.url}: the server answered 401"
    assert caught.value.hint == (
        "put the login into ~/.netrc, or a file that NETRC names: machine HOST login USER password PASSWORD"
    )
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login alice password hunter2\n")
    source = open_source(resource.url)
    assert read_through(source) == DATA
    source.check_unchanged()


class TestRanges:
    """The same server, read at any place."""

    def test_reads_in_order_are_few_requests(self, resource: Resource) -> None:
        """One that was announced is one request; others ask for more each time."""
        source = HttpRanges(resource.url)
        source.announce(ByteRange(1000, 1_001_000))
        got = b"".join(read_range(source, at, 1000) for at in range(1000, 1_001_000, 1000))
        assert got == DATA[1000:1_001_000]
        assert resource.requests[1:] == [("GET", "bytes=1000-1000999")]
        del resource.requests[:]
        assert b"".join(read_range(source, at, 1000) for at in range(500, 100_500, 1000)) == DATA[500:100_500]
        assert len(resource.requests) == 5
        source.close()

    def test_neighbours_are_one_request(self, resource: Resource) -> None:
        """The second one goes on with what is open; where another reader has begun, the rest is dropped."""
        source = HttpRanges(resource.url)
        for start, end in ((0, 600_000), (100_000, 600_000), (300_000, 600_000)):
            source.announce(ByteRange(start, end))
            assert read_range(source, start, 100_000) == DATA[start : start + 100_000]
        assert read_range(source, 200_000, 100_000) == DATA[200_000:300_000]
        assert read_range(source, 400_000, 200_000) == DATA[400_000:600_000]
        assert resource.requests[1:] == [("GET", "bytes=0-599999"), ("GET", "bytes=300000-599999")]
        assert len(source._idle) == 1
        source.close()

    @pytest.mark.parametrize("misbehaviour", [None, "ranges answered in pieces"])
    def test_a_broken_connection_is_mended(self, resource: Resource, misbehaviour: Misbehaviour | None) -> None:
        """And refusals that pass; the version is proved each time."""
        resource.misbehaviour = misbehaviour
        source = HttpRanges(resource.url, sleep=lambda _: None)
        resource.break_after, resource.refusals = [500, 0, 700_000], [503, 429]
        assert read_range(source, 0, len(DATA)) == DATA
        assert {asked.get("If-Range") for asked in resource.asked[1:]} == {resource.etag}
        source.close()

    @pytest.mark.parametrize(
        "misbehaviour",
        [
            None,
            "ranges whatever If-Range says",
            "ranges from another start",
            "ranges of another total",
            "ranges by precondition",
            "ranges without a validator",
            "ranges refused",
        ],
    )
    def test_another_version_is_never_read(self, resource: Resource, misbehaviour: Misbehaviour | None) -> None:
        """Whatever the server does where it has another file."""
        source = HttpRanges(resource.url, sleep=lambda _: None)
        if misbehaviour in (None, "ranges whatever If-Range says", "ranges by precondition"):
            resource.data = DATA[::-1]
        resource.misbehaviour = misbehaviour
        with pytest.raises(SourceChangedError, match=f"^{resource.url} changed while it was read: "):
            read_range(source, 10, 20)
        source.close()

    def test_a_server_that_stays_away_is_an_error(self, resource: Resource) -> None:
        """After some tries; the query is not told."""
        source = HttpRanges(f"{resource.url}?sig=hunter3", sleep=lambda _: None)
        resource.refusals = [503] * 9
        with pytest.raises(SourceError) as caught:
            read_range(source, 0, 10)
        assert caught.value.message == f"cannot open {resource.url}: the server answered 503"
        assert "hunter" not in chain_of(caught.value)
        source.close()

    def test_the_last_look_outlives_refusals_that_pass(self, resource: Resource) -> None:
        """All chunks are stored by then; that it changed is said at once."""
        pauses: list[float] = []
        source = HttpRanges(resource.url, sleep=pauses.append)
        resource.refusals = [503, 429]
        source.check_unchanged()
        assert pauses == [0.5, 1]
        resource.data = DATA[::-1]
        with pytest.raises(SourceChangedError):
            source.check_unchanged()
        assert pauses == [0.5, 1]
        resource.refusals = [503] * 9
        with pytest.raises(SourceError, match=r"answered 503$"):
            source.check_unchanged()
        source.close()

    def test_a_range_of_another_coding_is_not_read(self, resource: Resource) -> None:
        """As proxies send it that pack what they pass on, and leave the ETag as it is."""
        resource.content_encoding = "identity"
        source = HttpRanges(resource.url, sleep=lambda _: None)
        resource.content_encoding = None
        assert read_range(source, 7, 70) == DATA[7:77]
        resource.content_encoding = "gzip"
        with pytest.raises(SourceError) as caught:
            read_range(source, 1000, 20)
        assert caught.value.message == f"cannot read {resource.url}: a range of it came coded as 'gzip', not ''"
        source.close()

    def test_a_range_that_ends_before_it_begins_is_none(self) -> None:
        """It would be read to the end of the connection."""
        with pytest.raises(SourceChangedError, match="asked for the bytes from 5 on, the server sent 'bytes 5-3/10'"):
            required_total("http://localhost/a.csv", "bytes 5-3/10", 5, 10)

    def test_a_time_of_change_is_a_validator(self, resource: Resource) -> None:
        """Where the answer was made a second or more after it."""
        resource.etags, resource.last_modified = False, "Mon, 01 Jan 2024 00:00:00 GMT"
        source = HttpRanges(resource.url)
        assert source.properties.validator == resource.last_modified
        assert read_range(source, 7, 70) == DATA[7:77]
        source.close()

    def test_an_empty_file(self, resource: Resource) -> None:
        """Has no first byte to ask for."""
        resource.data = b""
        resource.misbehaviour = "ranges refused"
        with pytest.raises(SourceError, match=r"answered 416$"):
            HttpRanges(resource.url)
