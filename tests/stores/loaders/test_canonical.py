"""One form for all spellings of a value: the same form is the same value, and of precise types the other way round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.stores.loaders.exact.base import ColumnRule
from splitjoin_cli.stores.loaders.exact.canonical import ColumnForms, is_precise
from splitjoin_cli.stores.loaders.exact.checking import is_same
from splitjoin_cli.stores.loaders.exact.equality import Kind
from splitjoin_cli.stores.loaders.session import TableColumn
from tests.laws import examples


def rule(kind: Kind, *, is_list: bool = False) -> ColumnRule:
    """A column's."""
    return ColumnRule(TableColumn("v", "any", text=True), "any", kind, is_list=is_list)


def alike(kind: Kind, text: str, kept: str, *, is_list: bool = False) -> bool:
    """Whether both have one form."""
    forms = ColumnForms(rule(kind, is_list=is_list))
    return forms.said(text) == forms.kept(kept)


SAME = [
    (Kind.NUMBER, "007", "7"), (Kind.NUMBER, "1.50", "1.5"), (Kind.NUMBER, "-0.0", "0"), (Kind.NUMBER, "1e3", "1000.0"),
    (Kind.NUMBER, "0.00001", "1e-05"), (Kind.NUMBER, "1e40", "1e+40"), (Kind.NUMBER, "nan", "NaN"),
    (Kind.NUMBER, "-12.5", "-12.50"), (Kind.SINGLE, "0.1", "0.10000000149011612"), (Kind.MONEY, "$1,234.50", "1234.50"),
    (Kind.DOUBLE, "1e23", "9.999999999999999e+22"), (Kind.DOUBLE, "9.999999999999999e22", "1e23"),
    (Kind.SINGLE, "1234567.8", "1234567.75"), (Kind.BITS, "X5", "0101"),
    (Kind.HEXADECIMAL, "08002b010203", "08:00:2b:ff:fe:01:02:03"),
    (Kind.BLOB, r"\x41", "A"),
    (Kind.BOOLEAN, "Yes", "1"), (Kind.DATE, "2024-1-31", "2024-01-31"), (Kind.DATE, "20240131", "2024-01-31"),
    (Kind.DATETIME, "2024-01-31T10:00:00", "2024-01-31 10:00:00.000"), (Kind.TIME, "10:00", "10:00:00"),
    (Kind.INSTANT, "2024-01-31T10:00:00+02:00", "2024-01-31 08:00:00+00"),
    (Kind.INSTANT, "2024-01-31 10:00", "2024-01-31 10:00:00+05"),
    (Kind.TIME_WITH_OFFSET, "10:00+02", "10:00:00+02"), (Kind.SPAN, "1 day", "24:00:00"),
    (Kind.MEMBERS, "b,A", "a,b"), (Kind.CASED_MEMBERS, "b,A", "A,b"),
    (Kind.CASED_MEMBER, "A ", "A"), (Kind.MEMBER, "Red", "red"), (Kind.PADDED, "ab", "ab   "),
    (Kind.HEXADECIMAL, "{AB-CD}", "abcd"), (Kind.ADDRESS, "10.1", "10.1.0.0/16"), (Kind.BYTES, "\\x4142", "AB"),
    (Kind.DOCUMENT, '{"b": 1.0, "a": [true, null]}', '{"a":[true,null],"b":1}'),
]  # fmt: skip
OTHER = [
    (Kind.NUMBER, "1.5", "2"), (Kind.NUMBER, "1e30", "1e31"), (Kind.NUMBER, "abc", "abd"), (Kind.NUMBER, "", "0"),
    (Kind.CASED_MEMBER, "a", "A"), (Kind.CASED_MEMBERS, "a,b", "A,b"),
    (Kind.MONEY, "-1", "1"), (Kind.MONEY, "1.50", "15.00"), (Kind.BITS, "10", "01"),
    (Kind.BOOLEAN, "yes", "no"), (Kind.DATE, "2024-01-31 10:00", "2024-01-31"),
    (Kind.DATETIME, "2024-01-31 10:00+02", "2024-01-31 10:00:00"), (Kind.TIME, "10:00:00.5", "10:00:00"),
    (Kind.INSTANT, "2024-01-31T10:00:00+02:00", "2024-01-31 10:00:00+00"), (Kind.BYTES, "\\x41", "\\x42"),
    (Kind.DOCUMENT, "[1]", "[true]"), (Kind.DOCUMENT, '["1"]', "[1]"), (Kind.TEXT, "a", "A"), (Kind.TEXT, "a", "a "),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "kept"), SAME)
