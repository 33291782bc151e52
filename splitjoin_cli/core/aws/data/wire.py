"""HTTP/1.1 over a socket of our own: a head and a body out, an answer in, with few system calls and no copies to spare.

Over TLS a block is encrypted in memory and leaves in one piece: ``ssl`` itself would make a system call, and a segment
of the network, of each record of 16 KiB.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.core.bytes.base import Buffer

__all__ = ["Answer", "Connection", "Outgoing", "connect"]

RECEIVED_BYTES = 16 * 1024
ENCRYPTED_BYTES = 128 * 1024
"""So much is encrypted, in memory, before it leaves: less takes more system calls, more only takes more memory."""
JOINED_BYTES = 64 * 1024
"""Up to this size a head and a body are sent as one piece; beyond, a copy costs more than another system call."""
CONTINUE_SECONDS = 1.0
"""How long "100 Continue" is waited for, as botocore does; a server that never says it gets the body all the same."""
SUCCESS = b"HTTP/1.1 200 "
HEAD_END = b"\r\n\r\n"
KEPT = "keep-alive"
MOST_HEAD_BYTES = 64 * 1024


class Outgoing(Protocol):
    """A body: ``read`` gives block after block, empty at the end; each is used up before the next is asked for."""

    def __len__(self) -> int:
        """Bytes in all."""

    def read(self, size: int = -1, /) -> Any:  # noqa: ANN401 -- bytes or a view
        """The next block."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers``: their names in lower case. ``body``: all of it."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One connection, for one request at a time. After an error, or once it is not ``usable``, it is to be closed."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None, host: str) -> None:
        """``context``: to speak TLS, which is begun here. Raises what sockets and ``ssl`` raise."""
        self._socket = sock
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._received = b""
        self._may_go_on = False
        self._tls: ssl.SSLObject | None = None
        self.usable = True
        if context is not None:
            self._incoming, self._encrypted = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = context.wrap_bio(self._incoming, self._encrypted, server_hostname=host)
            self._shake_hands(self._tls)

    def is_stale(self) -> bool:
        """Whether the server has ended it, or said something unasked."""
        try:
            return self._is_answered()
        except (OSError, http.client.HTTPException):
            return True

    def exchange(self, head: bytes, body: Outgoing, *, expects: bool) -> Answer:
        """Send a request and read its answer. ``expects``: the head says so, and the body waits for "100 Continue".

        An answer that comes before all is sent ends the sending, and the connection. Raises what the body does,
        OSError, http.client.HTTPException.
        """
        self.usable = False
        refused = expects and self._is_refused(head)
        left = len(body) if refused else self._send_all(b"" if expects else head, body)
        answer, stays = self._answer()
        self.usable = stays and not left and not self._received
        return answer

    def close(self) -> None:
        """Drop it."""
        self.usable = False
        self._socket.close()

    def _is_refused(self, head: bytes) -> bool:
        """Send the head alone; whether a final answer came in place of "100 Continue"."""
        self._may_go_on = False
        self._send([head])
        until = time.monotonic() + CONTINUE_SECONDS
        while not self._may_go_on and (left := until - time.monotonic()) > 0:
            if self._is_answered(left):
                return True
        return False

    def _send_all(self, head: bytes, body: Outgoing) -> int:
        """Send all; how many bytes were left when an answer came early."""
        left, first = len(body), [head] if head else []
        while len(block := body.read()):
            try:
                self._send([*first, block])
            except (BrokenPipeError, ConnectionResetError):
                if self._spoke_last():
                    return left
                raise
            first = []
            left -= len(block)
            if left and self._is_answered():
                return left
        if first:
            self._send(first)
        if left:
            raise http.client.HTTPException(f"the body ended {left} bytes early")
        return 0

    def _spoke_last(self) -> bool:
        """Whether the server answered before it ended the connection."""
        try:
            return self._is_answered()
        except (OSError, http.client.HTTPException):
            return False

    def _send(self, pieces: Sequence[Buffer]) -> None:
        if self._tls is not None:
            for piece in pieces:
                view = memoryview(piece)
                for start in range(0, len(view), ENCRYPTED_BYTES):
                    self._tls.write(view[start : start + ENCRYPTED_BYTES])
                    if self._encrypted.pending > ENCRYPTED_BYTES:
                        self._socket.sendall(self._encrypted.read())
            self._socket.sendall(self._encrypted.read())
        elif sum(map(len, pieces)) <= JOINED_BYTES:
            self._socket.sendall(b"".join(pieces))
        else:
            for piece in pieces:
                self._socket.sendall(piece)

    def _is_answered(self, wait_seconds: float = 0) -> bool:
        """Whether a final answer begins to arrive within that time. Raises ConnectionResetError at the end."""
        if self._received:
            return True
        if not self._readable.poll(wait_seconds * 1000):
            return False
        if not self._receive():
            raise ConnectionResetError("the server ended the connection")
        return bool(self._received) and self._has_final_head()

    def _has_final_head(self) -> bool:
        """Take the rest of what has begun to arrive, and interim answers away (RFC 9110, section 15.2)."""
        while self._received:
            while HEAD_END not in self._received:
                if len(self._received) > MOST_HEAD_BYTES or not self._receive():
                    return True  # no HTTP: who reads it will say so
            status = self._received.split(None, 2)[1:2]
            if not status or len(status[0]) != 3 or not status[0].startswith(b"1"):  # noqa: PLR2004 -- digits
                return True
            self._may_go_on = True
            self._received = self._received.partition(HEAD_END)[2]
        return False

    def _answer(self) -> tuple[Answer, bool]:
        """Read it, and whether the connection can be used again."""
        while not self._received or not self._has_final_head():
            if not self._receive():
                raise http.client.RemoteDisconnected("the server ended the connection without an answer")
        head, _, rest = self._received.partition(HEAD_END)
        if head.startswith(SUCCESS):
            lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
            headers = {name.lower().decode("latin-1"): value.strip().decode("latin-1") for name, _, value in lines}
            stays = headers.get("connection", KEPT).lower() == KEPT
            if headers.get("content-length") == "0" and "transfer-encoding" not in headers and stays:
                self._received = rest
                return Answer(http.HTTPStatus.OK, headers, b""), True
        response = http.client.HTTPResponse(cast("socket.socket", _Opened(self)), method="PUT")
        response.begin()
        body = response.read()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, body), not response.will_close

    def _receive(self) -> bool:
        """Wait for bytes, as long as the socket's time-out. False at the end."""
        data = self._socket.recv(RECEIVED_BYTES)
        if self._tls is None:
            self._received += data
            return bool(data)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        try:
            while text := self._tls.read(RECEIVED_BYTES):
                self._received += text
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return False
        else:
            return False
        if self._encrypted.pending:  # TLS answers by itself, as when keys are renewed
            self._socket.sendall(self._encrypted.read())
        return True

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._socket.sendall(self._encrypted.read())
                data = self._socket.recv(RECEIVED_BYTES)
                if not data:
                    raise ConnectionResetError("the server ended the connection") from None
                self._incoming.write(data)
            except ssl.SSLError:
                if self._encrypted.pending:  # let the server know why
                    self._socket.sendall(self._encrypted.read())
                raise
            else:
                if self._encrypted.pending:
                    self._socket.sendall(self._encrypted.read())
                return


