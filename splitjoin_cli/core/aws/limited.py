"""A client whose bodies pass at a limited rate: those it sends, and those that are read from its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splitjoin_cli.core.bandwidth import Bandwidth

__all__ = ["limit"]


def limit(client: Any, bandwidth: Bandwidth) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """Let the bodies of all of the client's requests and answers share ``bandwidth``."""

    def before_send(request: Any, **_: object) -> None:  # noqa: ANN401 -- botocore's AWSPreparedRequest
        body = request.body
        if isinstance(body, bytes | bytearray | str):
            bandwidth.take(len(body))
        elif body is not None and not isinstance(body, _SentBody):
            request.body = _SentBody(body, bandwidth)

    def before_parse(response_dict: dict[str, Any], operation_model: Any, **_: object) -> None:  # noqa: ANN401 -- botocore's
        body = response_dict.get("body")
        if isinstance(body, bytes):
            bandwidth.take(len(body))
        elif body is not None and operation_model.has_streaming_output:
            response_dict["body"] = _ReadBody(body, bandwidth)

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{service}", before_send)
    client.meta.events.register(f"before-parse.{service}", before_parse)


class _SentBody:
    """A request's body in small pieces, each when its turn comes."""

    def __init__(self, body: Any, bandwidth: Bandwidth) -> None:  # noqa: ANN401 -- whatever can be read
        self._body, self._bandwidth = body, bandwidth
        self._rest: Any = b""
        if hasattr(body, "block_bytes"):  # what it says is sent is then sent soon
            body.block_bytes = min(body.block_bytes, bandwidth.piece_bytes)

    def __len__(self) -> int:
        return len(self._body)

    def tell(self) -> int:
        """As files have it."""
        at: int = self._body.tell()
        return at - len(self._rest)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As files have it."""
        self._rest = b""
        at: int = self._body.seek(offset, whence)
        return at

    def read(self, size: int = -1) -> Any:  # noqa: ANN401 -- what the body gives
        """The next piece, empty at the end."""
        block = self._rest if len(self._rest) else self._body.read(size)
        piece, self._rest = block[: self._bandwidth.piece_bytes], block[self._bandwidth.piece_bytes :]
        self._bandwidth.take(len(piece))
        return piece


class _ReadBody:
    """An answer's body, read as fast as its turns come: what is not read makes the sender wait (RFC 9293, 3.8)."""

    def __init__(self, body: Any, bandwidth: Bandwidth) -> None:  # noqa: ANN401 -- botocore's StreamingBody
        self._body, self._bandwidth = body, bandwidth

    def readinto(self, buffer: memoryview) -> int:
        """Some bytes; 0 at the end."""
        count: int = self._body.readinto(buffer[: self._bandwidth.piece_bytes])
        self._bandwidth.take(count)
        return count

    def read(self, amt: int | None = None) -> bytes:
        """``amt`` bytes, all without."""
        pieces = []
        while amt is None or amt > 0:
            wanted = self._bandwidth.piece_bytes if amt is None else min(amt, self._bandwidth.piece_bytes)
            piece: bytes = self._body.read(wanted)
            if not piece:
                break
            self._bandwidth.take(len(piece))
            pieces.append(piece)
            amt = None if amt is None else amt - len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Drop the connection where bytes are left on it."""
        self._body.close()
