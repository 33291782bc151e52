"""The zips of ``make lambda``: the same bytes every time, and run by Lambda's own runtime client on real servers."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.native import LIBRARY
from splitjoin_cli.deploy.lambda_handler import handler
from splitjoin_cli.deploy.stack.parameters import PARAMETERS
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from tests.deploy.invocations import sqs_event, stored
from tests.e2e.command import Splitjoin
from tests.servers.function_zip import build_zip
from tests.servers.lambda_runtime import NAME, running_function
from tools import lambda_zip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase
    from tests.servers.s3 import Bucket

HANDLER = f"{handler.__module__}.{handler.__name__}"
ROWS = 25


@pytest.fixture(scope="module")
def code(function_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, unpacked as Lambda does it."""
    directory = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(function_zip) as archive:
        archive.extractall(directory)
    return directory


def test_the_same_input_gives_the_same_bytes(function_zip: Path, tmp_path: Path) -> None:
    """Another place, another time, another umask, and the wheels installed anew."""
    before = os.umask(0o077)
    try:
        again = build_zip(tmp_path)
    finally:
        os.umask(before)
    assert again.read_bytes() == function_zip.read_bytes()


def test_entries_are_sorted_and_of_no_time(tmp_path: Path) -> None:
    """Whatever order, times and modes the files have."""
    contents = {"b": b"2", "a/c": b"3" * 1000, "a": b"1"}
    archives = []
    for number, names in enumerate((list(contents), list(reversed(contents)))):
        place = tmp_path / str(number)
        place.mkdir()
        entries = []
        for name in names:
            path = place / name.replace("/", "-")
            path.write_bytes(contents[name])
            path.chmod(0o600 + number)
            os.utime(path, (1e9 + number, 1e9 + number))
            entries.append((name, path))
        out = tmp_path / f"{number}.zip"
        lambda_zip.write(out, entries)
        archives.append(out.read_bytes())
    assert archives[0] == archives[1]
    with zipfile.ZipFile(tmp_path / "0.zip") as archive:
        assert archive.namelist() == ["a", "a/c", "b"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_what_is_in_it(function_zip: Path) -> None:
    """Our modules that the handler uses, the drivers, and nothing that varies or that only a split needs."""
    with zipfile.ZipFile(function_zip) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name and ".libs/" not in name}
    expected = {"splitjoin_cli", "backports", "isal", "psycopg", "psycopg_binary", "pymysql", "typing_extensions.py"}
    assert tops == {top for top in expected if top.startswith("splitjoin") or _wanted(top)}
    ours = {Path(name).relative_to("splitjoin_cli") for name in names if name.startswith("splitjoin_cli/")}
    assert {Path("deploy/lambda_handler.py"), Path("stores/loaders/mysql.py")} <= ours
    folders = {str(path.parent) for path in ours} - {"."}
    assert folders == {
        *(
            "api",
            "core",
            "core/aws",
            "core/aws/data",
            "core/bytes",
            "core/format",
            "core/native",
            "deploy",
            "join",
            "join/operate",
        ),
        *("stores", "stores/chunks", "stores/loaders", "stores/loaders/exact", "stores/trackers"),
    }
    varying = ("/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json", ".pyc", ".so.dSYM", "kernel.so")
    assert [name for name in names if name.endswith(varying)] == []
    assert function_zip.stat().st_size < 8_000_000


def test_what_is_in_the_split_functions(split_zip: Path) -> None:
    """What scans and stores, with the kernel; no loader, no driver. Here it is built without numpy."""
    with zipfile.ZipFile(split_zip) as archive:
        names = archive.namelist()
        assert archive.read(lambda_zip.KERNEL) == LIBRARY.read_bytes()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name and ".libs/" not in name}
    http = {"requests", "certifi", "charset_normalizer", "idna", "urllib3"}
    expected = {"splitjoin_cli", "backports", "isal", *http}
    compiled = {top for top in tops if top.endswith(".so")}  # charset_normalizer's own
    assert tops - compiled == {top for top in expected if top != "backports" or _wanted(top)}
    ours = {name.split("/")[1] for name in names if name.startswith("splitjoin_cli/")}
    assert ours == {"__init__.py", "core", "deploy", "splitting", "stores"}
    assert not any(name.startswith(("splitjoin_cli/stores/loaders", "splitjoin_cli/stores/trackers")) for name in names)
    assert split_zip.stat().st_size < 3_000_000


