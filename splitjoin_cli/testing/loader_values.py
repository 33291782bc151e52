"""The contract of a loader, as a suite of tests: what the fields of a chunk become in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.base import LoadResult
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of, lookalikes
from splitjoin_cli.testing.loading import TABLE, WithLoader, fails, rows_of

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig

__all__ = ["LoaderValuesContract"]

LOADED = LoadResult(2, already_loaded=False, rows_checked=True)

DATA = {
    "quoted newlines": (b'1,"two\nlines"\n2,"three\n\n lines\n"\n', ["two\nlines", "three\n\n lines\n"]),
    "CRLF ends and CRLF in quotes": (b'1,a\r\n2,"b\r\nc"\r\n', ["a", "b\r\nc"]),
    "mixed line ends": (b'1,a\r\n2,b\n3,"c\n\r\nd"\r\n', ["a", "b", "c\n\r\nd"]),
    "no newline at the end": (b"1,a\n2,b", ["a", "b"]),
    "backslashes before quotes": (b'1,"C:\\dir\\"\n2,"\\"\n3,\\N\n4,a\\\n', ["C:\\dir\\", "\\", "\\N", "a\\"]),
    "doubled quotes": (b'1,"say ""hi"""\n2,""""\n', ['say "hi"', '"']),
    "delimiters in quotes": (b'1,"a,b"\n2,","\n', ["a,b", ","]),
    "other scripts": ("1,Zoë\n2,日本語 🎌\n3,\u202eعربي\n".encode(), ["Zoë", "日本語 🎌", "\u202eعربي"]),
    "a line that ends PostgreSQL's data": (b'1,"a\n\\.\nb"\n2,\\.\n', ["a\n\\.\nb", "\\."]),
    "stray quotes": (b'1,5" pipe\n2,6"\n3,"a"b"\n4,a""b\n', ['5" pipe', '6"', 'ab"', 'a""b']),
    "spaces and quotes": (b'1, a \n2, "b"\n', [" a ", ' "b"']),
    "percent and question marks": (b"1,100%s?\n2,%(a)s ?\n", ["100%s?", "%(a)s ?"]),
    "tabs": (b"1,a\tb\n2,\t\n", ["a\tb", "\t"]),
    "a word in quotes": (b'1,"NULL"\n2,"\\N"\n', ["NULL", "\\N"]),
    "a quoted empty field": (b'1,""\n2,x\n', ["", "x"]),
    "a hash": (b"1,#a\n#2,b\n", ["#a", "b"]),
}


DIALECTS: dict[str, tuple[Dialect, bytes, list[str | None]]] = {
    "semicolon": (Dialect(delimiter=";", line_end="\n"), b'1;"a;b"\n2;c,d\n', ["a;b", "c,d"]),
    "tab": (Dialect(delimiter="\t", line_end="\r\n"), b'1\t"a\tb"\r\n2\tc\r\n', ["a\tb", "c"]),
    "single quotes": (Dialect(quotechar="'", line_end="\n"), b"1,'it''s'\n2,\"x\"\n", ["it's", '"x"']),
    "no quotes": (Dialect(quotechar=None, line_end="\n"), b'1,"a\n2,b"\n3,\\N\n', ['"a', 'b"', "\\N"]),
    "escape": (
        Dialect(escapechar="\\", line_end="\n"),
        b'1,"a\\"b"\n2,c\\,d\n3,"x""y"\n4,C:\\\\n\n5,\\N\n6,"\\N"\n',
        ['a"b', "c,d", 'x"y', "C:\\n", None, "N"],
    ),
    "latin-1": (Dialect(encoding="latin-1", line_end="\n"), b"1,Zo\xeb\n2,\xfcber\n", ["Zoë", "über"]),
    "a pipe and percent": (Dialect(delimiter="|", quotechar="%", line_end="\n"), b"1|%a|b%\n2|c\n", ["a|b", "c"]),
    "a question mark": (Dialect(delimiter="?", line_end="\n"), b"1?a\n2?b\n", ["a", "b"]),
    "a backslash delimits": (Dialect(delimiter="\\", line_end="\n"), b"1\\a\n2\\b\n", ["a", "b"]),
}


OPTIONS: dict[str, tuple[Dialect, str, list[str | None]]] = {
    "several bytes delimit": (Dialect("||"), '1||a|b\n2||"c||d"\n3||¦"|\n', ["a|b", "c||d", '¦"|']),
    "a letter of two bytes delimits": (Dialect("¦"), '1¦a\n2¦"b¦c"\n', ["a", "b¦c"]),
    "no NULL at all": (Dialect(nulls=()), '1,\n2,NULL\n3,""\n', ["", "NULL", ""]),
    "the empty field": (Dialect(nulls=("",)), '1,\n2,NULL\n3,""\n4,x\n', [None, "NULL", "", "x"]),
    "the empty field, and a stray quote": (Dialect(nulls=("",)), '1,\n2,NULL\n3,""\n4,x"\n', [None, "NULL", "", 'x"']),
    "a word": (Dialect(nulls=("NULL",)), '1,\n2,NULL\n3,"NULL"\n4,null\n', ["", None, "NULL", "null"]),
    "R's word": (Dialect(nulls=("NA",)), '1,\n2,NA\n3,"NA"\n4,NULL\n', ["", None, "NA", "NULL"]),
    "several words": (Dialect(nulls=("NA", "")), '1,\n2,NA\n3,"NA"\n4,""\n', [None, None, "NA", ""]),
    "a backslash and N": (Dialect(nulls=("\\N",)), '1,\n2,\\N\n3,"\\N"\n', ["", None, "\\N"]),
    "letters after the escape character": (
        Dialect("\t", None, "\\", c_escapes=True, nulls=("\\N",)),
        "1\ta\\tb\\n\\\\n\n2\t\\N\n3\t\\b\\f\\v\\r\\Z\\q\n4\t\n5\tNULL\n6\ta\\Nb\n",
        ["a\tb\n\\n", None, "\b\f\v\r\x1aq", "", "NULL", "aNb"],
    ),
    "an escape character in quotes alone": (
        Dialect(escapechar="\\", escape_in="quotes", nulls=()),
        '1,"a\\"b"\n2,C:\\new\n3,\\N\n4,"\\n"\n',
        ['a"b', "C:\\new", "\\N", "n"],
    ),
    "CR is data": (
        Dialect(line_end_rule="lf"), '1,a\rb\n2,c\r\n3,"d\r\ne"\n', ["a\rb", "c\r", "d\r\ne"],
    ),
    "quotes as MySQL reads them": (
        Dialect(stray_quote="mysql"),
        '1,"5" disk"\n2,"a\\"b"\n3,"x""y"\n4,5" z\n5,"q",\n'.replace('5,"q",', '5,"q"r,s"'),
        ['5" disk', 'a\\"b', 'x"y', '5" z', 'q"r,s'],
    ),
    "spaces at the start": (
        Dialect(skip_initial_space=True, nulls=("NA",)),
        '  1,  a \n2, "b, c"\n3,   NA\n4, \n',
        ["a ", "b, c", None, ""],
    ),
    "lines that are not records": (
        Dialect(skip_blank_lines=True, skip_repeated_headers=True), "1,a\n\n \t\nid,name\r\n2,b\n\n", ["a", "b"],
    ),
}  # fmt: skip
"""What exporters write, option by option."""


HEADERS = {
    "byte order mark": (b'\xef\xbb\xbf"id",name\n', ["id", "name"]),
    "a quoted newline": (b'id,"full\nname"\n', ["id", "full\nname"]),
    "CRLF": (b"id,name\r\n", ["id", "name"]),
    "quotes of every kind": (b'id,"a ""b"" `c` \'d\' % ?"\n', ["id", "a \"b\" `c` 'd' % ?"]),
    "other scripts": ("id,имя\n".encode(), ["id", "имя"]),
    "without names": (b"id,\n", ["id", "column_2"]),
    "the same name twice": (b"id,ID\n", ["id", "ID_2"]),
}


BAD = {
    "too few fields": b"1,Ann\n2\n3,Cy\n",
    "too many fields": b"1,Ann\n2,Bob,x\n3,Cy\n",
    "a blank line": b"1,Ann\n\n3,Cy\n",
}


class LoaderValuesContract(WithLoader):
    """Every loader: what the chunk's fields become in the table."""

    @pytest.mark.parametrize("name", DATA)
    def test_fields_arrive_as_they_are(self, rig: LoaderRig, loader: Loader, name: str) -> None:
        """What the csv module reads is what is in the table."""
        data, names = DATA[name]
        assert loader.load(chunk_of(data)).rows == len(names)
        assert sorted(row[1] for row in rows_of(rig)) == sorted(names)

    def test_null_empty_and_words(self, rig: LoaderRig, loader: Loader) -> None:
        """Each database has its own rule for unquoted fields, and keeps it."""
        data = b'1,\n2,""\n3,NULL\n4,"NULL"\n5,null\n'
        loader.load(chunk_of(data))
        expected = [rig.kind.empty, "", rig.kind.null_word, "NULL", "null"]
        assert [row[1] for row in rows_of(rig)] == expected

    def test_the_rule_for_null_does_not_depend_on_who_reads(self, rig: LoaderRig, loader: Loader) -> None:
        """A stray quote sends the chunk to our own reader: the other rows are the same."""
        data = b'1,\n2,""\n3,NULL\n4,"NULL"\n5,6"\n'
        loader.load(chunk_of(data))
        assert [row[1] for row in rows_of(rig)] == [rig.kind.empty, "", rig.kind.null_word, "NULL", '6"']

    @pytest.mark.parametrize("name", DIALECTS)
    def test_dialects(self, rig: LoaderRig, loader: Loader, name: str) -> None:
        """The chunk's own, never a guess."""
        dialect, data, names = DIALECTS[name]
        header = f"id{dialect.delimiter}name\n".encode()
        assert loader.load(chunk_of(data, header=header, dialect=dialect)).rows == len(names)
        assert [row[1] for row in rows_of(rig)] == names

    def test_options_of_exports(self, rig: LoaderRig, loader: Loader) -> None:
        """Each value is what the exporter meant, in a text column, on every engine alike."""
        for number, (name, (dialect, text, names)) in enumerate(OPTIONS.items(), start=1):
            header = f"id{dialect.delimiter}name\n".encode()
            chunk = chunk_of(text.encode(), header=header, dialect=dialect, rows=len(names), number=number)
            assert loader.load(chunk).rows == len(names), name
            assert [row[1] for row in rows_of(rig)] == names, name
            rig.query(f"DELETE FROM {TABLE}")

    def test_a_null_that_is_named_is_one_in_each_type(self, rig: LoaderRig, loader: Loader) -> None:
        """By the database's own reader, and by ours, which a stray quote brings in."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(9), size INTEGER)")
        for number, name in enumerate(('"NA"', 'N"A'), start=1):
            data = f"1,{name},NA\n2,NA,7\n".encode()
            dialect = Dialect(nulls=("NA",), line_end="\n")
            loader.load(chunk_of(data, header=b"id,name,size\n", dialect=dialect, number=number))
            assert rows_of(rig, "id, name, size") == [(1, name.strip('"'), None), (2, None, 7)]
            rig.query(f"DELETE FROM {TABLE}")

    @pytest.mark.parametrize("compression", ["gzip", "zstd"])
    def test_compressed_chunks(self, rig: LoaderRig, loader: Loader, compression: Literal["gzip", "zstd"]) -> None:
        """Decompressed on the way."""
        assert loader.load(chunk_of(b"1,Ann\n2,Bob\n", compression=compression)) == LOADED
        assert rows_of(rig) == [("1", "Ann"), ("2", "Bob")]

    @pytest.mark.parametrize("name", HEADERS)
    def test_headers(self, rig: LoaderRig, loader: Loader, name: str) -> None:
        """A made table has the header's names; a second chunk finds them."""
        header, names = HEADERS[name]
        assert loader.load(chunk_of(b"1,Ann\n2,Bob\n", header=header)) == LOADED
        assert loader.load(chunk_of(b"3,Cy\n4,Dee\n", header=header, number=2)) == LOADED
        assert [row[1] for row in rows_of(rig, "*")] == ["Ann", "Bob", "Cy", "Dee"]
        assert rig.column_names() == names

    def test_columns_are_mapped_by_name(self, rig: LoaderRig, loader: Loader) -> None:
        """Whatever their order in the table, and whatever their case; others keep their default."""
        rig.query(f"CREATE TABLE {TABLE} (note VARCHAR(9) DEFAULT 'new', name VARCHAR(9), id INTEGER)")
        loader.load(chunk_of(b"1,Ann\n2,Bob\n", header=b"ID,name\n"))
        assert rows_of(rig, "id, name, note") == [(1, "Ann", "new"), (2, "Bob", "new")]

    def test_without_a_header_columns_go_by_place(self, rig: LoaderRig, loader: Loader) -> None:
        """A made table calls them by it; a byte order mark belongs to no field."""
        assert loader.load(chunk_of(b"\xef\xbb\xbf1,Ann\n2,Bob\n", header=None)) == LOADED
        assert rows_of(rig, "column_1, column_2") == [("1", "Ann"), ("2", "Bob")]

    def test_lines_in_quotes_that_look_like_rows(self, rig: LoaderRig, loader: Loader) -> None:
        """They are text, wherever a reader begins."""
        rig.query(f"CREATE TABLE {TABLE} (id VARCHAR(9), name TEXT)")
        data, texts = lookalikes(300)
        assert loader.load(chunk_of(data)).rows == len(texts)
        assert {row: name or "" for row, name in rig.query(f"SELECT id, name FROM {TABLE}")} == texts

    def test_one_column_and_blank_lines(self, rig: LoaderRig, loader: Loader) -> None:
        """In a table of one column a blank line is a row, an empty one."""
        result = loader.load(chunk_of(b"a\n\nb\n", header=b"name\n"))
        assert result.rows == 3
        assert rig.query(f"SELECT COUNT(*) FROM {TABLE} WHERE COALESCE(name, '') = ''") == [(1,)]

    def test_a_column_that_is_missing_is_named(self, rig: LoaderRig, loader: Loader) -> None:
        """Nothing is loaded, and the message says which it is and which there are."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, title VARCHAR(9))")
        error = fails(BadRowError, loader, chunk_of(b"1,Ann\n"))
        assert error.message == (
            f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}:"
            f" table {TABLE} has no column 'name', which the header names"
        )
        assert error.hint == "its columns, less those that the database generates, are 'id', 'title'"
        assert loader.ledger_numbers(JOB, RUN) == []

    def test_a_column_that_the_database_generates_takes_no_value(self, rig: LoaderRig, loader: Loader) -> None:
        """One in the header is a bad row for good; without a header the others are filled by place."""
        twice = f"twice INTEGER GENERATED ALWAYS AS (id * 2) {rig.kind.generated}"
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, {twice}, name VARCHAR(9))")
        error = fails(BadRowError, loader, chunk_of(b"1,7,Ann\n", header=b"id,twice,name\n"))
        assert error.reason == f"table {TABLE} has no column 'twice', which the header names"
        assert error.hint == "its columns, less those that the database generates, are 'id', 'name'"
        assert loader.load(chunk_of(b"1,Ann\n2,Bob\n", header=None)) == LOADED
        assert rows_of(rig, "id, twice, name") == [(1, 2, "Ann"), (2, 4, "Bob")]

    def test_empty_fields_of_other_types_are_null(self, rig: LoaderRig, loader: Loader) -> None:
        """Quoted or not: there is no empty number."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(9), size INTEGER)")
        loader.load(chunk_of(b'1,a,\n2,b,""\n3,c,7\n', header=b"id,name,size\n"))
        assert rows_of(rig, "id, size") == [(1, None), (2, None), (3, 7)]
        loader.load(chunk_of(b'4,5",\n5,b,""\n', header=b"id,name,size\n", number=2))
        assert rows_of(rig, "id, size")[3:] == [(4, None), (5, None)]

    @pytest.mark.parametrize("name", BAD)
    @pytest.mark.parametrize("stray", [b"", b'4,6"\n'])
    def test_a_ragged_row_loads_nothing(self, loader: Loader, name: str, stray: bytes) -> None:
        """Also where nobody counted the rows, and the error names the row."""
        loader.prepare()
        error = fails(BadRowError, loader, chunk_of(BAD[name] + stray, rows=None))
        assert ": record 2, line 3 of the chunk: " in error.message
        assert loader.table_rows().rows == 0
        assert loader.ledger_numbers(JOB, RUN) == []
