"""Counting a whole file in bulk adds up to what its records do, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.splitting.inspect.count import Counting
from splitjoin_cli.splitting.inspect.form import Form, Reader
from splitjoin_cli.splitting.inspect.tally import Tally
from tests.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.splitting.inspect.form import Row

FORMS = [
    Form(b","), Form(b",", b'"'), Form(b",", b'"', b"\\"), Form(b"||", b'"'), Form(b",", b'"', mysql=True),
    Form(b",", b'"', skip_space=True), Form(b",", newline=b"\r"), Form(b",", b'"', lf_only=True),
]  # fmt: skip
HEADER = [b"id", b"n"]
LINES = st.lists(
    st.sampled_from(
        [b"1,a\n"] * 6
        + [
            b"1||a\n",
            b'2,"b"\n',
            b'3,"c\n,\n"\n',
            b"4\n",
            b"\n",
            b"id,n\n",
            b'5,d"e\n',
            b'"6,f\n',
            b"7,\\\n\n",
            b"8,g\r\n",
        ]
    ),
    max_size=40,
)


@given(LINES, st.sampled_from(FORMS), st.integers(1, 60), st.integers(0, 12), st.booleans())
@examples(150)
def test_bulk_is_one_by_one(lines: list[bytes], form: Form, size: int, lag: int, watched: bool) -> None:  # noqa: FBT001 -- drawn
    """Fields, records, bytes, and where anything odd is first, for any blocks."""
    data = b"".join(lines)
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    reader = Reader(form)
    quote = form.quote if watched and form.strips_cr else None
    bulk, plain = (Tally(2, HEADER, quote=quote, escape=form.escape) for _ in range(2))
    last = [*Counting(reader, bulk, at=100, line=7).but_the_last(blocks, lag)]
    for row in last:
        bulk.add(row, 100, lines_known=True)
    for row in reader.rows(data, line=7):
        plain.add(row, 100, lines_known=True)
    assert bulk == plain


def test_only_what_is_odd_is_read_record_by_record() -> None:
    """A stretch with a ragged record is; those around it are not."""
    read: list[int] = []

    class Counts(Reader):
        def rows(self, data: bytes, *, line: int = 1, whole: bool = True, open_bytes: int = 4096) -> Iterator[Row]:
            read.append(data.count(b"\n"))
            return super().rows(data, line=line, whole=whole, open_bytes=open_bytes)

    calm, odd = b"1,a\n" * 100, b"1,a\n" * 50 + b"2\n" + b"1,a\n" * 49
    tally = Tally(2, HEADER)
    last = [*Counting(Counts(Form(b",", b'"')), tally, at=0, line=1).but_the_last([calm, odd, calm, calm, calm], 150)]
    assert (tally.records, len(last), read) == (300, 200, [100, 100, 100, 0])
    assert (tally.ragged.times, tally.ragged.line, tally.ragged.byte) == (1, 151, 600)
