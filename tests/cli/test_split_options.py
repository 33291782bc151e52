"""``splitjoin split``: what is typed or in the environment becomes the request; what cannot be meant does not."""

from __future__ import annotations

import datetime as dt
import os
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.cli.split import command
from splitjoin_cli.core.aws.options import AwsOptions, ObjectOptions
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.model import Dialect, Skip
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.places import DirectoryPlace, S3Place
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount, SplitRequest
from splitjoin_cli.splitting.resume import resume_command
from splitjoin_cli.stores.trackers.urls import TrackerUrl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran, RecordsRequests

    Splitjoin = Callable[..., Ran]

MIB = 1024 * 1024
PLACE_HINT = "write the path of a directory, or s3://bucket/prefix/"
HELP = "splitjoin split --help"
ALL_OPTIONS = SplitRequest(
    source="exports/x y.csv",
    destination=S3Place("bucket", "in/"),
    client="acme",
    date="20240131",
    size=ChunkSize(5 * MIB),
    dialect_typed=True,
    delimiter_typed=True,
    dialect=Dialect(
        delimiter="\t",
        quotechar="'",
        escapechar="\\",
        header=False,
        stray_quote="literal",
        nulls=("\\N", ""),
        c_escapes=True,
        escape_in="quotes",
        line_end_rule="lf",
        skip_initial_space=True,
        skip_blank_lines=True,
    ),
    skip=Skip(lines=2, trailer=3),
    encoding="utf-16",
    strict=True,
    compress="zstd",
    jobs=3,
    allow_plain_dask=True,
    bwlimit=8_000_000,
    fsync=True,
    force=True,
    run_label="again; $HOME",
    tracker=TrackerUrl("dynamodb", "jobs"),
    notify="sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/chunks",
    tmp_dir=Path("/tmp"),  # noqa: S108 -- a directory that is there
    objects=ObjectOptions(
        sse="aws:kms",
        sse_kms_key_id="alias/key",
        storage_class="STANDARD_IA",
        tags=(("team", "data & co"), ("empty", "")),
        request_payer=True,
        expected_bucket_owner="123456789012",
        content_encoding="zstd",
    ),
    aws=AwsOptions(profile="work", region="eu-west-1", endpoint_url="http://127.0.0.1:9000"),
)


def test_defaults(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """Source and destination are enough: the client is the source's name, the date today's in UTC."""
    before = dt.datetime.now(tz=dt.UTC).date()
    assert splitjoin("split", "exports/acme.csv.gz", "out").code == 0
    after = dt.datetime.now(tz=dt.UTC).date()
    request = core.request
    assert request.date in {f"{day:%Y%m%d}" for day in (before, after)}
    assert request == SplitRequest(
        source="exports/acme.csv.gz",
        destination=DirectoryPlace("out"),
        client="acme",
        date=request.date,
        size=ChunkSize(128 * MIB),
    )


def test_every_option(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """The command that resumes a split asks for the same split: every option is there, and survives the shell."""
    for asked in (ALL_OPTIONS, replace(ALL_OPTIONS, bwlimit=None, engine="dask:tls://host:8786")):
        words = shlex.split(resume_command(asked, JobName("acme", "20240131")))
        assert splitjoin(*words[1:]).code == 0
        assert core.requests[-1] == asked


@pytest.mark.parametrize(
    ("size", "words"), [(ChunkCount(7), ["--chunks=7"]), (RowCount(9), ["--rows=9"]), (ChunkSize(128 * MIB), [])]
)
def test_resume_spells_out_what_is_not_the_default(size: ChunkSize | ChunkCount | RowCount, words: list[str]) -> None:
    """Nothing else is in the way of reading it; client and date are always there."""
    request = SplitRequest(source="a.csv", destination=DirectoryPlace("out/"), size=size)
    assert shlex.split(resume_command(request, JobName("a", "1"))) == [
        "splitjoin", "split", "--client=a", "--date=1", *words, "--", "a.csv", "out/",
    ]  # fmt: skip


def test_resume_spells_out_a_dialect_that_was_typed() -> None:
    """What lets markup pass lets it pass again, the default delimiter too."""
    request = SplitRequest(source="a.csv", destination=DirectoryPlace("out/"), dialect_typed=True)
    assert shlex.split(resume_command(request, JobName("a", "1")))[4:-3] == ["--delimiter=,"]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://user:secret@host/a.csv?X-Amz-Signature=secret", "https://host/a.csv"),
        ("s3://bucket/what?.csv", "s3://bucket/what?.csv"),
        ("-", "-"),
    ],
)
def test_resume_tells_no_secret(source: str, shown: str) -> None:
    """It is printed and logged."""
    request = SplitRequest(source=source, destination=DirectoryPlace("out/"))
    assert shlex.split(resume_command(request, JobName("a", "1")))[-2] == shown


