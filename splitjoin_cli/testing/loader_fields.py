"""The contract of a loader, as a suite of tests: a record whose number of fields is not the table's is a bad row.

Databases' own readers drop what they think means nothing: DuckDB any number of empty fields at a record's end, MySQL
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.testing.chunks import JOB, RUN
from splitjoin_cli.testing.loading import WithLoader

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import MakeChunk

__all__ = ["LoaderFieldsContract"]

RECORDS = {
    "longer by one empty field": ("2,b,c,", 4),
    "longer by many empty fields": ("2,b,c,,,,,,,", 10),
    "longer by a quoted empty field": ('2,b,c,""', 4),
    "longer by data": ("2,b,c,x", 4),
    "shifted by a delimiter in data": ("2,Smith, John,", 4),
    "shorter by one field": ("2,b", 2),
    "shorter by two fields": ("2", 1),
    "blank": ("", 1),
    "spaces": ("  ", 1),
}

"""Records for a table of three columns, and the fields that they have."""
PLACES = (1, 2, 4)

DIALECTS = {
    "csv": (Dialect(line_end="\n"), ""),
    "read field by field": (Dialect(line_end="\n"), '9,5" x,y\n'),
    "tabs and CR LF": (Dialect(delimiter="\t", line_end="\r\n"), ""),
    "an escape character": (Dialect(escapechar="\\", line_end="\n"), "9,a\\,b,\\\\\n"),
    "no quotes, Latin-1": (Dialect(quotechar=None, line_end="\n", encoding="latin-1"), '9,"a,\xeb\n'),
}


def chunk_bytes(record: str, place: int, before: str, dialect: Dialect, *, ended: bool) -> bytes:
    """Four records, of which ``record`` is the ``place``-th; ``before`` them another that is right."""
    records = ["1,a,b", '3,"c,d",', "4,,"] if dialect.quotechar else ["1,a,b", "3,c,", "4,,"]
    records.insert(place - 1, record)
    text = before + "".join(f"{one}\n" for one in records)
    if not ended:
        text = text.removesuffix("\n")
    text = text.replace("\n", dialect.line_end or "\n")
    return text.replace(",", dialect.delimiter).encode(dialect.encoding)


class LoaderFieldsContract(WithLoader):
    """Every loader: a record whose number of fields is not the table's is a bad row."""

    @pytest.mark.parametrize("name", DIALECTS)
    def test_a_record_of_another_width_loads_nothing(self, loader: Loader, make_chunk: MakeChunk, name: str) -> None:
        """Whatever is wrong with it and wherever it is; the error names the record, and what it has.

        Over the dialects each kind of record has stood in each place, with and without a line end behind the last.
        """
        dialect, before = DIALECTS[name]
        header = f"id,name,note{dialect.line_end}".replace(",", dialect.delimiter).encode()
        turn = list(DIALECTS).index(name)
        loader.prepare()
        for number, (bad, (record, fields)) in enumerate(RECORDS.items(), start=1):
            place = PLACES[(number + turn) % len(PLACES)]
            ended = (number + turn) % 2 == 0 or not record
            data = chunk_bytes(record, place, before, dialect, ended=ended)
            chunk = make_chunk(data, header=header, dialect=dialect, rows=None, number=number)
            with pytest.raises(BadRowError) as caught:
                loader.load(chunk)
            has = "1 field" if fields == 1 else f"{fields} fields"
            at = place + bool(before)
            said = f"record {at}, line {at + 1} of the chunk: the record has {has}, not 3"
            assert caught.value.message == f"{chunk.name} into people: {said}", (bad, place, ended)
        assert loader.table_rows().rows == 0
        assert loader.ledger_numbers(JOB, RUN) == []
        right = make_chunk(chunk_bytes("2,b,c", 2, before, dialect, ended=False), header=header, dialect=dialect)
        assert loader.load(right).rows == 4 + bool(before)

    @pytest.mark.parametrize("ended", [True, False])
    @pytest.mark.parametrize("before", ["", 'x"\n'])
    def test_a_table_of_one_column(self, loader: Loader, make_chunk: MakeChunk, before: str, *, ended: bool) -> None:
        """A blank line is a row there, and a delimiter at the end one field too many."""
        end = "\n" if ended else ""
        bad = make_chunk(f"{before}a\n\nb,{end}".encode(), header=b"name\n", rows=None)
        loader.prepare()
        with pytest.raises(BadRowError) as caught:
            loader.load(bad)
        number = 3 + bool(before)
        assert caught.value.message == (
            f"{bad.name} into people: record {number}, line {number + 1} of the chunk: the record has 2 fields, not 1"
        )
        right = make_chunk(f'{before}\na\n\n""\nb{end}'.encode(), header=b"name\n", rows=5 + bool(before))
        assert loader.load(right).rows == 5 + bool(before)

    def test_more_columns_than_the_table_is_wide(self, loader: Loader, make_chunk: MakeChunk) -> None:
        """Without a header all of its columns are filled, and a record that fills fewer is bad, too."""
        loader.load(make_chunk(b"1,a,b\n", header=b"id,name,note\n"))
        for data, fields in ((b"2,b,c,\n", 4), (b"2,b\n", 2)):
            chunk = make_chunk(data, header=None, number=2, rows=None)
            with pytest.raises(BadRowError, match=rf"record 1, line 1 of the chunk: .* {fields} fields, not 3$"):
                loader.load(chunk)
        assert loader.table_rows().rows == 1
