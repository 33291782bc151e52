"""Words what a scan, or the probes of a copy, saw in a source: warnings, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.cuts import BySize
from splitjoin_cli.splitting.edges import edge_hints, survey_warnings
from splitjoin_cli.splitting.hints import blank_warning, header_warnings, letter_warning, open_warning
from splitjoin_cli.splitting.limits import large_warning, oversized_warning
from splitjoin_cli.splitting.locate import byte_of, find_open_quote, find_ragged, line_of, read_blocks
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.outcome import NO_OFFSET
from splitjoin_cli.splitting.trailer import text_fields, trailer_warnings

if TYPE_CHECKING:
    from splitjoin_cli.splitting.around import Around
    from splitjoin_cli.splitting.cuts import CutRule
    from splitjoin_cli.splitting.intake import Scanned
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.probe import Probed
    from splitjoin_cli.splitting.records.watch import Watch
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["probe_warnings", "scan_warnings"]


def scan_warnings(
    around: Around, builder: PlanBuilder, found: Scanned, rule: CutRule, *, declared: bool
) -> tuple[str, ...]:
    """Of a source that was scanned to its end. ``declared``: its encoding was named."""
    dialect, records, fields = around.dialect, around.source, (builder.expected_delimiters or 0) + 1
    warnings = [*edge_hints(around, dialect, fields=fields, rows=found.rows, last=found.survey.last)]
    warnings += survey_warnings(found.survey, records, dialect, declared=declared)
    if isinstance(rule, BySize) and rule.oversized:
        warnings.append(oversized_warning(rule.oversized))
    if builder.large.records:
        warnings.append(large_warning(builder.large.records, line_of(records, builder.large.first)))
    warnings += header_warnings(found.header, fields, dialect)
    if builder.watch is not None:
        warnings += _watched(builder.watch, records)
    warnings += _ragged(builder, around)
    if found.open_record is not None:
        at = find_open_quote(records, Alphabet.of(dialect), found.open_record)
        warnings.append(open_warning(line_of(records, at), byte_of(records, at)))
    if around.has_trailer:
        warnings += trailer_warnings(around.tail, dialect, fields, found.rows)
    return tuple(warnings)


def probe_warnings(around: Around, probed: Probed) -> tuple[str, ...]:
    """Of a source of which no more was read than the bytes around each boundary."""
    dialect, warnings = around.dialect, list[str]()
    if probed.header:
        fields = len(text_fields(probed.header.decode(dialect.encoding, "replace"), dialect))
        warnings += edge_hints(around, dialect, fields=fields, rows=None)
    if probed.oversized:
        warnings.append(oversized_warning(probed.oversized))
    return tuple(warnings)


def _watched(watch: Watch, records: Source) -> list[str]:
    """Blank lines, and letters after the escape character."""
    warnings = []
    if watch.blank_lines:
        warnings.append(blank_warning(watch.blank_lines, line_of(records, watch.first_blank)))
    if watch.first_letter != NO_OFFSET:
        at = watch.first_letter
        pair = b"".join(map(bytes, read_blocks(records, at, at + 2))).decode("ascii", "replace")
        warnings.append(letter_warning(pair, line_of(records, at)))
    return warnings


def _ragged(builder: PlanBuilder, around: Around) -> list[str]:
    """Records with more or fewer fields than the first: the first of them, looked for again."""
    ragged, expected = builder.ragged, builder.expected_delimiters or 0
    if not ragged.chunks:
        return []
    start = builder.chunks[ragged.first].range.start
    blanks = around.dialect.skip_blank_lines or bool(builder.watch and builder.watch.blank_lines)
    record = find_ragged(around.source, Alphabet.of(around.dialect), start, expected, blanks=blanks)
    if record is None:
        return []
    chunks, at = count_text(len(builder.chunks), "chunk"), byte_of(around.source, record.start)
    here = f"line {record.line} (byte {at}) has {count_text(record.fields, 'field')}, the first has {expected + 1}"
    return [f"{here}; such records are in {ragged.chunks} of {chunks}"]
