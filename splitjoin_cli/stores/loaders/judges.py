"""Whether lines are RFC 4180 to the letter: by the scanner's kernel where there is one, else by Python's own means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, final

from splitjoin_cli.core.native import DIALECT, OUTCOME, RAGGED, Bytes, kernel
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, is_open, numbered, too_large
from splitjoin_cli.stores.loaders.body import NotPlainError
from splitjoin_cli.stores.loaders.widths import MOST_BEGUN, FieldCounter, check_width

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.core.native import Kernel

__all__ = ["Judge", "KernelJudge", "PythonJudge", "Rules", "judge_for"]

_NOT_FOUND: Final = -(1 << 63)
_FIELD, _RETURNED, _QUOTED = 0, 3, 4  # states of core/native/kernel.c


@dataclass(frozen=True, slots=True)
class Rules:
    """What lines are judged by.

    ``delimiter``: one byte. ``width``: the fields of each record, None for any number. ``line_end``: the only one that
    a record may have, None for either.
    """

    delimiter: bytes
    quote: bytes
    width: int | None
    line_end: bytes | None
    refuse_blank_lines: bool
    most_bytes: int

    @classmethod
    def of(
        cls,
        dialect: Dialect,
        width: int | None,
        *,
        refuse_blank_lines: bool = False,
        refuse_other_line_ends: bool = False,
        most_bytes: int,
    ) -> Rules:
        """For chunks of ``dialect``; see ``plain_blocks``."""
        line_end = (dialect.line_end or "\n").encode() if refuse_other_line_ends else None
        quote = (dialect.quotechar or "").encode()
        return cls(dialect.delimiter.encode(), quote, width, line_end, refuse_blank_lines, most_bytes)


class Judge(Protocol):
    """Reads the lines of one chunk in their order."""

    under_way: int
    """Bytes at the end of what was judged that are of a record whose end has not come."""

    def judged(self, lines: bytes | memoryview) -> bytes | memoryview:
        """The next lines, whole ones (the last may lack its end), with LF for CR LF outside quotes.

        They may be ``lines`` itself. Raises as ``plain_blocks`` says.
        """

    def finish(self, *, ended: bool) -> None:
        """No more lines come. ``ended``: the last one had an end, or there was none. Raises as ``plain_blocks``."""


def judge_for(rules: Rules) -> Judge:
    """The compiled one where there is one and it knows the rules, else the reference."""
    found = kernel()
    if found is None or not KernelJudge.knows(rules):
        return PythonJudge(rules)
    return KernelJudge(rules, found)


@final
class KernelJudge:
    """See Judge: the scanner's kernel walks the lines, twice, without the GIL."""

    @staticmethod
    def knows(rules: Rules) -> bool:
        """Whether it can judge by these rules. A blank line is a record of one field: with more, it is refused."""
        return len(rules.quote) == 1 and (not rules.refuse_blank_lines or rules.width not in {None, 1})

    def __init__(self, rules: Rules, kernel: Kernel) -> None:
        """Nothing was judged yet."""
        self._rules, self._functions, self._level = rules, kernel.functions, kernel.level
        self._dialect = DIALECT(rules.delimiter[0], rules.quote[0], -1, ord("\r"))
        self._outcome, self._ragged = OUTCOME(), RAGGED()
        self._state = _FIELD
        self._number = 1  # of the record under way
        self._begun = 0  # its delimiters
        self.under_way = 0

    def judged(self, lines: bytes | memoryview) -> bytes | memoryview:
        """See Judge."""
        rules, state = self._rules, self._state
        with Bytes(lines) as place:
            end, records, last_end, crlf, tail = self._scanned(place.address, place.size, state)
            if rules.line_end is not None and crlf != (records if rules.line_end == b"\r\n" else 0):
                raise NotPlainError
            self._measure(lines, records, last_end)
            if rules.width is not None:
                self._check_widths(place, state, rules.width)
        self._begun = tail if records else self._begun + tail
        self._number += records
        self._state = end
        if rules.width is not None and self._begun >= rules.width + MOST_BEGUN:
            reason = f"the record has {self._begun + 1} fields or more, not {rules.width}"
            raise BadRecordError(reason, numbered(self._number))
        return self._with_lf(lines, crlf, inside=state == _QUOTED)

    def finish(self, *, ended: bool) -> None:
        """See Judge."""
        if self._state == _QUOTED:
            raise BadRecordError("a quote is never closed", is_open)
        if not ended and self._rules.width is not None:
            check_width(self._number, self._begun + 1, self._rules.width)

    def _scanned(self, address: int, size: int, state: int) -> tuple[int, int, int, int, int]:
        """The state at the end, the records that end, where the last one does, by how many CR LF, delimiters since."""
        self._functions.sj_scan(self._level, address, size, self._dialect, state, self._outcome)
        end, records, _, last_end, crlf, _, tail, stray, _, lone = self._outcome
        if stray != _NOT_FOUND or lone != _NOT_FOUND or end == _RETURNED:
            raise NotPlainError
        return end, records, last_end, crlf, tail

    def _measure(self, lines: bytes | memoryview, records: int, last_end: int) -> None:
        if self.under_way + len(lines) > self._rules.most_bytes:  # there may be a record that is too large
            parts, inside = bytes(lines).split(self._rules.quote), self._state == _QUOTED
            self.under_way = _records_measured(parts, self.under_way, inside=inside, most_bytes=self._rules.most_bytes)
        else:
            self.under_way = len(lines) - last_end if records else self.under_way + len(lines)

    def _check_widths(self, place: Bytes, state: int, width: int) -> None:
        found = self._functions.sj_ragged(
            self._level, place.address, place.size, self._dialect, state, self._begun, width - 1, self._ragged
        )
        if found:
            start, delimiters = self._ragged
            before = self._scanned(place.address, start, state)[1] if start > 0 else 0
            check_width(self._number + before, delimiters + 1, width)

    def _with_lf(self, lines: bytes | memoryview, crlf: int, *, inside: bool) -> bytes | memoryview:
        if not crlf:
            return lines
        lines = bytes(lines)
        if crlf == lines.count(b"\r"):
            return lines.replace(b"\r\n", b"\n")
        parts = lines.split(self._rules.quote)
        _to_lf(parts, inside=inside)
        return self._rules.quote.join(parts)


