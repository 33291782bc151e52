"""What a source's name says of client and date."""

from __future__ import annotations

import datetime as dt
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.source_name import Naming, day_of, name_job, name_pattern

TODAY = dt.date(2026, 11, 30)


def named(
    source: str,
    *,
    client: str | None = None,
    date: str | None = None,
    pattern: str | None = None,
    today: dt.date = TODAY,
) -> Naming:
    """The name of a split of ``source``."""
    compiled = None if pattern is None else name_pattern(pattern)
    return name_job(source, client=client, date=date, pattern=compiled, today=today)


@pytest.mark.parametrize(
    ("source", "client", "date"),
    [
        ("/data/acme_20240131.csv", "acme", "20240131"),
        ("acme_2024-01-31.csv.gz", "acme", "2024-01-31"),
        ("s3://bucket/in/acme_us_20240229.tsv.ZST", "acme_us", "20240229"),
        ("https://host/acme_20240131.csv?d=_20250101", "acme", "20240131"),
        ("acme_20240131", "acme", "20240131"),
        ("acme_20240131.gz", "acme", "20240131"),
        ("a_20230101_20240131.csv", "a_20230101", "20240131"),
        ("_x_20240131.csv", "_x", "20240131"),
    ],
)
def test_client_date(source: str, client: str, date: str) -> None:
    """CLIENT_DATE is taken apart where the date is a day, and its spelling kept."""
    stem = f"{client}_{date}"
    assert named(source) == Naming(JobName(client, date), None, stem)


@pytest.mark.parametrize(
    ("source", "client"),
    [
        ("report_20240230.csv", "report_20240230"),
        ("report_20230229.csv", "report_20230229"),
        ("a_2024-01-31_v2.csv", "a_2024-01-31_v2"),
        ("a_2024-0131.csv", "a_2024-0131"),
        ("a_202401-31.csv", "a_202401-31"),
        ("a_00000101.csv", "a_00000101"),
        ("a_2024013.csv", "a_2024013"),
        ("a_٢٠٢٤٠١٣١.csv", "a_٢٠٢٤٠١٣١"),
        ("_20240131.csv", "_20240131"),
        ("20240131.csv", "20240131"),
        ("acme-20240131.csv", "acme-20240131"),
        ("export.csv.gz", "export"),
        ("a.b.csv", "a.b"),
        ("a.tar.GZ", "a"),
        ("plain", "plain"),
        ("only.bz2", "only"),
        ("s3://bucket/in/x.tsv.zst", "x"),
        ("https://user:pw@host/in/%C3%A9t%C3%A9.csv.xz?X-Amz-Signature=1/2.csv#3", "été"),
        ("HTTPS://host/export.csv?token=t0k3n", "export"),
    ],
)
def test_any_other_name_is_the_client(source: str, client: str) -> None:
    """All of it, less a compression suffix and one more; the date is today's."""
    assert named(source) == Naming(JobName(client, "20261130"), TODAY, None)


@given(
    st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=40),
    st.dates(),
    st.sampled_from(["%Y%m%d", "%Y-%m-%d"]),
)
def test_every_day_is_known_and_none_is_made_up(client: str, day: dt.date, spelling: str) -> None:
    """What is written as CLIENT_DATE is read as that, whatever the client holds."""
    date = f"{day.year:04d}{day:%m%d}" if spelling == "%Y%m%d" else day.isoformat()
    assert day_of(date) == day
    assert named(f"{client}_{date}.csv").job == JobName(client, date)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"client": "other"}, Naming(JobName("other", "20240131"))),
        ({"date": "20240201"}, Naming(JobName("acme", "20240201"), None, "acme_20240131")),
        ({"client": "other", "date": "x"}, Naming(JobName("other", "x"))),
    ],
)
def test_each_is_a_default_by_itself(options: dict[str, str], expected: Naming) -> None:
    """What is typed wins; the other one still comes from the name."""
    assert named("acme_20240131.csv", **options) == expected  # type: ignore[arg-type]  # no option is a day here


