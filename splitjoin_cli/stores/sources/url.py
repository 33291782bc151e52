"""Everything but http that smart-open reads by URL: sftp, Google and Azure storage, and so on, from the front.

A URL may carry a password, or a signature in its query. Neither it nor a foreign error that might quote it appears in
a message, nor as the cause of one: what is said is the kind of error and the URL less user, password and query.
"""

from __future__ import annotations

import time
from typing import IO, TYPE_CHECKING, cast, final
from urllib.parse import urlunsplit

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.core.urls import parts_of
from splitjoin_cli.stores.sources.resumed import ResumedStream, is_final, kind_of_error, limited
from splitjoin_cli.stores.sources.stream import cannot_seek

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.progress import Moved

__all__ = ["UrlSource", "missing_package", "redacted"]

_EXTRAS = {
    "http": "http",
    "https": "http",
    "gs": "gcs",
    "azure": "azure",
    "ssh": "ssh",
    "scp": "ssh",
    "sftp": "ssh",
    "webhdfs": "webhdfs",
}
"""Scheme -> the extra of smart-open that brings its transport."""
_KNOWN = "a path, s3://, http://, https://, sftp://, ftp://, gs:// or azure://"
_WITH_USER = frozenset({"ftp", "ftps", "ssh", "scp", "sftp"})


def redacted(url: str) -> str:
    """``url`` less user, password, query and fragment."""
    parts = parts_of(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def missing_package(uri: str, scheme: str) -> SourceError:
    """The error for a transport whose package is not installed; the hint installs it."""
    return SourceError(
        f"cannot read {uri}: the package that reads {scheme} is not installed",
        hint=f"pip install 'smart-open[{_EXTRAS.get(scheme, 'all')}]'",
    )


class _File:
    """One opened URL, from its front. An Answer."""

    start = 0

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readinto(self, buffer: memoryview) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()


@final
class UrlSource(StaysHere):
    """A URL that smart-open reads. See Source for the contract.

    Nothing is known of it but its bytes: what is read once more is proved by them.
    """

    def __init__(
        self, url: str, *, bandwidth: Bandwidth | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Open ``url``. Raises SourceError where it cannot be opened, or its extra is missing.

        ``bandwidth``: what limits its passes, and others, together.
        """
        self._url, self._uri, self._sleep, self._bandwidth = url, redacted(url), sleep, bandwidth
        self._scheme = parts_of(url).scheme
        self._closed = False
        self._open_at(0).close()
        self._properties = SourceProperties(
            uri=self._uri,
            seekable=False,
            size=None,
            stored_bytes=None,
            compression=None,
            validator=None,
        )

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- the contract's
        """See Source: this one is not seekable. Raises SourceError."""
        raise cannot_seek(self._uri)

    def stream(self, came: Moved | None = None) -> ResumedStream:
        """See Source."""
        open_at = limited(self._open_at, self._bandwidth)
        return ResumedStream(open_at, self._uri, size=None, sleep=self._sleep, came=came)

    def check_unchanged(self) -> None:
        """See Source: there is nothing to ask for but the bytes, which each chunk's checksum proves."""

    def close(self) -> None:
        """See Source. Passes under way hold their own connections."""
        self._closed = True

    def _open_at(self, _position: int) -> _File:
        """From the front, wherever it is to go on: nothing would prove that the middle is of the same version."""
        if self._closed:
            raise SourceError(f"{self._uri} was closed")
        try:
            import smart_open  # noqa: PLC0415 -- takes longer than the command line may

            return _File(cast("IO[bytes]", smart_open.open(self._url, "rb", compression="disable")))
        except ImportError:
            raise missing_package(self._uri, self._scheme) from None
        except NotImplementedError:
            message = f"cannot read {self._uri}: unknown scheme {self._scheme}"
            raise SourceError(message, hint=_KNOWN) from None
        except Exception as exc:
            if is_final(exc):
                raise
            raise SourceError(f"cannot open {self._uri}: {kind_of_error(exc)}", hint=self._next_step()) from None

    def _next_step(self) -> str:
        """What to do where it cannot be opened."""
        parts = parts_of(self._url)
        if parts.scheme in _WITH_USER and not parts.username:
            return f"name the user: {parts.scheme}://USER@{parts.netloc}{parts.path}"
        return "check the URL, the login and the network"
