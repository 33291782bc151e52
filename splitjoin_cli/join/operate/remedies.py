"""What each cause of a failure needs before its chunks can be loaded, and then, once, the command that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from splitjoin_cli.core.words import which
from splitjoin_cli.join.operate.reasons import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from splitjoin_cli.join.operate.causes import Cause, Kind
    from splitjoin_cli.join.operate.commands import Commands

__all__ = ["before_split", "remedies"]

REPLACED = 3
"""Chunks that are mended one by one; where more have bad rows, the source is."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """``steps``, and what comes after those of all causes.

    ``split`` the source as another run, ``upload`` what is not stored, ``look`` for it, ``load`` what is missing.
    """

    steps: tuple[Step, ...]
    after: Literal["split", "upload", "look", "load"] | None


def remedies(found: list[Cause], typed: Commands) -> Iterator[Step]:
    """The steps of all causes, in their order."""
    known = [REMEDIES[cause.kind](cause, typed) for cause in found]
    for remedy in known:
        yield from remedy.steps
    afters = {remedy.after for remedy in known}
    if "split" in afters:
        yield typed.split(force=True)
    elif "upload" in afters:
        yield typed.split(force=False)
    elif "look" in afters:
        yield typed.status("--dest", typed.place or "DEST")
    elif "load" in afters:
        yield typed.load_again(None)


def before_split(*, unknown: bool) -> str:
    """What is to be at hand. ``unknown``: the object carries no metadata."""
    also = "; or copy the object again with a tool that keeps its metadata" if unknown else ""
    return f"take the file whose rows you want loaded, with the options of its first split{also}"


def _say(text: str) -> Step:
    return Step(text, command=False)


def _other_run(cause: Cause, typed: Commands) -> Remedy:
    """Out with the other run's rows; or a worker that replaces them, or that leaves them."""
    text = (
        f"{which(cause.numbers)}: take run {cause.about} out of the database (with --run-column NAME where the table"
        " has one; without it the command says the SQL); or start the worker with --run-column NAME, which replaces an"
        " older run's rows, or with --beside-other-run"
    )
    return Remedy((_say(text), typed.clear(cause.about)), "load")


def _other_bytes(cause: Cause, typed: Commands) -> Remedy:
    text = f"{which(cause.numbers)}: take this run out of the database, so that what is stored now is loaded"
    return Remedy((_say(text), typed.clear(None)), "load")


def _other_table(cause: Cause, _: Commands) -> Remedy:
    return Remedy((_say(f"{which(cause.numbers)}: start the worker with --table {cause.about}"),), "load")


def _columns(cause: Cause, _: Commands) -> Remedy:
    return Remedy((_say(f"{which(cause.numbers)}: give the table the columns that the header names"),), "load")


def _header(cause: Cause, _: Commands) -> Remedy:
    """All chunks of the split have it, and a replaced chunk must have it too."""
    return Remedy((_say(f"{which(cause.numbers)}: change the header in SOURCE, as the error says"),), "split")


def _other_split(cause: Cause, _: Commands) -> Remedy:
    return Remedy((_say(f"{which(cause.numbers)}: {before_split(unknown=False)}"),), "split")


def _error(cause: Cause, _: Commands) -> Remedy:
    return Remedy((_say(f"{which(cause.numbers)}: mend what the error says"),), "load")


def _bad_row(cause: Cause, typed: Commands) -> Remedy:
    """Of few chunks each is mended; of many their source is, since a bad export has bad rows everywhere."""
    chunks, clear, split = which(cause.numbers), typed.clear(None), typed.split(force=True)
    if len(cause.numbers) > REPLACED:
        text = f"{chunks}: mend the rows in SOURCE, take this run out of the database, and split SOURCE again"
        return Remedy((_say(text), clear), "split")
    it = "it" if len(cause.numbers) == 1 else "them"
    return _replaced(
        cause,
        f"{chunks}: copy {it} from {typed.place or 'DEST'} to FILE, mend the row there, and replace {it}. Or change"
        f" the table, then: {typed.load_again(None).text}. Or mend the row in SOURCE, then: {clear.text}; and:"
        f" {split.text}",
        typed,
    )


def _no_metadata(cause: Cause, typed: Commands) -> Remedy:
    if len(cause.numbers) > REPLACED:
        return Remedy((_say(f"{which(cause.numbers)}: {before_split(unknown=True)}"),), "split")
    it = "it" if len(cause.numbers) == 1 else "them"
    text = f"copy {it} from {typed.place or 'DEST'} to FILE, and store {it} again, with what was lost"
    return _replaced(cause, f"{which(cause.numbers)}: {text}", typed)


def _not_stored(cause: Cause, typed: Commands) -> Remedy:
    """Sent again it would fail again, unless its object is back: where that is not known, it is looked for first."""
    chunks, one = which(cause.numbers), len(cause.numbers) == 1
    if typed.never_uploaded is None:
        text = f"see whether {'its object is' if one else 'their objects are'} stored now"
        return Remedy((_say(f"{chunks}: {text}"),), "look")
    if typed.never_uploaded:
        return Remedy((_say(f"{chunks}: {before_split(unknown=False)}"),), "upload")
    return Remedy((_say(f"{chunks}: {'its object is' if one else 'their objects are'} stored again"),), "load")


def _mended(cause: Cause, typed: Commands) -> Remedy:
    it = "it" if len(cause.numbers) == 1 else "them"
    return _replaced(cause, f"{which(cause.numbers)}: replace {it} again, with the FILE that is to be loaded", typed)


def _replaced(cause: Cause, text: str, typed: Commands) -> Remedy:
    """A queue is sent a replaced chunk's event; from a directory it is loaded by a command of its own."""
    return Remedy((_say(text), *(typed.replace(number) for number in cause.numbers)), "load" if typed.here else None)


REMEDIES: Mapping[Kind, Callable[[Cause, Commands], Remedy]] = {
    "ledger-run": _other_run,
    "ledger-object": _other_bytes,
    "ledger-table": _other_table,
    "mended": _mended,
    "no-metadata": _no_metadata,
    "not-stored": _not_stored,
    "other-run": _other_split,
    "other-total": _other_split,
    "columns": _columns,
    "header": _header,
    "bad-row": _bad_row,
    "other": _error,
}
