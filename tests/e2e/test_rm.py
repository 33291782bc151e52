"""``rm`` and ``ls`` as installed: on a directory and on S3, beside a running split, killed, and by name alone."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import bulk, export
from tests.e2e.kills import end
from tests.e2e.test_signals import wait_for
from tests.seldom import seldom

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Proxy
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024
EXPORT = export(3000)
OTHER = EXPORT.replace(b"a", b"A")


def states(command: Splitjoin, place: str) -> list[tuple[str, str, int]]:
    """Name, state and stored chunks of each split."""
    document = command.json("ls", place)
    assert isinstance(document, list)
    return [(one["file_name"], one["state"], one["stored_parts"]) for one in document]


def names(path: Path) -> list[str]:
    """All files, hidden folders too."""
    return sorted(each.name for each in path.iterdir())


def test_a_split_is_listed_and_removed_from_a_directory(splitjoin: Splitjoin) -> None:
    """Refused without a word on the join; a dry run; then all of it goes, and nothing of its neighbour."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    for date in ("20240131", "20240131-1"):
        splitjoin.ok("split", "acme.csv", "out", "--date", date, "--chunks", "3")
    assert states(splitjoin, "out") == [("acme_20240131", "whole", 3), ("acme_20240131-1", "whole", 3)]
    left = names(splitjoin.directory / "out")
    refused = splitjoin("rm", "out", "--name", "acme_20240131", "--json")
    assert refused.code == 1
    assert refused.error["message"] == "without a tracker nothing says whether acme_20240131 is loaded"
    assert refused.error["hint"] == "give --tracker URL; or --force removes it all the same"
    would = splitjoin.json("rm", "out", "--name", "acme_20240131", "--dry-run")
    assert (would["removed"], would["uploads"], would["dry_run"]) == (4, 0, True)
    assert names(splitjoin.directory / "out") == left
    unfinished = splitjoin("rm", "out", "--name", "acme_20240131", "--force", "--unfinished")
    assert (unfinished.code, unfinished.stdout) == (1, "")
    assert "acme_20240131 is finished: its manifest is there" in unfinished.stderr
    done = splitjoin.json("rm", "out", "--name", "acme_20240131", "--force")
    assert done == would | {"dry_run": False}
    neighbour = [f"acme_20240131-1-{number}-3.csv" for number in (1, 2, 3)]
    assert names(splitjoin.directory / "out") == [*neighbour, "acme_20240131-1.manifest.json"]
    assert states(splitjoin, "out") == [("acme_20240131-1", "whole", 3)]
    again = splitjoin("rm", "out", "--name", "acme_20240131", "--force", "--json")
    assert (again.code, again.error["hint"]) == (1, None)
    assert again.error["message"] == f"there is nothing of acme_20240131 in {splitjoin.directory}/out/"
    missing = splitjoin("rm", "out", "--force", "--json")
    assert (missing.code, missing.error["code"]) == (2, 2)


def test_the_environment_neither_names_nor_forces(splitjoin: Splitjoin) -> None:
    """``--name``, ``--force`` and ``--unfinished`` are typed, or they are not meant."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    splitjoin.ok("split", "acme.csv", "out", "--date", "d")
    named = splitjoin("rm", "out", SPLITJOIN_NAME="acme_d", SPLITJOIN_FORCE="1")
    assert named.code == 2
    forced = splitjoin("rm", "out", "--name", "acme_d", SPLITJOIN_FORCE="1", SPLITJOIN_UNFINISHED="1")
    assert forced.code == 1
    assert states(splitjoin, "out") == [("acme_d", "whole", 1)]


def test_the_tracker_says_whether_a_split_may_go(splitjoin: Splitjoin) -> None:
    """Not joined: refused; joined, or unknown there: removed, and the tracker keeps what it knows."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    tracked = ("--tracker", "sqlite:t.db")
    splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--chunks", "2", *tracked)
    refused = splitjoin("rm", "out", "--name", "acme_d", *tracked, "--json")
    assert refused.error["message"] == "acme_d is not joined: sqlite:t.db has 0 of 2 chunks counted"
    assert refused.error["hint"] == (
        "wait for the join (splitjoin status acme_d --tracker sqlite:t.db); or --force removes it all the same"
    )
    splitjoin.ok("simulate", "out", "--into", "sqlite:load.db", *tracked)
    done = splitjoin.ok("rm", "out", "--name", "acme_d", *tracked)
    assert done.stdout.startswith("acme_d: 3 objects (")
    assert done.stderr.splitlines()[-1] == "sqlite:t.db keeps what it knows of acme_d"
    assert splitjoin.json("status", "acme_d", *tracked)["state"] == "joined"
    splitjoin.ok("split", "acme.csv", "out", "--date", "other", "--chunks", "2")
    splitjoin.ok("rm", "out", "--name", "acme_other", *tracked)
    assert states(splitjoin, "out") == []