class _Opened:
    """What an HTTPResponse takes for a socket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def makefile(self, *_: object) -> _Stream:
        return _Stream(self._connection)


class _Stream(io.RawIOBase):
    """What arrives on a connection, as a file that takes no more from it than is asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """``size`` bytes, or up to the end."""
        connection, wanted = self._connection, sys.maxsize if size is None or size < 0 else size
        while len(connection._received) < wanted and connection._receive():  # noqa: SLF001 -- a part of it
            pass
        data = connection._received[:wanted]  # noqa: SLF001
        connection._received = connection._received[wanted:]  # noqa: SLF001
        return data

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 -- as in RawIOBase
        """Fill ``buffer``, or as much of it as there is."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def connect(
    host: str,
    port: int,
    *,
    context: ssl.SSLContext | None,
    options: Sequence[Any],
    connect_seconds: float | None,
    read_seconds: float | None,
) -> Connection:
    """A connection. ``options``: of the socket, as ``setsockopt`` takes them. Raises OSError, ``ssl``'s included."""
    sock = socket.create_connection((host, port), connect_seconds)
    try:
        for option in options:
            sock.setsockopt(*option)
        made = Connection(sock, context, host)
        sock.settimeout(read_seconds)
    except BaseException:
        sock.close()
        raise
    return made
