"""A plan or manifest on S3, read piece by piece: by ranges that are pinned to the ETag of the first one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import ObjectChangedError
from splitjoin_cli.stores.sinks.s3_place import ABSENT_CODES

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.s3 import Bucket

__all__ = ["OpenSmallObject", "open_small"]

WINDOW_BYTES = 4 * 1024 * 1024
"""Read at once: nearly every manifest is one request."""
CHANGED_CODES = ABSENT_CODES | {"PreconditionFailed", "412", "InvalidRange", "416"}


def open_small(bucket: Bucket, key: str) -> OpenSmallObject | None:
    """One GET; None where there is no such object. Raises StoreError."""
    with bucket.translating("get_object", key):
        try:
            return OpenSmallObject(bucket, key)
        except aws.ERRORS as exc:
            if aws.error_code(exc) in ABSENT_CODES:
                return None
            raise


class OpenSmallObject:
    """See OpenSmall. One thread's."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        """Raises botocore's errors."""
        self._bucket, self._key = bucket, key
        self._start, self._window = 0, b""
        self.validator, self.size = "", 0
        try:
            answer, self._window = self._get(0)
        except aws.ERRORS as exc:
            if aws.error_code(exc) != "InvalidRange":  # an empty object has no first byte
                raise
            return
        self.validator = str(answer.get("ETag", ""))
        total = str(answer.get("ContentRange", "")).rpartition("/")[2]
        self.size = int(total) if total.isdecimal() else len(self._window)  # a store without ranges sends all

    def read_at(self, offset: int, size: int) -> bytes:
        """See OpenSmall."""
        pieces, end = [], min(offset + size, self.size)
        while offset < end:
            if not self._start <= offset < self._start + len(self._window):
                self._start, self._window = offset, self._next(offset)
            at = offset - self._start
            pieces.append(self._window[at : at + end - offset])
            offset += len(pieces[-1])
        return b"".join(pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._window = b""

    def _next(self, offset: int) -> bytes:
        changed = f"{self._bucket.uri(self._key)} changed while it was read"
        with self._bucket.translating("get_object", self._key):
            try:
                answer, data = self._get(offset, IfMatch=self.validator)
            except aws.ERRORS as exc:
                if aws.error_code(exc) in CHANGED_CODES:
                    raise ObjectChangedError(changed, hint="run the same command again") from exc
                raise
        asked = f"bytes {offset}-{offset + len(data) - 1}/"
        if not data or answer.get("ETag") != self.validator or not answer.get("ContentRange", asked).startswith(asked):
            raise ObjectChangedError(changed, hint="run the same command again")
        return data

    def _get(self, offset: int, **condition: str) -> tuple[dict[str, Any], bytes]:
        def attempt() -> tuple[dict[str, Any], bytes]:
            part = f"bytes={offset}-{offset + WINDOW_BYTES - 1}"
            answer = self._bucket.once("get_object", self._key, Range=part, **condition)
            with contextlib.closing(answer["Body"]) as body:
                return answer, body.read()

        return self._bucket.repeat(attempt, "get_object", self._key, stoppable=False)