@pytest.mark.parametrize(
    ("source", "pattern", "options", "expected"),
    [
        ("20240131-acme.v1.csv", r"(?P<date>\d{8})-(?P<client>\w+)\.", {}, Naming(JobName("acme", "20240131"))),
        ("in/acme.export.csv.gz", r"^(?P<client>[^.]+).*\.gz$", {}, Naming(JobName("acme", "20261130"), TODAY)),
        ("acme_20240131.csv", r"(?P<date>2024)", {}, Naming(JobName("acme", "2024"), None, "acme_20240131")),
        ("acme_20240131.csv", r"^(?P<client>x?)", {}, Naming(JobName("acme", "20240131"), None, "acme_20240131")),
        (
            "acme_20240131.csv",
            r"^(?P<client>x)?(?P<date>y)?",
            {"date": "1"},
            Naming(JobName("acme", "1"), None, "acme_20240131"),
        ),
        ("20240131-acme.csv", r"(?P<date>\d{8})-(?P<client>\w+)\.", {"client": "b"}, Naming(JobName("b", "20240131"))),
        ("no match", r"(?P<client>\d)", {"client": "b", "date": "c"}, Naming(JobName("b", "c"))),
    ],
)
def test_a_pattern(source: str, pattern: str, options: dict[str, str], expected: Naming) -> None:
    """It is searched in the last component with its suffixes; an empty or missing group is the default; typed wins."""
    assert named(source, pattern=pattern, **options) == expected  # type: ignore[arg-type]  # no option is a day here


def test_a_pattern_that_does_not_match() -> None:
    """It is the source's usage error."""
    with pytest.raises(UsageError) as caught:
        named("in/acme.csv", pattern=r"(?P<client>\d+)")
    assert caught.value.message == r"--name-pattern '(?P<client>\d+)' does not match the name 'acme.csv'"
    assert caught.value.hint == "correct it, or give --client and --date"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "--name-pattern '(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ("(a)", "--name-pattern '(a)' has neither the group (?P<client>...) nor (?P<date>...)"),
        ("(?P<name>a)", "--name-pattern '(?P<name>a)' has neither the group (?P<client>...) nor (?P<date>...)"),
    ],
)
def test_a_pattern_that_is_none(pattern: str, message: str) -> None:
    """It needs one of the two groups."""
    with pytest.raises(UsageError) as caught:
        name_pattern(pattern)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (
            "Account Export.csv",
            "client 'Account Export' holds ' ' (U+0020) at character 8; letters, digits and - . _ are allowed",
            "type --client Account_Export, or another name",
        ),
        (
            "Account Export_20240131.csv",
            "client 'Account Export' holds ' ' (U+0020) at character 8; letters, digits and - . _ are allowed",
            "type --client Account_Export, or another name",
        ),
        (
            "s3://bucket/in/what?! (1).csv",
            "client 'what?! (1)' holds '?' (U+003F) at character 5; letters, digits and - . _ are allowed",
            "type --client what_1_, or another name",
        ),
        (".hidden", "client '.hidden' begins with '.' (U+002E)", "type --client hidden, or another name"),
        ("dir/", "client has 0 characters; 1 to 128 are allowed", "give one with --client NAME"),
        ("a" * 150, "client has 150 characters; 1 to 128 are allowed", f"type --client {'a' * 128}, or another name"),
        (
            "語" * 70,
            f"object name '{'語' * 70}_20261130-1-1.csv' has 227 bytes of UTF-8; 200 are allowed",
            f"type --client {'語' * 61}, or another name",
        ),
    ],
)
def test_a_name_that_cannot_be_a_client(source: str, message: str, hint: str) -> None:
    """The usage error names the character, and proposes a client."""
    with pytest.raises(UsageError) as caught:
        named(source)
    assert caught.value.message == message
    assert caught.value.hint == hint


@given(st.text(max_size=200))
def test_what_is_proposed_can_be(name: str) -> None:
    """Typed as it is proposed, the client is one."""
    hint = hint_of(name)
    if hint.startswith("type --client "):
        proposed = hint.removeprefix("type --client ").removesuffix(", or another name")
        assert named(name, client=proposed).job.client == proposed


def hint_of(name: str) -> str:
    """The next step that a source of that name is told; empty where it can be split."""
    try:
        named(name)
    except UsageError as exc:
        return exc.hint or "none"
    return ""
