"""What ``split`` makes of a file with the options that were proposed, read character by character."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_VALUE = {
    *("--delimiter", "--quotechar", "--escapechar", "--escape-in", "--encoding", "--null", "--dialect", "--line-end"),
    *("--on-stray-quote", "--skip-lines", "--skip-trailer", "--client"),
}


def parsed(options: Sequence[str]) -> dict[str, str]:
    """Options and their values; a flag's is empty. The last NULL spelling alone: widths do not need them."""
    words, found = iter(options), {}
    for word in words:
        found[word] = next(words) if word in WITH_VALUE else ""
    return found


def widths(data: bytes, options: Sequence[str], *, encoding: str) -> list[int]:
    """How many fields each record has, the header first, of what is not skipped; a stray quote is -1."""
    chosen = parsed(options)
    text = data.decode(encoding).removeprefix("\ufeff")
    lines = text.split("\n")
    lines = [f"{one}\n" for one in lines[:-1]] + lines[-1:]
    del lines[: int(chosen.get("--skip-lines", 0))]
    for _ in range(int(chosen.get("--skip-trailer", 0))):
        lines = _without_blanks(lines)
        lines.pop()
    if "--skip-trailer" in chosen:
        lines = _without_blanks(lines)
    text = "".join(lines)
    delimiter = chosen.get("--delimiter", ",").replace("tab", "\t")
    quote = chosen.get("--quotechar", '"')
    found = _records(text, delimiter, "" if quote == "none" else quote, chosen)
    if "--skip-blank-lines" in chosen:
        found = [one for one in found if one[1].strip()]
    return [one[0] for one in found]


def _without_blanks(lines: list[str]) -> list[str]:
    last = max((at for at, line in enumerate(lines) if line.strip()), default=-1)
    return lines[: last + 1]


def _records(  # noqa: C901, PLR0912 -- each branch is a rule, in one place
    text: str, delimiter: str, quote: str, chosen: dict[str, str]
) -> list[tuple[int, str]]:
    escape, mysql = chosen.get("--escapechar", ""), chosen.get("--on-stray-quote") == "mysql"
    bare_escape = escape and chosen.get("--escape-in") != "quotes"
    found: list[tuple[int, str]] = []
    at = start = 0
    fields, begins, stray = 1, True, False
    while at < len(text):
        if begins and "--skip-initial-space" in chosen:
            while text.startswith(" ", at):
                at += 1
        if begins and quote and text.startswith(quote, at):
            at += 1
            while at < len(text):
                after = at + len(quote)
                ends = after >= len(text) or text.startswith((delimiter, "\n", "\r\n"), after)
                doubled = text.startswith(quote * 2, at) and not (mysql and ends)
                if doubled or (escape and text.startswith(escape, at)):
                    at += 2
                elif text.startswith(quote, at) and (ends or not mysql):
                    at, stray = after, stray or not ends
                    break
                else:
                    at += 1
            begins = False
            continue
        begins = False
        if bare_escape and text.startswith(escape, at):
            at += 2
        elif text.startswith(delimiter, at):
            fields, begins, at = fields + 1, True, at + len(delimiter)
        elif text[at] == "\n":
            found.append((-1 if stray else fields, text[start:at]))
            at += 1
            fields, begins, stray, start = 1, True, False, at
        else:
            stray = stray or (bool(quote) and not mysql and text.startswith(quote, at))
            at += 1
    if start < len(text):
        found.append((-1 if stray else fields, text[start:]))
    return found
