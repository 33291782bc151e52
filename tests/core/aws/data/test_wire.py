"""What servers do to a connection, and what becomes of the request."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import botocore.exceptions as aws_errors
import pytest

from benchmarks.discard_server import make_certificate
from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.data import wire
from splitjoin_cli.core.aws.data.lines import Lines
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sinks.s3_body import BLOCK_BYTES, BytesBody, RequestBody
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OK = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n'
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SLOW_DOWN = b"<Error><Code>SlowDown</Code></Error>"
REFUSED = b"HTTP/1.1 503 Slow Down\r\nContent-Length: %d\r\n\r\n%b" % (len(SLOW_DOWN), SLOW_DOWN)
CHUNKED = b"HTTP/1.1 503 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
    len(SLOW_DOWN),
    SLOW_DOWN,
)
UNTIL_CLOSED = b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\n\r\n" + SLOW_DOWN
HEAD = b"PUT /b/k HTTP/1.1\r\nhost: b\r\ncontent-length: %d\r\n\r\n"


class Peer:
    """A server's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.received = b""

    def head(self) -> None:
        """Wait for a request's head."""
        while b"\r\n\r\n" not in self.received:
            self.received += self.socket.recv(65536)
        self.received = self.received.partition(b"\r\n\r\n")[2]

    def body(self, size: int) -> bytes:
        """Wait for so many bytes of a body."""
        while len(self.received) < size and (data := self.socket.recv(65536)):
            self.received += data
        body, self.received = self.received[:size], self.received[size:]
        return body

    def say(self, data: bytes) -> None:
        """Send an answer."""
        self.socket.sendall(data)

    def rest(self) -> int:
        """How much more arrives until the client ends the connection."""
        size = len(self.received)
        with contextlib.suppress(OSError):
            while data := self.socket.recv(65536):
                size += len(data)
        return size


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a server: each connection is handled by the next of some functions. Gives its URL."""
    with contextlib.ExitStack() as stack:

        def start(*acts: Callable[[Peer], object], context: ssl.SSLContext | None = None) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def work() -> None:
                for act in acts:
                    accepted, _ = listener.accept()
                    with contextlib.suppress(OSError), contextlib.closing(accepted):
                        made = context.wrap_socket(accepted, server_side=True) if context else accepted
                        with made:
                            act(Peer(made))

            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            stack.callback(thread.join, 20)
            return f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}"

        yield start


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Lines]]:
    """Makes connections to a URL as a client of botocore's has them."""
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    made: list[Lines] = []

    def make(url: str, read_timeout_seconds: float = 20) -> Lines:
        client = aws.client("s3", aws.AwsOptions(endpoint_url=url))
        client.meta.config.read_timeout = read_timeout_seconds
        made.append(Lines(client, url))
        return made[-1]

    yield make
    for one in made:
        one.close()


def send(line: Lines, data: bytes = b"data", *, expects: bool = False, told: list[int] | None = None) -> wire.Answer:
    """One request."""
    whole = ByteRange(0, len(data))
    body = RequestBody(
        BytesBody(data), whole, uri="u", stopped=lambda: False, sent=None if told is None else told.append
    )
    return line.send(HEAD % len(data), body, expects=expects)


def answers(*said: bytes, size: int = 4) -> Callable[[Peer], None]:
    """A server that takes requests of ``size`` and says these, one after the other."""

    def act(peer: Peer) -> None:
        for one in said:
            peer.head()
            peer.body(size)
            peer.say(one)

    return act


@pytest.mark.parametrize("said", [REFUSED, CHUNKED, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + REFUSED])
def test_a_connection_is_used_again(serve: Callable[..., str], line: Callable[..., Lines], said: bytes) -> None:
    """After a success and after an error, whose document is read to its end."""
    made = line(serve(answers(OK, said, OK)))
    found = [send(made) for _ in range(3)]
    assert [one.status_code for one in found] == [200, 503, 200]
    assert [one.body for one in found] == [b"", SLOW_DOWN, b""]
    assert found[0].headers["etag"] == '"1"'