@final
class PythonJudge:
    """See Judge."""

    def __init__(self, rules: Rules) -> None:
        """Nothing was judged yet."""
        self._rules = rules
        self._counter = None if rules.width is None else FieldCounter(rules.delimiter, rules.width)
        self._inside = False
        self.under_way = 0

    def judged(self, lines: bytes | memoryview) -> bytes:
        """See Judge."""
        lines = bytes(lines)
        rules, inside = self._rules, self._inside
        parts = lines.split(rules.quote) if rules.quote else [lines]
        _check_quotes(parts, rules.delimiter[0], inside=inside)
        self.under_way = _record_under_way(
            parts, self.under_way, len(lines), inside=inside, most_bytes=rules.most_bytes
        )
        outside = _outside(parts, lines, inside=inside, line_end=rules.line_end)
        if self._counter is not None:
            self._counter.count(outside)
        if rules.refuse_blank_lines and _has_blank_line(parts, inside=inside):
            raise NotPlainError
        self._inside ^= len(parts) % 2 == 0
        return rules.quote.join(parts) if b"\r" in lines else lines

    def finish(self, *, ended: bool) -> None:
        """See Judge."""
        if self._inside:
            raise BadRecordError("a quote is never closed", is_open)
        if self._counter is not None:
            self._counter.finish(ended=ended)


def _to_lf(parts: list[bytes], *, inside: bool) -> None:
    """LF for CR LF in those of ``parts``, cut at the quotes, that are outside."""
    parts[inside::2] = [part.replace(b"\r\n", b"\n") for part in parts[inside::2]]


def _outside(parts: list[bytes], lines: bytes, *, inside: bool, line_end: bytes | None) -> bytes:
    """What is outside quotes, LF for CR LF there and in ``parts``, which are ``lines`` cut at the quotes.

    Raises NotPlainError for a lone CR, and for a record that ends otherwise than with ``line_end``, if one is said.
    """
    outside = b"".join(parts[inside::2])
    if line_end and outside.count(b"\r\n") != (outside.count(b"\n") if line_end == b"\r\n" else 0):
        raise NotPlainError
    if b"\r" not in lines:
        return outside
    _to_lf(parts, inside=inside)
    outside = b"".join(parts[inside::2])
    if b"\r" in outside:
        raise NotPlainError
    return outside


def _record_under_way(parts: list[bytes], before: int, size: int, *, inside: bool, most_bytes: int) -> int:
    """How many bytes of a record stand at the end of these ``size`` bytes, whose first record had ``before`` already.

    Raises BadRecordError where a record is larger than ``most_bytes``. Each is looked at only where one may be.
    """
    if before + size > most_bytes:
        return _records_measured(parts, before, inside=inside, most_bytes=most_bytes)
    behind = -1  # quotes between the parts
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        behind += len(part) + 1
        if place % 2 == inside and (end := part.rfind(b"\n")) >= 0:
            return behind - end - 1
    return before + size


def _records_measured(parts: list[bytes], under_way: int, *, inside: bool, most_bytes: int) -> int:
    """See _record_under_way: record by record."""
    for place, part in enumerate(parts):
        begin = 0
        if place:
            under_way += 1
        while place % 2 == inside and (end := part.find(b"\n", begin) + 1):
            if under_way + end - begin > most_bytes:
                raise too_large(most_bytes)
            under_way, begin = 0, end
        under_way += len(part) - begin
        if under_way > most_bytes:
            raise too_large(most_bytes)
    return under_way


def _has_blank_line(parts: list[bytes], *, inside: bool) -> bool:
    return (not inside and parts[0].startswith(b"\n")) or any(b"\n\n" in part for part in parts[inside::2])


def _check_quotes(parts: list[bytes], delimiter: int, *, inside: bool) -> None:
    """``parts``: whole lines, cut at the quotes; every other one lies outside. Raises NotPlainError for stray quotes.

    A part outside that is empty is a doubled quote. Any other begins after a closing quote and ends before an opening
    one: there stand delimiters and line ends alone. The first and the last part end at the lines' own edges.
    """
    if len(parts) == 1:
        return
    starts, ends = (delimiter, 10, 13), (delimiter, 10)
    outside = parts[inside::2]
    if not inside:
        first = outside.pop(0)
        if first and first[-1] not in ends:
            raise NotPlainError
    if outside and (len(parts) - inside) % 2 == 1:
        final = outside.pop()
        if final and final[0] not in starts:
            raise NotPlainError
    if any(part and (part[0] not in starts or part[-1] not in ends) for part in outside):
        raise NotPlainError