def test_a_table_fits_80_columns(splitjoin: Splitjoin) -> None:
    """However long the names are; an empty place is a word on stderr."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    for client in ("acme", "a" * 90):
        splitjoin.ok("split", "acme.csv", "out", "--client", client, "--date", "20240131", "--chunks", "3")
    ran = splitjoin.ok("ls", "out")
    lines = ran.stdout.splitlines()
    assert lines[0].split() == ["split", "state", "chunks", "rows", "size", "stored"]
    assert lines[-1].split()[:4] == ["acme_20240131", "whole", "3/3", "3,000"]
    assert [line for line in lines if len(line) > 80] == [f"{'a' * 90}_20240131"]
    (splitjoin.directory / "empty").mkdir()
    empty = splitjoin.ok("ls", "empty")
    assert (empty.stdout, empty.stderr) == ("", "there are no splits in empty\n")
    assert splitjoin.ok("ls", "empty", "--json").stdout == "[]\n"
    assert splitjoin("ls", "nowhere").code == 1
    assert splitjoin.ok("ls").stderr == "there are no splits in .\n"


def test_on_s3_uploads_go_too(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Of the name, and no other's; every object of the name, whatever its total."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    place, client = f"{bucket.uri}in/", bucket.client()
    for date in ("d", "d-1"):
        splitjoin_s3.ok("split", "acme.csv", place, "--date", date, "--chunks", "3")
    client.put_object(Bucket=bucket.name, Key="in/acme_d-1-9.csv.gz", Body=b"older")
    for name in ("acme_d-2-3.csv", "acme_d-1-2-3.csv"):
        client.create_multipart_upload(Bucket=bucket.name, Key=f"in/{name}")
    assert states(splitjoin_s3, place) == [("acme_d", "whole", 3), ("acme_d-1", "whole", 3)]
    done = splitjoin_s3.json("rm", place, "--name", "acme_d", "--force")
    assert (done["removed"], done["uploads"]) == (5, 1)
    assert bucket.keys("in/") == [*(f"in/acme_d-1-{number}-3.csv" for number in (1, 2, 3)), "in/acme_d-1.manifest.json"]
    assert bucket.open_uploads() == ["in/acme_d-1-2-3.csv"]


@pytest.mark.parametrize("force", [seldom(False), True])
def test_a_running_split_ends_when_rm_takes_its_name(
    splitjoin_s3: Splitjoin,
    bucket: Bucket,
    proxy: Proxy,
    force: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Exit 11, with --force too, and no manifest; what it stored last can be removed, and the name is free."""
    slow = splitjoin_s3.within(AWS_ENDPOINT_URL_S3=proxy.url)
    (slow.directory / "acme.csv").write_bytes(bulk(4 * MIB))
    place = f"{bucket.uri}in/"
    proxy.bytes_per_second = MIB / 4
    process = slow.begin(
        "split", "acme.csv", place, "--date", "d", "--chunks", "8", "--jobs", "1", *(["--force"] if force else [])
    )
    wait_for(lambda: len(bucket.keys("in/acme_d-")) >= 2)
    splitjoin_s3.ok("rm", place, "--name", "acme_d", "--force")
    proxy.bytes_per_second = None
    _, stderr = end(process)
    assert process.returncode == 11, stderr
    assert b"removed while this split ran" in stderr or b"splitjoin rm took" in stderr
    assert "in/acme_d.manifest.json" not in bucket.keys("in/")
    if bucket.keys("in/"):
        splitjoin_s3.ok("rm", place, "--name", "acme_d", "--force")
    assert bucket.keys("in/") == []
    splitjoin_s3.ok("split", "acme.csv", place, "--date", "d", "--chunks", "8")


