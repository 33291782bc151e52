"""Many sources in one command, as the installed command does it: on disk, on S3, killed and stopped."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

from tests.e2e import kills
from tests.schemas import hold

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.s3 import Bucket

ROWS = "".join(f"{number},text {number}\n" for number in range(3000))


def exports(directory: Path, count: int) -> None:
    """Exports with a date in their names, each of other content."""
    directory.mkdir()
    for number in range(count):
        (directory / f"acme-{number:03}_20240131.csv").write_text(f"id,name {number}\n{ROWS}")


def test_a_night_of_exports(splitjoin: Splitjoin) -> None:
    """Manifests on stdout in the sources' order, one summary line at the end of stderr, a table each for a dry run."""
    exports(splitjoin.directory / "in", 3)
    listed = b"in/acme-002_20240131.csv\n\nin/none.csv\n"
    command = ("split", "in/acme-00[01]*.csv", "out", "--files-from", "-", "--rows", "1000")
    ran = splitjoin(*command, stdin=listed, SPLITJOIN_CLIENT="other")
    place = splitjoin.directory / "out"
    assert (ran.code, ran.stdout.splitlines()) == (3, [f"{place}/acme-00{n}_20240131.manifest.json" for n in range(3)])
    lines = ran.stderr.splitlines()
    assert lines[0] == "SPLITJOIN_CLIENT names one split: it is ignored for several sources"
    assert lines[1].startswith("splitting 4 sources, ")
    assert any(line.startswith("splitting done: 4 sources, ") and ", 1 failed in " in line for line in lines)
    assert lines[-1].startswith("4 sources: 3 done, 1 failed in ")
    assert "Error: cannot read in/none.csv: no such file" in lines
    assert "Hint: to resume, type: splitjoin split --files-from=- --rows=1000 -- 'in/acme-00[01]*.csv' out" in lines
    quiet = splitjoin(*command, "-q", stdin=listed)
    assert quiet.stderr.splitlines()[-2] == "Error: 1 of 4 sources failed"
    tables = splitjoin.ok("split", "in/", "out", "--rows", "1000", "--dry-run").stdout.split("\n\n")
    assert [table.splitlines()[0] for table in tables[:-1]] == [
        f"acme-00{n}_20240131 of in/acme-00{n}_20240131.csv" for n in range(3)
    ]
    assert {table.splitlines()[-1] for table in tables[:-1]} == {"3 chunks: 0 planned, 3 stored"}


def test_a_pattern_that_matches_nothing(splitjoin: Splitjoin) -> None:
    """Is an error and its hint; there is nothing to sum up."""
    ran = splitjoin("split", "no*.csv", "out")
    assert (ran.code, ran.stdout) == (1, "")
    said = "Error: no*.csv matches no file to split\nHint: check it; a pattern matches within one part of a path\n"
    assert ran.stderr == said


def test_killed_and_run_again(splitjoin: Splitjoin) -> None:
    """Killed at any moment, the same command leaves what an undisturbed one leaves; a signal ends all."""
    exports(splitjoin.directory / "in", 40)
    command = ("split", "in/", "out", "--rows", "500", "--jobs", "4")
    whole = kills.undisturbed(splitjoin, ("split", "in/", "whole", *command[3:]), dict)
    for share in (0.3, 0.6):
        process = splitjoin.begin(*command)
        time.sleep(share * whole.seconds)
        process.kill()
        kills.end(process)
    process = splitjoin.begin(*command, "--json")
    time.sleep(0.7 * whole.seconds)
    process.send_signal(signal.SIGTERM)
    out, _ = kills.end(process)
    if process.returncode:  # else it was quicker
        assert process.returncode == 143
        hold("splits" if b"splits" in out else "error", json.loads(out))
    splitjoin.ok(*command)
    assert kills.kept(splitjoin.directory / "out") == kills.kept(splitjoin.directory / "whole")


def test_from_s3_to_s3(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """A prefix with a space, a pattern with brackets, what exists as typed; chunks, marks and folders are left out."""
    client = bucket.client()
    keys = ("a b/acme.csv", "a b/x[1]_20240131.csv", "a b/x1_20240131.csv", "a b/", "a b/acme_1-1-1.csv", "a b/c/d.csv")
    for key in keys:
        client.put_object(Bucket=bucket.name, Key=key, Body=b"" if key.endswith("/") else b"id\n1\n2\n")
    of = f"{bucket.uri}a b/"
    ran = splitjoin_s3("split", of, f"{bucket.uri}out/", "--date", "1", "--json")
    assert [one.get("file_name") or one["error"]["code"] for one in ran.document["splits"]] == ["acme_1", "x1_1", 2]
    assert splitjoin_s3("split", f"{of}x[1]_20240131.csv", f"{bucket.uri}out/", "--json").error["code"] == 2
    assert splitjoin_s3.json("split", f"{of}x[0-9]_*.csv", f"{bucket.uri}out/")["done"] == 1
    assert "DEST" in splitjoin_s3("split", of, f"{of}out/", "--json").error["message"]
    reports = splitjoin_s3("verify", f"{bucket.uri}out/", "--all", "--json")
    assert "acme_1" in reports.stdout
    assert bucket.open_uploads() == []
