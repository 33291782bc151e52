"""What stores and proxies are known to answer otherwise than S3 does: for a proxy's ``alter`` and ``refuse``.

Seen in Caddy's reverse proxy and other Go servers (names), in moto and MiniStack (checksums), in ``rclone serve s3``
(copies, 404 where no upload is open) and s3rver (501).
"""

from __future__ import annotations

import http
import re
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.proxy import Answer, Asked

    Alter = Callable[[Asked, Answer], Answer]

FOUR_BYTES = "AAAAAA=="
OF_THE_PARTS = "AAAAAAAAAAA=-3"
NO_BASE64 = "none"
CHECKSUM_HEADER = "x-amz-checksum-crc64nvme"


def all_of(*alters: Alter) -> Alter:
    """One after the other."""
    return lambda asked, answer: reduce(lambda so_far, alter: alter(asked, so_far), alters, answer)


def go_names(_: Asked, answer: Answer) -> Answer:
    """As Go's net/http writes the names of headers: ``X-Amz-Meta-Splitjoin``."""
    return replace(answer, headers=tuple((name.title(), value) for name, value in answer.headers))


def checksums(text: str, *, kind: str = "FULL_OBJECT", of_puts: bool = False) -> Alter:
    """``text`` for every CRC-64/NVME of an object, in headers and documents; ``of_puts``: of PUTs too."""

    def alter(asked: Asked, answer: Answer) -> Answer:
        if asked.method == "PUT" and not of_puts:
            return answer
        said = {name.lower() for name, _ in answer.headers}
        changed = {CHECKSUM_HEADER: text, "x-amz-checksum-type": kind} if CHECKSUM_HEADER in said else {}
        headers = tuple(one for one in answer.headers if one[0].lower() not in changed) + tuple(changed.items())
        body = answer.body and re.sub(
            rb"(<ChecksumCRC64NVME>)[^<]*", rb"\g<1>" + text.encode(), answer.body, flags=re.ASCII
        )
        return replace(answer, headers=headers, body=body)

    return alter


def without(field: str, wanted: Callable[[Asked], bool]) -> Alter:
    """Answers to some requests lack a field: the header of this name, and the XML element."""

    def alter(asked: Asked, answer: Answer) -> Answer:
        if not wanted(asked):
            return answer
        headers = tuple(one for one in answer.headers if one[0].lower() != field.lower())
        body = answer.body and re.sub(f"<{field}>[^<]*</{field}>".encode(), b"", answer.body, flags=re.ASCII)
        return replace(answer, headers=headers, body=body)

    return alter


copies_without_etag = without("ETag", lambda asked: asked.copies)


def no_empty_listing_of_uploads(asked: Asked, answer: Answer) -> Answer:
    """404 instead of a listing that holds nothing."""
    if not lists_uploads(asked) or b"<Upload>" in (answer.body or b""):
        return answer
    return replace(answer, status=404, body=b"<Error><Code>NoSuchUpload</Code><Message>none</Message></Error>")


def ignores_conditions(asked: Asked, answer: Answer) -> Answer:
    """A PUT whose condition does not hold is answered as if it had been stored."""
    if asked.method != "PUT" or answer.status != http.HTTPStatus.PRECONDITION_FAILED:
        return answer
    return replace(answer, status=200, headers=(("ETag", '"taken"'),), body=b"")


def lists_uploads(asked: Asked) -> bool:
    """Whether a request is ListMultipartUploads."""
    return asked.method == "GET" and not asked.key and "uploads" in asked.query


def refuses_to_list_uploads(status: int, code: str) -> Callable[[Asked], tuple[int, str] | None]:
    """For ``refuse``."""
    return lambda asked: (status, code) if lists_uploads(asked) else None


everything = all_of(go_names, checksums(OF_THE_PARTS), copies_without_etag, no_empty_listing_of_uploads)
"""All at once, as far as a store with all of them can still be swept."""
