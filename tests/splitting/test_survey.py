"""What all bytes are looked through for: the same, whatever the blocks, compiled or not."""

from __future__ import annotations

import codecs
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.native import SURVEY, Bytes, kernels
from splitjoin_cli.splitting.survey import Found, Survey, SurveyForm
from tests.laws import examples

PIECES = st.sampled_from(
    [
        *(b"a", b"\n", b"id,n\n", b"id,n\r\n", b"id,n", b"x" * 40, b"\n\n", b"\n \t\r\n", b"x"),
        *("é".encode(), "漢".encode(), "😀".encode(), b"\xef\xbb\xbf"),
        *(b"\xe9", b"\x80", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
    ]
)


def _slow(data: bytes, encoding: str, line: bytes) -> tuple[Found, Found, Found]:
    """By one decoder over all of it, and by looking at each place."""
    invalid, at = [], 0
    while at < len(data):
        try:
            data[at:].decode(encoding)
        except UnicodeDecodeError as exc:
            invalid.append(at + exc.start)
            at += exc.start + 1
        else:
            break
    places = range(len(data))
    marks = [place for place in places if data.startswith(b"\xef\xbb\xbf", place)] if encoding == "utf-8" else []
    ends = (b"\n", b"\r", b"")
    size = len(line)
    lines = [
        place + 1
        for place in places
        if data.startswith(b"\n" + line, place) and data[place + 1 + size : place + 2 + size] in ends
    ]
    return tuple(Found(len(one), one[0] if one else -1) for one in (invalid, marks, lines))  # type: ignore[return-value]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "shift_jis"])
@examples(60)
@given(
    pieces=st.lists(PIECES, min_size=1, max_size=60),
    times=st.sampled_from([1, 1, 1, 60]),
    block_bytes=st.sampled_from([1, 3, 7, 64, 5000]),
    compiled=st.booleans(),
)
def test_blocks_add_up(encoding: str, pieces: list[bytes], times: int, block_bytes: int, compiled: bool) -> None:  # noqa: FBT001
    """Bytes that are not valid, byte order marks and lines like the header: how many, and the first."""
    data = memoryview(b"".join(pieces) * times)
    survey = Survey(SurveyForm(encoding, headers=True).with_header(b"id,n\r\n"))
    look = survey.form.look if compiled else survey.form._look_slowly
    for at in range(0, len(data), block_bytes):
        block = data[at : at + block_bytes]
        survey.add(block, look(block))
    survey.end()
    found, slow = (survey.invalid, survey.marks, survey.lines), _slow(bytes(data), encoding, b"id,n")
    if encoding == "shift_jis":  # how many bytes a wrong one spoils depends on where reading begins again
        found, slow = ((found[0].first, *found[1:]), (slow[0].first, *slow[1:]))  # type: ignore[assignment]
    assert found == slow


@examples(60)
@given(
    pieces=st.lists(PIECES, min_size=1, max_size=60),
    offset=st.integers(0, 64),
    times=st.sampled_from([1, 2, 60]),
    wide=st.booleans(),
)
def test_every_level_of_the_kernel_finds_the_same(pieces: list[bytes], offset: int, times: int, wide: bool) -> None:  # noqa: FBT001
    """Words of 64 bytes, vectors of 32 and single bytes; whatever lies across them."""
    data = (
        b"a" * offset + b"".join(piece if wide or piece not in (b"\xff", b"\x80") else b"b" for piece in pieces) * times
    )
    found = []
    for kernel in kernels():
        out = SURVEY()
        with Bytes(data) as place:
            kernel.functions.sj_survey(kernel.level, place.address, place.size, b"id,n", 4, ord("x"), 1, out)
        found.append(list(out))
    assert found == found[:1] * len(found)
    if found:
        assert found[0][8] == SurveyForm(None, quote=ord("x"))._look_slowly(memoryview(data)).blanks


@pytest.mark.parametrize("encoding", ["utf-8", "shift_jis", "gb18030"])
def test_dirty_bytes_are_read_twice_however_many_they_are(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each of them, what is left each time: a block of a file in another encoding holds a million."""
    read: list[int] = []
    decode = codecs.decode

    def counted(data: bytes, *how: str) -> Any:  # noqa: ANN401 -- as codecs.decode
        read.append(len(data))
        return decode(data, *how)

    monkeypatch.setattr(codecs, "decode", counted)
    data = b"id,n\n" + b"\xff1\n" * 5000
    seen = SurveyForm(encoding)._look_slowly(memoryview(data))
    assert seen.found[0] == Found(5000, 5)
    assert sum(read) <= 2 * len(data)


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "big5hkscs", "euc_jis_2004", "johab"])
@examples(60)
@given(
    pieces=st.lists(st.sampled_from([b"a", b"\x81", b"0", b"\xff", b"\x80", b"\xa4", b"\xd8"]), max_size=40),
    text=st.text("aか゚漢가€😀", max_size=20),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
)
def test_a_record_over_many_blocks_is_read_as_one(
    encoding: str, pieces: list[bytes], text: str, sizes: list[int]
) -> None:
    """The same bytes are wrong, and the same is the first, wherever the blocks end, within a character too."""
    data = memoryview(b"a" + b"".join(pieces[::2]) + text.encode(encoding, "ignore") + b"".join(pieces[1::2]))
    found = []
    for cut in (sizes, [len(data)]):
        survey, at = Survey(SurveyForm(encoding)), 0
        for size in cut * len(data):
            survey.see(data[at : at + size])
            at += size
        survey.end()
        found.append(survey.invalid)
    assert found[0] == found[1]


@pytest.mark.parametrize("wrong", [b"", b"\xff"])
def test_a_record_over_many_blocks_is_not_kept(wrong: bytes) -> None:
    """It may be larger than memory, and each block would copy those before it."""
    block = memoryview(("漢" * 8000).encode("gb18030") + wrong)
    survey = Survey(SurveyForm("gb18030"))
    survey.see(block)
    tracemalloc.start()
    try:
        for _ in range(100):
            survey.see(block)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    survey.end()
    assert survey.invalid == (Found(101, 16000) if wrong else Found())
    assert most < 20 * len(block)