def test_a_killed_rm_keeps_the_name_until_it_is_typed_again(
    splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy
) -> None:
    """SIGKILL among its deletions: a split is exit 11 with the command to type, and that command goes on."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    place = f"{bucket.uri}in/"
    splitjoin_s3.ok("split", "acme.csv", place, "--date", "d", "--chunks", "40")
    slow = splitjoin_s3.within(AWS_ENDPOINT_URL_S3=proxy.url)
    proxy.refuse = lambda asked: (503, "SlowDown") if asked.method == "DELETE" and "-20-40" in asked.key else None
    process = slow.begin("rm", place, "--name", "acme_d", "--force", "--jobs", "1")
    wait_for(lambda: len(bucket.keys("in/acme_d-")) == 21)
    process.kill()
    end(process)
    assert process.returncode == -signal.SIGKILL
    assert states(splitjoin_s3, place) == [("acme_d", "under way", 21)]
    for more in ([], ["--force"]):
        taken = splitjoin_s3("split", "acme.csv", place, "--date", "d", "--chunks", "3", "--json", *more)
        assert taken.code == 11
        assert taken.error["hint"] == (
            f"wait for it; if it was killed, type the same command again (splitjoin rm {place} --name acme_d, "
            "with its other options), then split"
        )
    assert splitjoin_s3.json("rm", place, "--name", "acme_d", "--force")["removed"] == 22
    assert bucket.keys("in/") == []
    splitjoin_s3.ok("split", "acme.csv", place, "--date", "d", "--chunks", "3")


@pytest.mark.parametrize("way", ["split again", "rm, then split"])
@pytest.mark.parametrize("where", ["directory", seldom("s3")])
def test_a_manifest_that_was_deleted_by_hand(splitjoin_s3: Splitjoin, bucket: Bucket, where: str, way: str) -> None:
    """``ls`` shows it; both ways end with what was there before."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    place = "out" if where == "directory" else f"{bucket.uri}in/"
    command = ("split", "acme.csv", place, "--date", "d", "--chunks", "3")
    before = splitjoin_s3.json(*command)
    if where == "directory":
        (splitjoin_s3.directory / "out" / "acme_d.manifest.json").unlink()
    else:
        bucket.client().delete_object(Bucket=bucket.name, Key="in/acme_d.manifest.json")
    assert states(splitjoin_s3, place) == [("acme_d", "without manifest", 3)]
    if way != "split again":
        assert splitjoin_s3.json("rm", place, "--name", "acme_d", "--unfinished", "--force")["removed"] == 3
    after = splitjoin_s3.json(*command)
    assert (after["skipped"], after["run_id"], after["generation"]) == (
        3 if way == "split again" else 0,
        before["run_id"],
        1,
    )
    assert states(splitjoin_s3, place) == [("acme_d", "whole", 3)]
    assert splitjoin_s3.json("verify", place, "--source", "acme.csv")["ok"] is True


def test_an_older_runs_object_over_a_newer_ones_chunk(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """The split says which run it is of; the same command with --force stores its own chunk, and that one alone."""
    directory, place, client = splitjoin_s3.directory, f"{bucket.uri}in/", bucket.client()
    (directory / "acme.csv").write_bytes(OTHER)
    command = ("split", "acme.csv", place, "--date", "d", "--chunks", "3")
    old = splitjoin_s3.json(*command)
    client.copy_object(
        Bucket=bucket.name, Key="old.csv", CopySource={"Bucket": bucket.name, "Key": "in/acme_d-2-3.csv"}
    )
    (directory / "acme.csv").write_bytes(EXPORT)
    new = splitjoin_s3.json(*command, "--force")
    client.copy_object(
        Bucket=bucket.name, Key="in/acme_d-2-3.csv", CopySource={"Bucket": bucket.name, "Key": "old.csv"}
    )
    taken = splitjoin_s3(*command, "--json")
    assert taken.code == 11
    assert taken.error["message"] == (
        f"{place}acme_d-2-3.csv is a chunk of run {old['run_id']}; this is a split of acme.csv (run {new['run_id']})"
    )
    assert taken.error["hint"] == "--force replaces it; or choose another --client, --date or destination"
    done = splitjoin_s3.json(*command, "--force")
    assert (done["uploaded"], done["skipped"], done["generation"]) == (1, 2, 2)
    assert splitjoin_s3.json("verify", place, "--source", "acme.csv")["ok"] is True
    assert states(splitjoin_s3, place) == [("acme_d", "whole", 3)]


def test_a_directory_of_copied_chunks_of_another_content(splitjoin: Splitjoin) -> None:
    """Without a manifest, and with other bytes: exit 11, and nothing is touched."""
    (splitjoin.directory / "acme.csv").write_bytes(OTHER)
    command = ("split", "acme.csv", "out", "--date", "d", "--chunks", "3")
    splitjoin.ok(*command)
    (splitjoin.directory / "out" / "acme_d.manifest.json").unlink()
    shutil.copytree(splitjoin.directory / "out", splitjoin.directory / "kept")
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    assert splitjoin(*command).code == 11
    for path in (splitjoin.directory / "kept").iterdir():
        assert (splitjoin.directory / "out" / path.name).read_bytes() == path.read_bytes()
