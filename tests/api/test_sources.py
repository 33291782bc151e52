"""Which sources a command line names: what is a pattern, what is left out, in which order, and what cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from splitjoin_cli.api.sources import Sources, listed_names
from splitjoin_cli.core.aws.options import AwsOptions
from splitjoin_cli.core.errors import NotFoundError, SourceError, UsageError
from splitjoin_cli.core.places import parse_place

HERE = Sources(AwsOptions())


@pytest.fixture(autouse=True)
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some exports, and what a split left among them, in the working directory."""
    monkeypatch.chdir(tmp_path)
    left = ("a_20240131-1-2.csv", "a_20240131.manifest.json", "b_20240131.plan.json", "a_20240131-01-02.csv.gz")
    for name in ("b.csv", "B.csv", "a[1].csv", "a1.csv", "é.csv", ".hidden.csv", "sub/x.csv", *left):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("id\n1\n")
    return tmp_path


def names(*words: str, listed: tuple[str, ...] = (), to: str = "out") -> list[str]:
    """The sources of a command line."""
    return [one.uri for one in HERE.expand(words, listed, parse_place(to)).sources]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("in", "place"), ("in/", "place"), ("in/a[1].csv", "name"), ("in/[ab].csv", "pattern"), ("in/none.csv", "name"),
        ("-", "name"), ("https://host/a*.csv?b=[c]", "name"), ("sftp://host/*", "name"), ("file:///a/*", "name"),
        ("s3://bucket", "place"), ("s3://bucket/", "place"), ("s3://bucket/a b/", "place"), ("", "name"),
        ("s3://bucket/*/", "pattern"), ("s3://bucket/a.csv", "name"),
    ],
)  # fmt: skip
def test_what_a_word_is(word: str, kind: str) -> None:
    """What exists as typed is no pattern; URLs other than S3's have none."""
    assert HERE.kind(word) == kind


def test_order_and_what_is_left_out() -> None:
    """As typed, each expansion by the bytes of its names; chunks, plans, manifests and hidden files are left out."""
    everything = ["in/B.csv", "in/a1.csv", "in/a[1].csv", "in/b.csv", "in/é.csv"]
    assert names("in") == names("in/") == names("in/*") == everything
    assert names("in/b.csv", "in/a*.csv", listed=("in/B.csv", "gone*.csv")) == [
        "in/b.csv", "in/a1.csv", "in/a[1].csv", "in/B.csv", "gone*.csv",
    ]  # fmt: skip
    assert HERE.expand(["in"], [], parse_place("out")).left_out == 4
    assert names("in/a_20240131-1-2.csv") == ["in/a_20240131-1-2.csv"]  # what is typed is split
    Path("empty").mkdir()
    assert names("empty/") == []


def test_an_export_of_a_day_is_no_chunk_of_a_month() -> None:
    """``acme_2024-01-31.csv`` reads as chunk 1 of 31, too: it is one where that split's plan or manifest is there."""
    exports = [f"days/acme_2024-01-{day}.csv" for day in (30, 31)]
    Path("days").mkdir()
    for path in (*exports, "days/acme_2024-02-31.csv"):
        Path(path).write_text("id\n1\n")
    assert names("days/") == names("days/*.csv") == exports
    Path("days/acme_2024.manifest.json").write_text("{}")
    assert names("days/") == []
    with pytest.raises(NotFoundError):
        names("days/*.csv")


def test_nothing_matches() -> None:
    """A pattern must match something that can be split; the error says what was left out."""
    for word, text in (
        ("in/z*.csv", "in/z*.csv matches no file to split"),
        ("in/*-2.csv", "in/*-2.csv matches no file to split: 1 name of chunks, plans and manifests left out"),
    ):
        with pytest.raises(NotFoundError) as caught:
            names(word)
        assert caught.value.message == text


@pytest.mark.parametrize(
    ("word", "to", "wrong"),
    [
        ("in/", "in", True), ("in/", "in/sub/new", True), ("in/*.csv", "in", True), ("in/*.csv", "./in/x/", True),
        ("in/", "in2", False), ("in/", "s3://in/in/", False), ("in/s*/x.csv", "in/sub", True),
        ("in/b.csv", "in", False), (os.curdir, "out", True),
    ],
)  # fmt: skip
def test_chunks_do_not_go_among_the_sources(word: str, to: str, *, wrong: bool) -> None:
    """DEST is neither the place where a pattern or directory looks, nor in it."""
    if not wrong:
        assert names(word, to=to)
        return
    with pytest.raises(UsageError, match="whose files are split"):
        names(word, to=to)


def test_a_pattern_of_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names no directory, so that a DEST below is outside of it."""
    monkeypatch.chdir("in")
    assert names("b*.csv", to="chunks") == ["b.csv"]
    with pytest.raises(UsageError, match="whose files are split"):
        names("b*.csv", to=".")


def test_what_is_read_once_is_no_source_among_others(tmp_path: Path) -> None:
    """Standard input and pipes are named alone, typed or in a list."""
    os.mkfifo(tmp_path / "pipe.csv")
    for words, listed in ((("in/b.csv", "-"), ()), (("in/b.csv",), ("pipe.csv",))):
        with pytest.raises(UsageError, match="cannot be one of several sources"):
            names(*words, listed=listed)


def test_a_list_of_names(tmp_path: Path) -> None:
    """One name a line, as bytes; empty lines, a byte order mark and the CR of another system are no part of any."""
    path = tmp_path / "list"
    path.write_bytes(b"\xef\xbb\xbfa b.csv\r\n\n \xff*.csv\nlast")
    assert listed_names(str(path)) == ["a b.csv", " \udcff*.csv", "last"]
    with pytest.raises(SourceError, match="cannot read none: no such file"):
        listed_names("none")
