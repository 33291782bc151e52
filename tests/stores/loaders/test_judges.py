"""Lines are judged alike by the compiled judge and by the reference, however they are cut."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.native import kernels
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, Record
from splitjoin_cli.stores.loaders.body import NotPlainError
from splitjoin_cli.stores.loaders.judges import KernelJudge, PythonJudge, Rules, judge_for
from splitjoin_cli.stores.loaders.widths import MOST_BEGUN
from tests.laws import examples

if TYPE_CHECKING:
    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.stores.loaders.judges import Judge

PIECES = ["a,b\n", "a,b\r\n", '"x","y"\n', '"x\ny",b\r\n', '"x\r\ny",""\n', '"a""b",c\n', "abcdefgh,ijkl\n"]
ODD = ["a\n", "\n", "a,b,c\n", 'a"b,c\n', '"a"b,c\n', "a\rb,c\n", '"a', "a,b", "a,b\r", ",\n", '"\n', "a,\n"]
LINES = st.lists(st.sampled_from(PIECES), max_size=40)
RULES = st.builds(
    Rules,
    delimiter=st.just(b","),
    quote=st.just(b'"'),
    width=st.sampled_from([2, 2, 2, 1, 3, None]),
    line_end=st.sampled_from([None, None, b"\n", b"\r\n"]),
    refuse_blank_lines=st.booleans(),
    most_bytes=st.sampled_from([8, 12, 40, 1 << 20, 1 << 20]),
)


@st.composite
def texts(draw: st.DrawFn) -> list[bytes]:
    """Mostly good lines, one of them odd, cut behind newlines, quoted or not."""
    lines = draw(LINES)
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(ODD)))
    whole = re.findall(rb"[^\n]*\n|[^\n]+", "".join(lines).encode())
    cuts = draw(st.lists(st.booleans(), min_size=len(whole), max_size=len(whole)))
    pieces: list[bytes] = []
    for line, cut in zip(whole, cuts, strict=True):
        if cut or not pieces:
            pieces.append(line)
        else:
            pieces[-1] += line
    return pieces


def found(judge: Judge, pieces: list[bytes]) -> tuple[list[tuple[bytes, int]], str | None]:
    """What comes of each piece, with the bytes of an open record; then why no more came."""
    out = []
    try:
        for piece in pieces:
            lines = judge.judged(piece)
            out.append((bytes(lines), judge.under_way))
        judge.finish(ended=not pieces or pieces[-1].endswith(b"\n"))
    except NotPlainError:
        return out, "not plain"
    except BadRecordError as exc:
        number = next((n for n in range(1, 99) if exc.find and exc.find(Record(n, n, "", is_open=n == 98))), None)
        return out, f"{number}: {exc.reason}"
    return out, None


@pytest.mark.parametrize("kernel", kernels(), ids=lambda kernel: kernel.name)
def test_both_judge_alike(kernel: Kernel) -> None:
    """The same bytes, the same record under way, and the same refusal at the same piece."""

    @given(texts(), RULES)
    @examples(50)
    def check(pieces: list[bytes], rules: Rules) -> None:
        if not KernelJudge.knows(rules):
            return
        ours, refused = found(KernelJudge(rules, kernel), pieces)
        theirs, why = found(PythonJudge(rules), pieces)
        assert ours == theirs
        if "larger than" in (why or "") or "larger than" in (refused or ""):
            assert refused  # of two faults in one piece either may be told
        else:
            assert refused == why

    check()


@pytest.mark.parametrize("kernel", kernels()[-1:], ids=lambda kernel: kernel.name)
def test_an_endless_record_is_refused_before_its_end(kernel: Kernel) -> None:
    """It has more fields than any record may have that is under way."""
    rules = Rules(b",", b'"', 2, None, refuse_blank_lines=True, most_bytes=1 << 30)
    pieces = [b"a,b\n" + b"," * MOST_BEGUN, b","]
    for judge in (KernelJudge(rules, kernel), PythonJudge(rules)):
        with pytest.raises(BadRecordError, match=r"^the record has 65539 fields or more, not 2$"):
            found_all(judge, [*pieces, b","])


def found_all(judge: Judge, pieces: list[bytes]) -> None:
    """Judge them all."""
    for piece in pieces:
        judge.judged(piece)


def test_which_judge() -> None:
    """A blank line is a record where a record has one field; quotes of several bytes are the reference's."""
    wide = Rules(b",", b'"', 2, None, refuse_blank_lines=True, most_bytes=1 << 20)
    narrow = Rules(b",", b'"', 1, None, refuse_blank_lines=True, most_bytes=1 << 20)
    other = Rules(b",", "»".encode(), 2, None, refuse_blank_lines=False, most_bytes=1 << 20)
    assert [type(judge_for(rules)) for rules in (wide, narrow, other)] == [KernelJudge, PythonJudge, PythonJudge]