ENVIRONMENT: dict[str, tuple[str, dict[str, Any]]] = {
    "CLIENT": ("other", {"client": "other"}),
    "DATE": ("2024-01-31", {"date": "2024-01-31"}),
    "NAME_PATTERN": ("(?P<client>x)?", {"name_pattern": re.compile("(?P<client>x)?")}),
    "CHUNK_SIZE": ("1MiB", {"size": ChunkSize(MIB)}),
    "CHUNKS": ("4", {"size": ChunkCount(4)}),
    "ROWS": ("5", {"size": RowCount(5)}),
    "DELIMITER": ("tab", {"dialect": Dialect(delimiter="\t")}),
    "QUOTECHAR": ("none", {"dialect": Dialect(quotechar=None)}),
    "ESCAPECHAR": ("\\", {"dialect": Dialect(escapechar="\\")}),
    "NO_HEADER": ("1", {"dialect": Dialect(header=False)}),
    "DIALECT": ("tsv", {"dialect": Dialect(delimiter="\t")}),
    "NULL": ("a b", {"dialect": Dialect(nulls=("a b",))}),
    "SKIP_INITIAL_SPACE": ("1", {"dialect": Dialect(skip_initial_space=True)}),
    "SKIP_BLANK_LINES": ("1", {"dialect": Dialect(skip_blank_lines=True)}),
    "SKIP_REPEATED_HEADERS": ("1", {"dialect": Dialect(skip_repeated_headers=True)}),
    "SKIP_LINES": ("2", {"skip": Skip(lines=2)}),
    "SKIP_TRAILER": ("3", {"skip": Skip(trailer=3)}),
    "LINE_END": ("lf", {"dialect": Dialect(line_end_rule="lf")}),
    "ON_STRAY_QUOTE": ("literal", {"dialect": Dialect(stray_quote="literal")}),
    "ENCODING": ("utf-16", {"encoding": "utf-16"}),
    "STRICT": ("true", {"strict": True}),
    "COMPRESS": ("gzip", {"compress": "gzip"}),
    "JOBS": ("2", {"jobs": 2}),
    "ENGINE": ("dask:tls://host:8786", {"engine": "dask:tls://host:8786"}),
    "ALLOW_PLAIN_DASK": ("1", {"allow_plain_dask": True}),
    "BWLIMIT": ("8MB/s", {"bwlimit": 8_000_000}),
    "FSYNC": ("yes", {"fsync": True}),
    "DRY_RUN": ("1", {"dry_run": True}),
    "FORCE": ("1", {"force": True}),
    "RUN_LABEL": ("x", {"run_label": "x"}),
    "TRACKER": ("sqlite:jobs.db", {"tracker": TrackerUrl("sqlite", "jobs.db")}),
    "TMP_DIR": ("/tmp", {"tmp_dir": Path("/tmp")}),  # noqa: S108 -- a directory that is there
    "PROFILE": ("p", {"aws": AwsOptions(profile="p")}),
    "REGION": ("r", {"aws": AwsOptions(region="r")}),
    "ENDPOINT_URL": ("https://host", {"aws": AwsOptions(endpoint_url="https://host")}),
}
FOR_S3: dict[str, tuple[str, ObjectOptions]] = {
    "SSE": ("AES256", ObjectOptions(sse="AES256")),
    "STORAGE_CLASS": ("GLACIER", ObjectOptions(storage_class="GLACIER")),
    "TAG": ("a=1 2,b=", ObjectOptions(tags=(("a", "1 2"), ("b", "")))),
    "REQUEST_PAYER": ("1", ObjectOptions(request_payer=True)),
    "EXPECTED_BUCKET_OWNER": ("1", ObjectOptions(expected_bucket_owner="1")),
}


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_environment(name: str, splitjoin: Splitjoin, core: RecordsRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option has its variable."""
    value, expected = ENVIRONMENT[name]
    monkeypatch.setenv(f"SPLITJOIN_{name}", value)
    assert splitjoin("split", "acme.csv", "out").code == 0
    for field, wanted in expected.items():
        assert getattr(core.request, field) == wanted


@pytest.mark.parametrize("name", FOR_S3)
def test_environment_for_s3(
    name: str, splitjoin: Splitjoin, core: RecordsRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable for objects on S3 waits, where the destination is a directory, until there are some."""
    value, expected = FOR_S3[name]
    monkeypatch.setenv(f"SPLITJOIN_{name}", value)
    assert splitjoin("split", "acme.csv", "out").code == 0
    assert splitjoin("split", "acme.csv", "s3://bucket").code == 0
    assert [request.objects for request in core.requests] == [ObjectOptions(), expected]


def test_environment_for_encodings(
    splitjoin: Splitjoin, core: RecordsRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable is for chunks that are stored so, and waits for them."""
    monkeypatch.setenv("SPLITJOIN_CONTENT_ENCODING", "gzip")
    for words in (["out", "--compress=gzip"], ["s3://bucket"], ["s3://bucket", "--compress=gzip"]):
        assert splitjoin("split", "acme.csv", *words).code == 0
    assert [request.objects.content_encoding for request in core.requests] == [None, None, "gzip"]


def test_environment_for_events(splitjoin: Splitjoin, core: RecordsRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for who is sent the events."""
    monkeypatch.setenv("SPLITJOIN_NOTIFY", "lambda:load")
    assert splitjoin("split", "acme.csv", "out").code == 0
    assert splitjoin("split", "acme.csv", "s3://bucket").code == 0
    assert [request.notify for request in core.requests] == [None, "lambda:load"]


def test_the_requester_pays_for_a_source(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """A bucket whose reader pays can be split into a directory."""
    assert splitjoin("split", "s3://theirs/acme.csv", "out", "--request-payer").code == 0
    assert core.request.objects == ObjectOptions(request_payer=True)


@pytest.mark.parametrize(
    ("environment", "words", "name"),
    [
        (
            {"CLIENT": "other"},
            ["20240131-acme.csv", "--name-pattern=(?P<date>[0-9]+)-(?P<client>[a-z]+)"],
            "acme_20240131",
        ),
        ({"CLIENT": "other"}, ["20240131-acme.csv", "--name-pattern=(?P<date>[0-9]+)"], "other_20240131"),
        (
            {"CLIENT": "other"},
            ["20240131-acme.csv", "--name-pattern=(?P<date>[0-9]+)-(?P<client>[a-z]+)", "--client=mine"],
            "mine_20240131",
        ),
        ({"NAME_PATTERN": "(?P<date>[0-9]+)"}, ["20240131-acme.csv", "--client=b"], "b_20240131"),
        ({"NAME_PATTERN": "(?P<client>x)"}, ["-", "--client=b", "--date=1"], "b_1"),
        ({"NAME_PATTERN": "(?P<date>x)", "DATE": "1"}, ["-", "--client=b"], "b_1"),
    ],
)
def test_names_and_the_environment(
    splitjoin: Splitjoin,
    core: RecordsRequests,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    words: list[str],
    name: str,
) -> None:
    """A typed pattern beats the environment's client; what is typed beats both; no pattern is for standard input."""
    for variable, value in environment.items():
        monkeypatch.setenv(f"SPLITJOIN_{variable}", value)
    assert splitjoin("split", words[0], "out", *words[1:]).code == 0
    assert f"{core.request.client}_{core.request.date}" == name


def test_a_pipe_needs_a_client(splitjoin: Splitjoin, core: RecordsRequests, tmp_path: Path) -> None:
    """Whatever it is called: a number of /dev/fd, or a name of the user's."""
    pipe = tmp_path / "acme_20240131.csv"
    os.mkfifo(pipe)
    ran = splitjoin("split", str(pipe), "out", "--json")
    assert ran.document["error"] == {
        "code": 2, "message": f"{pipe} is a pipe: --client is needed", "hint": "add --client NAME",
    }  # fmt: skip
    assert splitjoin("split", str(pipe), "out", "--client=acme", "--date=1").code == 0
    assert (core.request.client, core.request.date) == ("acme", "1")


def test_every_option_has_its_variable_tested() -> None:
    """A new option is tested with its variable, or with the talk it makes."""
    options = {one.name.upper() for one in command.params if one.name and one.param_type_name == "option"}
    of_an_escape = {"C_ESCAPES", "ESCAPE_IN"}
    talk = {"AS_JSON", "QUIET", "VERBOSE", "NO_PROGRESS", "DEBUG"}
    with_another = {"SSE_KMS_KEY_ID", "FILES_FROM", "NOTIFY", "CONTENT_ENCODING"}
    assert options - talk - with_another - of_an_escape == set(ENVIRONMENT) | set(FOR_S3)


@pytest.mark.parametrize(
    ("environment", "typed", "size"),
    [
        ({"ROWS": "5"}, ["--chunk-size=1MiB"], ChunkSize(MIB)),
        ({"ROWS": "5", "CHUNKS": "6"}, ["--chunk-size=1MiB"], ChunkSize(MIB)),
        ({"CHUNK_SIZE": "2MiB"}, ["--rows=7"], RowCount(7)),
        ({"ROWS": "5"}, ["--rows=7"], RowCount(7)),
    ],
)
def test_typed_beats_environment(
    environment: dict[str, str],
    typed: list[str],
    size: ChunkSize | ChunkCount | RowCount,
    splitjoin: Splitjoin,
    core: RecordsRequests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of options that exclude each other, the typed one counts."""
    for name, value in environment.items():
        monkeypatch.setenv(f"SPLITJOIN_{name}", value)
    assert splitjoin("split", "acme.csv", "out", *typed).code == 0
    assert core.request.size == size


def test_two_in_the_environment(splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is more meant than the other, and the message names the variables, for nothing was typed."""
    monkeypatch.setenv("SPLITJOIN_ROWS", "5")
    monkeypatch.setenv("SPLITJOIN_CHUNKS", "5")
    ran = splitjoin("split", "acme.csv", "out")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr == ("Error: SPLITJOIN_CHUNKS and SPLITJOIN_ROWS exclude each other\nHint: give one of them\n")


USAGE = {
    "no source": ([], "SOURCE is missing", "splitjoin split SOURCE DEST; splitjoin split --help says more"),
    "no destination": (["a.csv"], "DEST is missing", "splitjoin split SOURCE DEST; splitjoin split --help says more"),
    "sizes": (
        ["a.csv", "out", "--rows=1", "--chunks=1"],
        "--chunks and --rows exclude each other",
        "give one of them",
    ),
    "talk": (["a.csv", "out", "-q", "-v"], "--quiet and --verbose exclude each other", "give one of them"),
    "no name": (["-", "out"], "standard input has no name: --client is needed", "add --client NAME"),
    "client": (
        ["x y.csv", "out"],
        "client 'x y' holds ' ' (U+0020) at character 2; letters, digits and - . _ are allowed",
        "type --client x_y, or another name",
    ),
    "pattern": (
        ["x.csv", "out", "--name-pattern=(x)"],
        "--name-pattern '(x)' has neither the group (?P<client>...) nor (?P<date>...)",
        r"name one of them, as in (?P<client>[a-z]+)\.(?P<date>\d{8})",
    ),
    "no match": (
        ["x.csv", "out", "--name-pattern=(?P<client>y)"],
        "--name-pattern '(?P<client>y)' does not match the name 'x.csv'",
        "correct it, or give --client and --date",
    ),
    "date": (
        ["x.csv", "out", "--date=a_b"],
        "date 'a_b' holds '_' (U+005F) at character 2; letters, digits and - . are allowed",
        "give another one with --date",
    ),
    "stdout": (["a.csv", "-"], "'-' is neither a directory nor an S3 prefix", PLACE_HINT),
    "no bucket": (["a.csv", "s3:///x"], "'s3:///x' is neither a directory nor an S3 prefix", PLACE_HINT),
    "slash": (
        ["a.csv", "s3:/b/x"],
        "'s3:/b/x' looks like S3 and is not s3://bucket/prefix/",
        PLACE_HINT,
    ),
    "scheme": (
        ["a.csv", "gs://b/x"],
        "'gs://b/x' is neither a directory nor an S3 prefix",
        PLACE_HINT,
    ),
    "same characters": (
        ["a.csv", "out", "--delimiter='", "--quotechar='"],
        "delimiter, quotechar and escapechar must differ: \"'\", \"'\"",
        None,
    ),
    "nine bytes": (
        ["a.csv", "out", "--delimiter=123456789"],
        "Invalid value for '--delimiter': '123456789' is not 1 to 8 bytes of UTF-8 without CR and LF",
        HELP,
    ),
    "delimiter none": (
        ["a.csv", "out", "--delimiter=none"],
        "Invalid value for '--delimiter': each record has a delimiter: leave the option out for a comma",
        HELP,
    ),
    "encoding of what": (
        ["a.csv", "s3://b/p/", "--content-encoding=gzip", "--compress=zstd"],
        "--content-encoding gzip is for chunks that are stored as gzip",
        "give --compress gzip too",
    ),
    "notify, s3 only": (["a.csv", "out", "--notify=lambda:f"], "--notify is for s3:// destinations", "leave it out"),
    "notify nobody": (
        ["a.csv", "s3://b/p/", "--notify=mail:me"],
        "--notify names neither a function nor a queue",
        "write lambda:NAME or sqs:QUEUE_URL",
    ),
    "s3 only": (["a.csv", "out", "--sse=AES256"], "--sse is for s3:// destinations", "leave it out"),
    "key without kms": (
        ["a.csv", "s3://b", "--sse-kms-key-id=k"],
        "--sse-kms-key-id needs --sse aws:kms",
        "add --sse aws:kms",
    ),
    "tag": (
        ["a.csv", "s3://b", "--tag=x"],
        "Invalid value for '--tag': 'x' is not K=V with a key of 1 to 128 characters and a value of up to 256",
        HELP,
    ),
    "tags": (
        ["a.csv", "s3://b", *(f"--tag={number}=" for number in range(11))],
        "11 tags were given; S3 takes 10 for an object",
        None,
    ),
    "tag twice": (["a.csv", "s3://b", "--tag=x=1", "--tag=x=2"], "the tag 'x' was given twice", None),
    "endpoint": (
        ["a.csv", "s3://b", "--endpoint-url=localhost:1"],
        "Invalid value for '--endpoint-url': 'localhost:1' is not an http:// or https:// URL",
        HELP,
    ),
    "endpoint with password": (
        ["a.csv", "s3://b", "--endpoint-url=http://me:secret@host"],
        "Invalid value for '--endpoint-url': an endpoint holds no user or password: use AWS_* variables or --profile",
        HELP,
    ),
    "unknown option": (["a.csv", "out", "--nonsense"], "No such option '--nonsense'.", HELP),
    "jobs": (
        ["a.csv", "out", "--jobs=0"],
        "Invalid value for '--jobs': '0' is not a number from 1 to 1024",
        HELP,
    ),
    "engine": (
        ["a.csv", "out", "--engine=spark"],
        "--engine: 'spark' is neither threads nor dask:ADDRESS nor lambda:FUNCTION",
        "write dask:tls://HOST:8786, dask:FILE.json, dask: for Dask's own configuration, or lambda:FUNCTION",
    ),
    "engine and bwlimit": (
        ["a.csv", "out", "--engine=dask:", "--bwlimit=1MB/s"],
        "--bwlimit limits what this process sends and receives, and with --engine dask: its workers do that",
        "leave --bwlimit out, or use --engine threads",
    ),
    "rows": (
        ["a.csv", "out", "--rows=1_0"],
        "Invalid value for '--rows': '1_0' is not a number from 1 to 9223372036854775807",
        HELP,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", USAGE)
@pytest.mark.parametrize("as_json", [False, True])
def test_usage_errors(case: str, *, as_json: bool, splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """Exit 2 with a message that says what, nothing begun; with --json one document and a silent stderr."""
    arguments, message, hint = USAGE[case]
    ran = splitjoin("split", *arguments, *(["--json"] if as_json else []))
    assert ran.code == UsageError.exit_code
    assert core.requests == []
    if as_json:
        assert ran.document == {"error": {"code": 2, "message": message, "hint": hint}}
        assert ran.stderr == ""
    else:
        assert ran.stdout == ""
        assert ran.stderr == f"Error: {message}\n" + (f"Hint: {hint}\n" if hint else "")


def test_json_by_environment(splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPLITJOIN_JSON holds for errors as --json does."""
    monkeypatch.setenv("SPLITJOIN_JSON", "1")
    assert splitjoin("split", "a.csv").document["error"]["message"] == "DEST is missing"


def test_words_after_two_dashes_are_no_options(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """A file may be called --json."""
    ran = splitjoin("split", "--client=a", "--date=1", "--", "--json", "out")
    assert (ran.code, ran.stdout) == (0, "out/acme_20240131.manifest.json\n")
    assert core.request.source == "--json"


SNOWFLAKE = Dialect(escapechar="\\", nulls=("\\N",))


@pytest.mark.parametrize(
    ("environment", "typed", "dialect"),
    [
        ({}, ["--dialect=snowflake"], SNOWFLAKE),
        ({"DIALECT": "snowflake"}, [], SNOWFLAKE),
        ({"DIALECT": "snowflake"}, ["--dialect=tsv"], Dialect(delimiter="\t")),
        ({"DELIMITER": ";"}, ["--dialect=snowflake"], SNOWFLAKE),
        ({"DELIMITER": ";", "DIALECT": "snowflake"}, [], replace(SNOWFLAKE, delimiter=";")),
        ({"NULL": "x", "DIALECT": "snowflake"}, ["--delimiter=;"], replace(SNOWFLAKE, delimiter=";", nulls=("x",))),
        ({}, ["--null=none", "--dialect=snowflake"], replace(SNOWFLAKE, nulls=())),
        ({}, ["--dialect=postgresql-text", "--escapechar=none"], Dialect("\t", None, None, nulls=("\\N",))),
        ({}, ["--dialect=postgresql-text", "--delimiter=N"], Dialect("N", None, "\\", c_escapes=True)),
        ({"ESCAPE_IN": "quotes"}, ["--escapechar=^"], Dialect(escapechar="^", escape_in="quotes")),
    ],
)
def test_typed_beats_preset_beats_environment(
    environment: dict[str, str],
    typed: list[str],
    dialect: Dialect,
    splitjoin: Splitjoin,
    core: RecordsRequests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And a preset of the environment comes last; what it sets falls away where it has no meaning any more."""
    for name, value in environment.items():
        monkeypatch.setenv(f"SPLITJOIN_{name}", value)
    assert splitjoin("split", "acme.csv", "out", *typed).code == 0
    assert core.request.dialect == dialect


def test_resume_of_a_preset_with_a_ruler(splitjoin: Splitjoin, core: RecordsRequests) -> None:
    """No option says it but the preset itself."""
    assert splitjoin("split", "acme_1.csv", "out", "--dialect=sqlcmd", "--quotechar='", "--null=none").code == 0
    asked = core.request
    words = shlex.split(resume_command(asked, JobName(asked.client or "", asked.date or "")))
    assert splitjoin(*words[1:]).code == 0
    assert core.requests == [asked, asked]
    assert asked.skip == Skip(ruler=True)


def test_no_lines_to_skip(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """A script types the number that ``inspect --json`` says, which may be 0: it is the split without the option."""
    (tmp_path / "acme.csv").write_bytes(b"id,n\n1,a\n")
    command = ("split", str(tmp_path / "acme.csv"), str(tmp_path / "out"), "--date", "d", "--json")
    first = splitjoin(*command, "--skip-lines", "0", "--skip-trailer", "0")
    again = splitjoin(*command)
    assert (first.code, again.document["skipped"], again.document["left_out"]) == (0, 1, None)
    assert splitjoin(*command, "--skip-lines", "-1").document["error"]["code"] == 2