def test_spellings_of_one_value_have_one_form(kind: Kind, text: str, kept: str) -> None:
    """Each kind's usual ones."""
    assert is_same(rule(kind), text, kept)
    assert alike(kind, text, kept)


@pytest.mark.parametrize(("kind", "text", "kept"), OTHER)
def test_other_values_have_other_forms(kind: Kind, text: str, kept: str) -> None:
    """A difference is never hashed away."""
    assert not is_same(rule(kind), text, kept)
    assert not alike(kind, text, kept)


def test_lists() -> None:
    """Element by element, and a word NULL is not NULL."""
    assert alike(Kind.NUMBER, "{1.0, 2,NULL}", "{1,2,NULL}", is_list=True)
    assert not alike(Kind.TEXT, '{"NULL"}', "{NULL}", is_list=True)
    assert not alike(Kind.TEXT, '{"(",a,")"}', "{{a}}", is_list=True)
    assert not alike(Kind.TEXT, '{"(",a,")"}', '{"[",a,"]"}', is_list=True)


@pytest.mark.parametrize(
    ("kind", "text", "kept", "form"),
    [
        (Kind.DATE, "Jan 5 2024", "2024-01-05", "2024-01-05"),
        (Kind.DATE, "2024-01-31 10:00", "2024-01-31", "?2024-01-31 10:00"),
        (Kind.DATETIME, "2024-01-31 10", "2024-01-31 10:00:00", "2024-01-31 10:00:00"),
        (Kind.DATETIME, "2024-01-31 10.15.00", "2024-01-31 10:15:00", "2024-01-31 10:15:00"),
        (Kind.DATETIME, "2024-01-31-10:15:00", "2024-01-31 10:15:00", "2024-01-31 10:15:00"),
        (Kind.DATETIME, "2024-01-31:10", "2024-01-31 10:00:00", "2024-01-31 10:00:00"),
        (Kind.TIME, "1015", "10:15:00", "10:15:00"),
        (Kind.TIME, "1 10:00", "34:00:00", "34:00:00"),
        (Kind.SPAN, "1 fortnight", "14 days", "1209600"),
        (Kind.MONEY, "$1,234", "1234.00", "1234"),
        (Kind.MONEY, "1,234", None, "?1,234"),
        (Kind.INSTANT, "Jan 5 2024 10:00+02", "2024-01-05 08:00:00+00", "2024-01-05 08:00:00"),
    ],
)
def test_the_database_says_what_no_rule_reads(kind: Kind, text: str, kept: str | None, form: str) -> None:
    """Unless it loses something of it, or cannot."""
    forms = ColumnForms(rule(kind))
    first = forms.said(text)
    assert forms.asks(text, first)
    assert forms.answered(text, first, kept) == form


@pytest.mark.parametrize("text", ["2024-01-31", "20240131", "2024/1/31", "2024-01-31 00:00"])
def test_usual_spellings_are_read_here(text: str) -> None:
    """No database is asked."""
    forms = ColumnForms(rule(Kind.DATE))
    assert not forms.asks(text, forms.said(text))


TEXTS = st.one_of(
    st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{0,3})?(e-?[0-9])?", fullmatch=True),
    st.sampled_from(["yes", "true", "1", "0", "no", "{1}", "[1]", '"a"', "a,b", "b,a", "\\x41", "A", "a ", "10.0.0.1"]),
    st.dates().map(str), st.datetimes().map(str), st.times().map(str), st.text(max_size=4),
)  # fmt: skip


@examples(300)
@given(st.sampled_from(sorted(Kind)), TEXTS, TEXTS)
def test_the_law_of_forms(kind: Kind, text: str, kept: str) -> None:
    """One form: the same value, blanks at the end of padded texts aside. Of precise types other forms: another."""
    try:
        same = is_same(rule(kind), text, kept)
    except ValueError:
        return  # no database tells such a text of the type
    if alike(kind, text, kept):
        assert same or kind == Kind.PADDED or text == kept
    elif is_precise(rule(kind)):
        assert not same
