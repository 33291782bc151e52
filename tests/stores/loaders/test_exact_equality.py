"""When what a database keeps is what the text says: kind by kind, what is lost and what is only spelled otherwise."""

from __future__ import annotations

import pytest

from splitjoin_cli.stores.loaders.exact.equality import Kind, alike

SAME = [
    (Kind.NUMBER, "007", "7"),
    (Kind.NUMBER, "1.50", "1.5"),
    (Kind.NUMBER, "1e3", "1000"),
    (Kind.NUMBER, " 5 ", "5"),
    (Kind.NUMBER, "0x1F", "31"),
    (Kind.NUMBER, "-0b11", "-3"),
    (Kind.NUMBER, "1_000", "1000"),
    (Kind.NUMBER, "NaN", "nan"),
    (Kind.NUMBER, "Infinity", "inf"),
    (Kind.NUMBER, "-0", "0"),
    (Kind.NUMBER, "0x1p-2", "0.25"),
    (Kind.NUMBER, "abc", "abc"),
    (Kind.SINGLE, "1.2345678", "1.2345677614212036"),
    (Kind.SINGLE, "0.1", "0.10000000149011612"),
    (Kind.MONEY, "$1,234.50", "1234.50"),
    (Kind.MONEY, "(3)", "-3.00"),
    (Kind.MONEY, "-0", "0.00"),
    (Kind.BOOLEAN, "yes", "true"),
    (Kind.BOOLEAN, "0.0", "f"),
    (Kind.BOOLEAN, "1.0", "true"),
    (Kind.PADDED, "ab", "ab  "),
    (Kind.PADDED, "ab ", "ab  "),
    (Kind.DATE, "20240131", "2024-01-31"),
    (Kind.DATE, "2024/1/31", "2024-01-31"),
    (Kind.DATE, "Jan 5 2024", "2024-01-05"),
    (Kind.DATE, "2024-01-31 00:00:00.000", "2024-01-31"),
    (Kind.DATE, "0044-03-15 BC", "0044-03-15 BC"),
    (Kind.DATE, "24-01-31", "2024-01-31"),
    (Kind.DATE, "0000-00-00", "0000-00-00"),
    (Kind.DATETIME, "2024-01-31T10:00:00.50", "2024-01-31 10:00:00.5"),
    (Kind.DATETIME, "2024-01-31", "2024-01-31 00:00:00"),
    (Kind.DATETIME, "2024-01-31 24:00", "2024-02-01 00:00:00"),
    (Kind.DATETIME, "20240131T101112", "2024-01-31 10:11:12"),
    (Kind.DATETIME, "Jan 31 2024 10:00 PM", "2024-01-31 22:00:00"),
    (Kind.INSTANT, "2024-01-31 10:00:00+02", "2024-01-31 08:00:00+00"),
    (Kind.INSTANT, "2024-01-31T10:00:00Z", "2024-01-31 11:00:00+01"),
    (Kind.INSTANT, "2024-01-31 10:00:00", "2024-01-31 10:00:00+01"),
    (Kind.INSTANT, "2024-01-31 10:00 Europe/Rome", "2024-01-31 09:00:00+00"),
    (Kind.TIME, "10:11", "10:11:00"),
    (Kind.TIME, "101112", "10:11:12"),
    (Kind.TIME, "1 10:11:12", "34:11:12"),
    (Kind.TIME, "12:30 AM", "00:30:00"),
    (Kind.TIME, "-1 10:00:00", "-34:00:00"),
    (Kind.TIME_WITH_OFFSET, "10:11:12+02", "10:11:12+02:00"),
    (Kind.TIME_WITH_OFFSET, "10:11:12", "10:11:12+01"),
    (Kind.SPAN, "1.5 days", "1 day 12:00:00"),
    (Kind.SPAN, "P1Y2M", "1 year 2 mons"),
    (Kind.SPAN, "1 day ago", "-1 days"),
    (Kind.SPAN, "PT1M", "00:01:00"),
    (Kind.SPAN, "0.1234567 days", "02:57:46.65888"),
    (Kind.SPAN, "1-2", "1 year 2 mons"),
    (Kind.MEMBER, "B ", "b"),
    (Kind.MEMBERS, "b,A", "a,b"),
    (Kind.DOCUMENT, '{"b": 1.50, "a": [1e2]}', '{"a": [100], "b": 1.5}'),
]
LOST = [
    (Kind.TEXT, "abc ", "abc"),
    (Kind.TEXT, "ab", "ab\0\0"),
    (Kind.NUMBER, "1.5", "2"),
    (Kind.NUMBER, "1e400", "inf"),
    (Kind.NUMBER, "9007199254740993.0", "9007199254740992"),
    (Kind.NUMBER, "0.1234567890123456789", "0.12345678901234568"),
    (Kind.NUMBER, "0", "2000"),
    (Kind.NUMBER, "NaN", "0"),
    (Kind.NUMBER, "abc", "0"),
    (Kind.NUMBER, "-1", "4294967295"),
    (Kind.NUMBER, "-0x10", "16"),
    (Kind.SINGLE, "16777217", "16777216"),
    (Kind.SINGLE, "1.23456789", "1.2345678806304932"),
    (Kind.MONEY, "1.005", "1.01"),
    (Kind.MONEY, "-1", "1.00"),
    (Kind.BOOLEAN, "2", "true"),
    (Kind.BOOLEAN, "yes", "false"),
    (Kind.PADDED, "abcd ", "abcd"),
    (Kind.PADDED, "ab", "abx"),
    (Kind.DATE, "2024-01-31 10:00", "2024-01-31"),
    (Kind.DATE, "2024-01-31 00:00:00.5", "2024-01-31"),
    (Kind.DATE, "2024-01-31Z", "2024-01-31"),
    (Kind.DATE, "2024-01-31T00:00:00+02", "2024-01-31"),
    (Kind.DATE, "today", "2024-01-31"),
    (Kind.DATE, "2024-02-30", "2024-03-01"),
    (Kind.DATE, "20240131101112", "2024-01-31"),
    (Kind.DATETIME, "2024-01-31 10:00:00.5", "2024-01-31 10:00:00"),
    (Kind.DATETIME, "2024-01-31 10:00:00+02", "2024-01-31 10:00:00"),
    (Kind.DATETIME, "2024-01-31T10:00:00Z", "2024-01-31 10:00:00"),
    (Kind.DATETIME, "2024-01-31 10:00 EST", "2024-01-31 10:00:00"),
    (Kind.DATETIME, "2024-01-31 10:00-05:30", "2024-01-31 10:00:00"),
    (Kind.DATETIME, "now", "2024-01-31 10:00:00"),
    (Kind.DATETIME, "Jan 31 2024 10:00:00.25", "2024-01-31 10:00:00.2"),
    (Kind.DATETIME, "2024-01-31 10:00 America/New_York", "2024-01-31 10:00:00"),
    (Kind.INSTANT, "2024-01-31 10:00:00.1234567+02", "2024-01-31 08:00:00.123457+00"),
    (Kind.INSTANT, "tomorrow", "2024-01-31 00:00:00+00"),
    (Kind.INSTANT, "2024-01-31 10:00:00+02", "2024-01-31 10:00:00+00"),
    (Kind.INSTANT, "2024-01-31 10:00:00", "2024-01-31 11:00:00+01"),
    (Kind.INSTANT, "2024-01-31 10:00:00.25 Europe/Rome", "2024-01-31 09:00:00.3+00"),
    (Kind.TIME, "10:11:12.5", "10:11:12"),
    (Kind.TIME, "2024-01-31 10:11:12", "10:11:12"),
    (Kind.TIME, "10:11:12+02", "10:11:12"),
    (Kind.TIME, "now", "10:11:12"),
    (Kind.TIME, "1 10:11:12", "10:11:12"),
    (Kind.TIME, "101112.5", "10:11:12"),
    (Kind.TIME_WITH_OFFSET, "10:11:12+02", "10:11:12+00"),
    (Kind.TIME_WITH_OFFSET, "10:11:12.5+02", "10:11:12+02"),
    (Kind.SPAN, "1.0000001 seconds", "00:00:01"),
    (Kind.SPAN, "1.5 days", "1 day"),
    (Kind.SPAN, "1 day ago", "1 day"),
    (Kind.SPAN, "PT1.5S", "00:00:02"),
    (Kind.SPAN, "P1M", "00:01:00"),
    (Kind.MEMBER, "2", "y"),
    (Kind.MEMBERS, "3", "a,b"),
    (Kind.MEMBERS, "a", "a,b"),
    (Kind.DOCUMENT, '{"a": 1, "a": 2}', '{"a": 2}'),
    (Kind.DOCUMENT, "1.10", "1.1000000000000001"),
    (Kind.DOCUMENT, "x", "y"),
]
LISTS = [
    (Kind.NUMBER, "{ 1 , 2.50 }", "{1,2.5}", True),
    (Kind.NUMBER, "[0:1]={1,02}", "[0:1]={1,2}", True),
    (Kind.NUMBER, "{{1,NULL},{2,3}}", "{{1,NULL},{2,3}}", True),
    (Kind.NUMBER, "[1.5, 2]", "[2, 2]", False),
    (Kind.NUMBER, "{1,2}", "{1,2,3}", False),
    (Kind.NUMBER, "{1,2}", "{{1},{2}}", False),
    (Kind.NUMBER, "{1,NULL}", "{1,0}", False),
    (Kind.DATE, '{"2024-01-31 00:00"}', "{2024-01-31}", True),
    (Kind.DATE, '{"2024-01-31 10:00"}', "{2024-01-31}", False),
    (Kind.TEXT, r'{"a\"b,c",d}', r'{"a\"b,c","d"}', True),
    (Kind.TEXT, '{"ab  "}', "{ab}", False),
    (Kind.TEXT, '{"NULL"}', "{NULL}", False),
    (Kind.TEXT, "no list", "{}", False),
]


@pytest.mark.parametrize(("kind", "text", "kept"), SAME)
def test_another_spelling_is_the_same_value(kind: Kind, text: str, kept: str) -> None:
    """Nothing is lost."""
    assert alike(kind, text, kept)


@pytest.mark.parametrize(("kind", "text", "kept"), LOST)
def test_what_lost_anything_is_another_value(kind: Kind, text: str, kept: str) -> None:
    """Digits, a fraction, a time of day, an offset, characters, a word."""
    assert not alike(kind, text, kept)


@pytest.mark.parametrize(("kind", "text", "kept", "same"), LISTS)
def test_lists_are_alike_element_by_element(kind: Kind, text: str, kept: str, *, same: bool) -> None:
    """As PostgreSQL and DuckDB write them."""
    assert alike(kind, text, kept, is_list=True) is same
