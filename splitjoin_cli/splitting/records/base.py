"""What a block scanner is: it finds the records of a block of CSV bytes, for whatever state the block starts in.

A block becomes a ``BlockIndex``: for each state its first byte may find the parser in, an ``Outcome`` (the state after
it, record ends, delimiters, the first place that breaks the rules); see ``outcome`` for how indexes combine. What a
record is, is the csv module's answer (``csv.reader`` over utf-8-sig, ``strict`` off), except that a CR outside quotes
must stand before an LF. What that module does not know, the alphabet says: delimiters of several bytes, escape
characters that work in quotes alone, the quotes of MySQL's reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.core.model import Dialect, StrayQuote
    from splitjoin_cli.splitting.records.outcome import BlockIndex, Outcome

__all__ = ["Alphabet", "BlockScanner", "FieldCount"]


class Alphabet(NamedTuple):
    """The dialect as bytes: what ends a field or a record, and what quotes and escapes do.

    ``delimiter``: 1 to 8 bytes. ``stray``: see Dialect.stray_quote. ``lf``: only LF ends a record, and CR is data.
    ``escape_in_quotes``: outside quotes the escape character is data. ``skip_spaces``: spaces at a field's start are
    passed over, so that a quote behind them opens.
    """

    delimiter: bytes
    quote: int | None
    escape: int | None
    stray: StrayQuote = "error"
    lf: bool = False
    escape_in_quotes: bool = False
    skip_spaces: bool = False

    @classmethod
    def of(cls, dialect: Dialect) -> Alphabet:
        """The bytes of a dialect's characters; what makes no difference is left at its default."""
        quote, escape = dialect.quotechar, dialect.escapechar
        return cls(
            dialect.delimiter_bytes,
            None if quote is None else ord(quote),
            None if escape is None else ord(escape),
            "error" if quote is None else dialect.stray_quote,
            dialect.line_end_rule == "lf",
            dialect.escape_in == "quotes",
            dialect.skip_initial_space and quote is not None,
        )

    @property
    def literal(self) -> bool:
        """Whether a stray quote is data, as the csv module has it, instead of a defect."""
        return self.stray == "literal"

    @property
    def ret(self) -> int | None:
        """The byte that may stand only before an LF; None: there is none."""
        return None if self.lf else 0x0D  # CR

    @property
    def needs_table(self) -> bool:
        """Whether bit masks over single bytes cannot read it."""
        return len(self.delimiter) > 1 or self.stray == "mysql" or self.escape_in_quotes or self.skip_spaces


class FieldCount(NamedTuple):
    """A record's first byte, counted from the block's (NO_OFFSET: it began before), and its delimiters."""

    start: int
    delimiters: int


class BlockScanner(Protocol):
    """Scans blocks of bytes (contiguous, at least one), with memory that it uses again. It belongs to one thread.

    What it remembers is of the last block only, which is known by identity: a block must not change until the next one.
    """

    def scan(self, block: memoryview, *, every_state: bool = False) -> BlockIndex:
        """Index one block, in one pass over its bytes, whatever it starts in.

        Without ``every_state`` only the likely outcomes are there, those of a start outside quotes, and of one inside
        where the block cannot begin outside; the others may be None: ask ``outcome``.
        """

    def outcome(self, block: memoryview, state: int) -> Outcome:
        """The outcome of one block that starts in ``state``."""

    def ends(self, block: memoryview, state: int, base: int = 0) -> memoryview:
        """int64[records]: ``base`` + the offset just after each record end of the block, which starts in ``state``."""

    def delimiters_before(self, block: memoryview, state: int, places: Sequence[int]) -> memoryview:
        """int64[len(places)]: the delimiters outside quotes before each of some ascending offsets."""

    def first_ragged(self, block: memoryview, state: int, *, before: int, expected: int | None) -> FieldCount | None:
        """The first record to end in the block with other than ``expected`` delimiters; None: there is none.

        ``before`` of the record under way at the block's start came already. ``expected`` None: as many as the first
        record that ends here.
        """

    def last_opening(self, block: memoryview, state: int) -> int:
        """The offset of the last quote that opens a field in the block, which starts in ``state``; NO_OFFSET: none."""