def test_the_wheels_of_the_split_function() -> None:
    """Numpy cuts small chunks and scans where there is no kernel; awscrt computes checksums there."""
    compiled, plain = (lambda_zip.split_requirements("3.13", compiled=one) for one in (True, False))
    names = {wheel.partition("==")[0] for wheel in compiled}
    assert names == {*lambda_zip.ALWAYS, *lambda_zip.HTTP, "numpy", "backports.zstd"}
    assert [wheel.partition("==")[0] for wheel in set(plain) - set(compiled)] == ["awscrt"]
    assert lambda_zip.compiled_kernel(Path("no/zig/here"), "arm64", Path("out")) is None


@pytest.mark.soak
@pytest.mark.parametrize(("architecture", "machine"), [("x86_64", 0x3E), ("arm64", 0xB7)])
def test_the_kernel_is_compiled_for_each_architecture(architecture: str, machine: int, tmp_path: Path) -> None:
    """On this one: twice the same bytes, for that machine, and for a glibc that every runtime has."""
    zig = lambda_zip.ROOT / ".cache" / "zig" / "bin" / "python"
    made = [lambda_zip.compiled_kernel(zig, architecture, tmp_path / name) for name in ("a.so", "b.so")]
    if made[0] is None:
        pytest.skip("Zig is not installed: run `make lambda`")
    first, second = (path.read_bytes() for path in made if path is not None)
    assert first == second
    assert (first[:4], int.from_bytes(first[18:20], "little")) == (b"\x7fELF", machine)
    needed = {tuple(map(int, name.split(b"."))) for name in re.findall(rb"GLIBC_([0-9.]+)", first)}
    assert max(needed) <= (2, 17)


def _wanted(top: str) -> bool:
    """Whether this Python needs it: later ones have Zstandard, and psycopg wants no typing_extensions."""
    return {"backports": sys.version_info < (3, 14), "typing_extensions.py": sys.version_info < (3, 13)}.get(top, True)


def test_the_template_runs_it_as_it_is_built() -> None:
    """The defaults of both are one."""
    assert PARAMETERS["Runtime"].default == f"python{lambda_zip.PYTHON}"
    assert PARAMETERS["Architecture"].default == lambda_zip.ARCHITECTURE


@pytest.mark.parametrize(
    ("python", "names"),
    [
        ("3.12", ["isal", "PyMySQL", "psycopg", "psycopg-binary", "backports.zstd", "typing_extensions"]),
        ("3.13", ["isal", "PyMySQL", "psycopg", "psycopg-binary", "backports.zstd"]),
        ("3.14", ["isal", "PyMySQL", "psycopg", "psycopg-binary"]),
    ],
)
def test_the_wheels_of_a_python(python: str, names: list[str]) -> None:
    """Each at the version that the tests run with."""
    wheels = lambda_zip.requirements(python, ["mysql", "postgresql"])
    assert [wheel.partition("==")[0] for wheel in wheels] == names
    assert lambda_zip.requirements("3.14", ["mysql"]) == [wheels[0], wheels[1]]


@pytest.fixture
def chunks(bucket: Bucket, tmp_path: Path) -> list[str]:
    """An export in three chunks on S3, by the installed command; one client's."""
    (tmp_path / "acme.csv").write_text("id,note\n" + "".join(f'{row},"a\n""b"", é"\n' for row in range(ROWS)))
    command = Splitjoin(tmp_path, bucket.env)
    result = command.json("split", "acme.csv", f"{bucket.uri}in dir/", "--date", "d", "--rows", "10", "--json")
    return [chunk["uri"] for chunk in result["chunks"]]


@pytest.fixture
def jobs(dynalite_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDbTracker]:
    """A tracker's table."""
    dynalite_server.use(monkeypatch)
    with contextlib.closing(DynamoDbTracker(f"jobs-{secrets.token_hex(4)}")) as tracker:
        tracker.init()
        yield tracker


