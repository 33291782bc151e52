"""What stores and the proxies before them answer otherwise than S3 does, made regular in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.bytes import crc64 as checksums

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["regular", "whole_checksum"]

CHECKSUM = "ChecksumCRC64NVME"


def regular(answer: dict[str, Any]) -> dict[str, Any]:
    """``answer`` with metadata names in lower case, and without a checksum that says nothing of the whole object.

    HTTP has no case in names: a proxy may write ``X-Amz-Meta-Splitjoin`` (RFC 9110, section 5.1). A CRC-64/NVME is of
    the whole object by definition (S3 User Guide, "Checking object integrity"), yet stores write one that was made of
    those of the parts, with their number behind it, or four bytes: such a checksum is unknown, not wrong.
    """
    if "Metadata" in answer:
        answer["Metadata"] = {name.lower(): value for name, value in answer["Metadata"].items()}
    for part in (answer, answer.get("CopyPartResult")):
        if part and CHECKSUM in part and (part.get("ChecksumType") == "COMPOSITE" or not _is_readable(part[CHECKSUM])):
            del part[CHECKSUM]
    return answer


def whole_checksum(answer: Mapping[str, Any]) -> int | None:
    """The CRC-64/NVME that a regular answer gives; None where it gives none."""
    text = answer.get(CHECKSUM)
    return None if text is None else checksums.decode(text)


def _is_readable(text: str) -> bool:
    try:
        checksums.decode(text)
    except ValueError:
        return False
    return True
