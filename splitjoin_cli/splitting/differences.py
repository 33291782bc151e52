"""What two splits of one name differ in: what exit 11 says, so that an operator knows whether to replace."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.words import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import Dialect

__all__ = ["differences"]

OF_NO_RUN = frozenset({"line_end"})
"""What follows from the content, and is not always known."""


def differences(theirs: Manifest | PlanFile, plan: PlanFile) -> str:
    """``what differs: content (57 bytes there, 60 here)``, and that a manifest does not record the other options."""
    same_content = theirs.source.fingerprint == plan.source.fingerprint
    found = [] if same_content else [_content(theirs, plan)]
    found += _dialect(theirs.dialect, plan.dialect)
    if theirs.compression != plan.compression:
        found.append(_both("compression", theirs.compression, plan.compression))
    if not found:
        # The same bytes in the same form: the run's id holds nothing else but where they are cut, label and encoding.
        cut_alike = theirs.chunks.boundaries() == plan.chunks.boundaries()
        found.append(
            "run label, or --encoding" if cut_alike else f"chunk size ({_chunks(theirs)} there, {_chunks(plan)} here)"
        )
    return f"what differs: {', '.join(found)}{_unknown(theirs, plan)}"


def _unknown(theirs: Manifest | PlanFile, plan: PlanFile) -> str:
    """A plan has a digest of its options, a manifest has nothing of them."""
    if isinstance(theirs, Manifest):
        return "; its other options are not recorded"
    return "" if theirs.options_digest == plan.options_digest else "; its options are others"


def _content(theirs: Manifest | PlanFile, plan: PlanFile) -> str:
    """By its size: a fingerprint begins with it."""
    there, here = (one.source.fingerprint.partition("-")[0] for one in (theirs, plan))
    if there == here:
        return f"content ({there} bytes, other ones)"
    return f"content ({there} bytes there, {here} here)"


def _dialect(theirs: Dialect, ours: Dialect) -> Iterator[str]:
    for field in fields(ours):
        there, here = getattr(theirs, field.name), getattr(ours, field.name)
        if field.name not in OF_NO_RUN and there != here:
            yield _both(f"dialect: {field.name}", there, here)


def _both(what: str, there: object, here: object) -> str:
    return f"{what} ({_shown(there)} there, {_shown(here)} here)"


def _shown(value: object) -> str:
    words = {None: "none", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)


def _chunks(split: Manifest | PlanFile) -> str:
    return count_text(len(split.chunks), "chunk")