@pytest.fixture
def cloud(bucket: Bucket, dynalite_server: DynamoDbServer) -> dict[str, str]:
    """The environment in which S3 and DynamoDB are these servers."""
    return {**bucket.env, "AWS_ENDPOINT_URL_DYNAMODB": dynalite_server.endpoint_url}


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_chunks_through_the_real_runtime_client(
    kind: str,
    code: Path,
    chunks: list[str],
    cloud: dict[str, str],
    jobs: DynamoDbTracker,
    mariadb: MariadbDatabase,
    postgres: PostgresDatabase,
    tmp_path: Path,
) -> None:
    """From S3 into the database, counted in DynamoDB, duplicates and all; joined once; a dead connection between."""
    database: Any = mariadb if kind == "mysql" else postgres
    environment = {
        **cloud,
        "SPLITJOIN_INTO": str(database.url),
        "SPLITJOIN_CREATE_TABLE": "true",
        "SPLITJOIN_TRACKER": jobs.uri,
        "SPLITJOIN_TABLE": "",
        "SPLITJOIN_DB_PASSWORD": mariadb.server.password if kind == "mysql" else "",
    }
    with running_function(code, HANDLER, environment, tmp_path / "function.log") as function:
        answer = function.invoke(sqs_event(stored(chunks[0]), stored(chunks[0]), "poison"), "r-1")
        assert (answer.failed, answer.document) == (False, {"batchItemFailures": [{"itemIdentifier": "m3"}]})
        _end_connections(database, kind)
        answer = function.invoke(stored(chunks[1]), "r-2")
        assert (answer.failed, answer.document) == (False, {})
        answer = function.invoke(stored(chunks[2].replace("-3-3", "-3-4")), "r-3")
        assert (answer.failed, answer.document["errorType"]) == (True, "SplitjoinError")
        answer = function.invoke(sqs_event(stored(chunks[2]), stored(chunks[1])), "r-4")
        assert answer.document == {"batchItemFailures": []}
        assert function.invoke({"splitjoin": "sweep"}, "r-5").document["looked_at"] == 0
        lines = [line for line in function.lines if "_aws" not in line and "errorType" not in line]
    print(f"cold start: {function.cold_seconds:.2f} s")  # noqa: T201 -- shown with -s
    assert database.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM acme") == [(ROWS, ROWS)]
    progress = jobs.progress("acme_d")
    assert (progress.processed_parts, progress.total_parts, progress.rows) == (3, 3, ROWS)
    assert (progress.join.state, progress.join.owner, progress.join.attempts) == ("joined", f"lambda:{NAME}:r-4", 1)
    told = [(line["request_id"], line["chunk"], line["outcome"], line["rows"]) for line in lines if "outcome" in line]
    assert told == [
        ("r-1", 1, "counted", 10),
        ("r-1", 1, "counted", 10),
        ("r-2", 2, "counted", 10),
        ("r-3", 3, "failed", None),
        ("r-4", 3, "joined", 5),
        ("r-4", 2, "joined", None),
    ]
    assert mariadb.server.password not in (tmp_path / "function.log").read_text()


def _end_connections(database: Any, kind: str) -> None:  # noqa: ANN401 -- of either server
    """What a failover does to a function that is frozen meanwhile."""
    if kind == "mysql":
        sql = f"SELECT id FROM information_schema.processlist WHERE db = '{database.name}' AND id <> CONNECTION_ID()"
        killed = [database.query(f"KILL {number}") for (number,) in database.query(sql)]
    else:
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        killed = database.query(f"{sql} WHERE datname = current_database() AND pid <> pg_backend_pid()")
    assert len(killed) == 1


def test_the_command_of_make(tmp_path: Path) -> None:
    """It says how large the zip is, and by which hash Lambda knows it."""
    out = tmp_path / "made" / "small.zip"
    command = [sys.executable, "-m", "tools.lambda_zip", str(out), "--python", "3.14", "--drivers", "mysql"]
    done = subprocess.run(command, cwd=lambda_zip.ROOT, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{out}: {out.stat().st_size / 1e6:.2f} MB, unpacked ")
    assert second.startswith("python3.14 x86_64, handler splitjoin_cli.deploy.lambda_handler.handler, CodeSha256 ")
