"""``splitjoin split`` of several sources: one call, then what became of each, and one summary line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from splitjoin_cli.cli import parsed
from splitjoin_cli.cli.signals import too_late
from splitjoin_cli.cli.split_text import failed_chunks, left_out, manifest_of, plan_lines, summary
from splitjoin_cli.cli.text import count_text, duration_text, without_secrets
from splitjoin_cli.core.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import click

    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.splitting.splits import SplitsResult

SHOWN = 100
"""Of the reasons for which sources failed, how many are listed."""
SHOWN_ALIKE = 5
_RUN = re.compile(r"\(run [0-9a-f]{32}\)")
STOPPED = frozenset({130, 143})
LASTING = frozenset({2, 4, 11})
"""Exit codes of sources that fail again: a name, bad input, and a name that is taken."""
RESUME_CHARACTERS = 1000
"""A longer command is not repeated."""


def split_several(
    ctx: click.Context, sources: Sequence[str], destination: str, values: dict[str, Any], terminal: Terminal
) -> int:
    """Split them, say the result, and return the exit code."""
    from splitjoin_cli.api.split import split

    if values["client"] is not None and not parsed.typed(ctx, "client"):
        values["client"] = None
        terminal.note("SPLITJOIN_CLIENT names one split: it is ignored for several sources")
    result: SplitsResult | None = None
    try:
        with terminal.observer() as observer:
            result = split(list(sources), destination, observer=observer, **parsed.passed(ctx, values))
            if result.stopped is not None:
                raise result.stopped  # so that the progress ends as one that was stopped
    except StoppedError:
        if result is None:
            raise
    with too_late():
        _show(result, terminal, dry_run=values["dry_run"])
    return result.exit_code


def _show(result: SplitsResult, terminal: Terminal, *, dry_run: bool) -> None:
    """Say the result."""
    document = result.to_json()
    _without_secrets(document)
    if terminal.as_json:
        terminal.document(document)
        return
    if result.left_out:
        terminal.note(f"left out: {count_text(result.left_out, 'name')} of chunks, plans and manifests")
    whole = [one for one in document["splits"] if "error" not in one]
    if dry_run:
        for one in whole:
            terminal.lines([f"{one['file_name']} of {one['source']['uri']}", *plan_lines(one), ""])
    else:
        if terminal.verbose:
            for one in whole:
                if said := left_out(one):
                    terminal.note(f"{one['source']['uri']}: {said}")
                terminal.note(f"{one['source']['uri']}: {summary(one)}")
        terminal.lines(manifest_of(one) for one in whole)
    _say_failures(document, result, terminal)
    if result.error is None or document["splits"] or document["not_begun"]:
        terminal.note(_summary(document))


def _say_failures(document: Mapping[str, Any], result: SplitsResult, terminal: Terminal) -> None:
    """Each source that is not split and why, then why the command fails."""
    failed = [one for one in document["splits"] if "error" in one]
    if result.stopped is not None:
        for one in _interrupted(document):
            terminal.note(f"{one['source']['uri']}: {one['error']['hint'] or 'nothing is stored yet'}")
        failed = [one for one in failed if one["error"]["code"] != result.stopped.exit_code]
    alike = _alike(failed)
    for group in alike[:SHOWN]:
        for line in _failure(group):
            terminal.say(line.replace("\n", "\\n"))
    if len(alike) > SHOWN:
        more = sum(map(len, alike[SHOWN:]))
        terminal.say(f"and {count_text(more, 'more source')} failed; --json lists all")
    error = result.error
    if error is None:
        return
    error.message = without_secrets(error.message)
    if result.resume is not None and len(result.resume) > RESUME_CHARACTERS:
        error.hint = (error.hint or "").replace(f"type: {result.resume}", "type the same command again")
    if result.stopped is None and error.hint and all(one["error"]["code"] in LASTING for one in failed):
        error.hint = error.hint.replace("to resume, ", "remove the causes above, then ", 1)
    terminal.error(error)


def _interrupted(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The sources that a signal ended."""
    return [one for one in document["splits"] if "error" in one and one["error"]["code"] in STOPPED]


def _alike(failed: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Those that failed, together where the reason is the same: a thousand sources may miss the same right."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in failed:
        uri, error = one["source"]["uri"], one["error"]
        reason = _RUN.sub("", f"{error['message']}\n{error['hint']}".replace(uri, ""))
        groups.setdefault(f"{uri} {reason}" if "chunks" in one else reason, []).append(one)
    return list(groups.values())


def _failure(alike: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of the first of a group, and which others there are."""
    one, others = alike[0], [each["source"]["uri"] for each in alike[1:]]
    uri, error = one["source"]["uri"], one["error"]
    named = "" if uri in error["message"] else f"{uri}: "
    yield f"Error: {named}{error['message']}"
    if "chunks" in one:
        yield from failed_chunks(one)
    elif error["hint"]:
        yield f"Hint: {error['hint']}"
    if others:
        rest = ", ..." if len(others) > SHOWN_ALIKE else ""
        yield f"The same for {count_text(len(others), 'more source')}: {', '.join(others[:SHOWN_ALIKE])}{rest}"


def _total(document: Mapping[str, Any]) -> str:
    return count_text(len(document["splits"]) + document["not_begun"], "source")


def _summary(document: Mapping[str, Any]) -> str:
    """``300 sources: 297 done, 2 failed, 1 not begun in 12 s``."""
    interrupted = len(_interrupted(document))
    failed = document["failed"] - interrupted
    parts = [f"{document['done']:,} done"]
    parts += [f"{failed:,} failed"] if failed else []
    parts += [f"{interrupted:,} interrupted"] if interrupted else []
    parts += [f"{document['not_begun']:,} not begun"] if document["not_begun"] else []
    return f"{_total(document)}: {', '.join(parts)} in {duration_text(document['seconds'])}"


def _without_secrets(document: dict[str, Any]) -> None:
    """No error's text holds a URL's user, password or query."""
    for error in filter(None, [document["error"], *(one.get("error") for one in document["splits"])]):
        error["message"] = without_secrets(error["message"])
        error["hint"] = without_secrets(error["hint"]) if error["hint"] else None
