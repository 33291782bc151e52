"""Small objects on S3, each whole by one request: its bytes and its metadata."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from splitjoin_cli.core.aws.s3 import Bucket, parse_uri
from splitjoin_cli.core.errors import SplitjoinError, StoppedError
from splitjoin_cli.stores.sources.memory import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.aws.s3 import Retry

__all__ = ["MOST_BYTES", "S3Objects", "WholeObject"]

MOST_BYTES = 1024 * 1024
"""Larger objects are not small: they are read in pieces."""
METADATA_KEY = "splitjoin"


class WholeObject(NamedTuple):
    """An object as one answer showed it. ``metadata``: what a chunk says of itself; None where it has none of ours."""

    source: MemorySource
    metadata: str | None


class S3Objects:
    """The objects under a prefix. Thread-safe."""

    def __init__(
        self,
        uri: str,
        client: Any,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        *,
        retry: Retry | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``uri`` ends with ``/``; ``client``: one made with ``attempts=1``. ``check``: raises where all shall end."""
        where = parse_uri(uri)
        self._uri, self._client, self._retry, self._check = uri, client, retry, check
        self._prefix = where.key
        self._bucket = Bucket(client, where.bucket, retry=retry, shared=True)

    def stoppable(self, check: Callable[[], None]) -> S3Objects:
        """The same, with another ``check``."""
        return S3Objects(self._uri, self._client, retry=self._retry, check=check)

    def get(self, name: str, size: int) -> WholeObject | None:
        """One GET of an object that a listing shows with ``size`` bytes.

        None where it is not small, or did not come whole: who opens it by itself says what is wrong.
        """
        self._check()
        if size > MOST_BYTES:
            return None
        key = self._prefix + name

        def attempt() -> WholeObject | None:
            answer = self._bucket.once("get_object", key)
            with contextlib.closing(answer["Body"]) as body:
                data: bytes = body.read(MOST_BYTES + 1) if answer.get("ContentLength") != size else body.read()
            if len(data) != size:
                return None
            return WholeObject(MemorySource(data, self._uri + name), answer.get("Metadata", {}).get(METADATA_KEY))

        try:
            with self._bucket.translating("get_object", key):
                return self._bucket.repeat(attempt, "get_object", key)
        except StoppedError:
            raise
        except SplitjoinError:
            return None