def test_a_connection_that_the_server_ends_is_not_used_again(
    serve: Callable[..., str], line: Callable[..., Lines]
) -> None:
    """Whether it says so or not, whether something is left on it or not."""
    made = line(serve(answers(UNTIL_CLOSED), answers(OK), answers(OK + b"more"), answers(OK)))
    assert send(made).body == SLOW_DOWN
    assert made._idle == []
    assert send(made).status_code == 200
    while not made._idle[0].is_stale():
        time.sleep(0.001)
    assert send(made).status_code == 200
    while made._idle and not made._idle[0].is_stale():
        time.sleep(0.001)
    assert send(made).status_code == 200


@pytest.mark.parametrize("size", [4, 3 * BLOCK_BYTES])
def test_a_body_waits_for_the_servers_word(serve: Callable[..., str], line: Callable[..., Lines], size: int) -> None:
    """Where it refuses the head, nothing else is sent; where it goes on, all is."""
    data, got = b"x" * size, list[int]()

    def refuses(peer: Peer) -> None:
        peer.head()
        peer.say(REFUSED)
        got.append(peer.rest())

    def goes_on(peer: Peer) -> None:
        peer.head()
        peer.say(CONTINUE)
        got.append(len(peer.body(size)))
        peer.say(OK)

    told: list[int] = []
    made = line(serve(refuses, goes_on))
    assert send(made, data, expects=True, told=told).body == SLOW_DOWN
    assert (made._idle, told) == ([], [])
    assert send(made, data, expects=True, told=told).status_code == 200
    assert (got, sum(told)) == ([0, size], size)


def test_a_server_that_says_no_word_gets_the_body(
    serve: Callable[..., str], line: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while; its late word is then no answer."""
    monkeypatch.setattr(wire, "CONTINUE_SECONDS", 0.01)
    made = line(serve(answers(CONTINUE + OK, OK)))
    assert [send(made, expects=True).status_code for _ in range(2)] == [200, 200]


def test_an_early_answer_ends_the_sending(serve: Callable[..., str], line: Callable[..., Lines]) -> None:
    """A server that has heard enough says so in the middle of the body."""
    data, told = bytes(64 * BLOCK_BYTES), list[int]()

    def refuses(peer: Peer) -> None:
        peer.head()
        peer.body(BLOCK_BYTES)
        peer.say(REFUSED)
        peer.rest()

    made = line(serve(refuses))
    assert send(made, data, told=told).body == SLOW_DOWN
    assert made._idle == []
    made.close()
    assert sum(told) < len(data)


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda peer: peer.head(), aws_errors.ConnectionClosedError),
        (answers(b"SSH-2.0-OpenSSH_9.2\r\n"), aws_errors.ConnectionClosedError),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), aws_errors.ConnectionClosedError),
        (lambda peer: (peer.head(), peer.rest()), aws_errors.ReadTimeoutError),
    ],
)
def test_what_goes_wrong_is_botocores_error(
    serve: Callable[..., str],
    line: Callable[..., Lines],
    act: Callable[[Peer], object],
    kind: type[Exception],
) -> None:
    """So that the same is repeated, and told in the same words."""
    made = line(serve(act), 0.05 if kind is aws_errors.ReadTimeoutError else 20)
    with pytest.raises(kind) as caught:
        send(made)
    assert aws.is_transient(caught.value)


def test_no_server_is_said_so(line: Callable[..., Lines]) -> None:
    """As the first request would say it."""
    made = line(f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(aws_errors.EndpointConnectionError) as caught:
        send(made)
    assert aws.never_connected(caught.value)


def test_tls_asks_the_authorities_that_botocore_asks(
    serve: Callable[..., str], line: Callable[..., Lines], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_CA_BUNDLE's, or those that come with botocore: a certificate of nobody's is refused for good."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    size = 2 * BLOCK_BYTES + 1
    url = serve(answers(OK, OK, REFUSED, size=size), lambda peer: peer.rest(), context=context)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    made, told = line(url), list[int]()
    assert [send(made, bytes(size), told=told).status_code for _ in range(3)] == [200, 200, 503]
    assert sum(told) == 3 * size
    made.close()
    monkeypatch.delenv("AWS_CA_BUNDLE")
    with pytest.raises(aws_errors.SSLError) as caught:
        send(line(url))
    assert not aws.is_transient(caught.value)
