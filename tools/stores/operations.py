"""What an operator does with a store: each operation once, by the installed command, its objects read without it."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import botocore.exceptions

from tests.e2e.command import Ran
from tests.e2e.kills import end
from tests.servers.proxy import proxied
from tools.stores.base import OK, Operation, Outcome, RefusedError, WrongError
from tools.stores.desk import SMALL_ROWS, Desk, error_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["OPERATIONS"]

TAKEN = 11
BOTH_DONE = "two splits at once both end with 0, and one of them is stored"
MIXED = (
    "of two splits at once one ends with 0, and the other one's last requests damage what it stored: `verify` finds it"
)
NEITHER = "two splits at once may both give way (exit code 11)"
LUCK = "they were kept apart here, which the store does not warrant"
ROUNDS = 3
"""Of two splits at once: one that ends well may be luck."""


def small(desk: Desk) -> Outcome:
    """Chunks of some kilobytes; the same command again has nothing to do."""
    desk.split("acme.csv", "small/", "--chunks", "4")
    desk.hold("small/", desk.small)
    again = desk.split("acme.csv", "small/", "--chunks", "4")
    desk.hold("small/", desk.small)
    return Outcome() if again["skipped"] == 4 else Outcome(notes=("the same command again stores all chunks again",))


def multipart(desk: Desk) -> Outcome:
    """Chunks whose size is not known when they begin: parts of 5 MiB."""
    desk.split("large.csv.gz", "large/", "--chunk-size", "12MiB")
    desk.hold("large/", desk.large)
    return Outcome(notes=_left_open(desk))


def compressed(desk: Desk) -> Outcome:
    """Gzip and zstd."""
    for kind in ("gzip", "zstd"):
        desk.split("acme.csv", f"{kind}/", "--chunks", "4", "--compress", kind)
        desk.hold(f"{kind}/", desk.small)
    return Outcome()


def resumed(desk: Desk) -> Outcome:
    """Killed in the middle, begun again: single PUTs, then parts. The objects are those of an undisturbed run."""
    notes: list[str] = []
    for source, size, slow in (("large.csv", "3MiB", "8MiB"), ("large.csv.gz", "12MiB", "6MiB")):
        split = (source, f"killed-{size}/", "--chunk-size", size, "--jobs", "2")
        desk.split(source, f"whole-{size}/", *split[2:])
        desk.kill_after(1, desk.splitting(*split, "--bwlimit", slow), split[1])
        whole, left = desk.objects(f"whole-{size}/"), desk.objects(split[1])
        cut = [name for name, stored in left.items() if name in whole and stored != whole[name]]
        skipped = desk.split(*split)["skipped"]
        if desk.hold(split[1], desk.large) != whole:
            raise WrongError("the objects are not those of an undisturbed run")
        if cut:
            notes.append("a request that breaks off leaves a shorter object; the next run stores it again")
        if skipped < len(left.keys() & whole.keys()) - len(cut) and size == "3MiB":
            notes.append("whole chunks are stored again")
    return Outcome(notes=(*notes, *_left_open(desk)))


def forced(desk: Desk) -> Outcome:
    """Another content under the same name is refused, and with --force it takes the name."""
    desk.split("acme.csv", "forced/", "--chunks", "4")
    refused = desk.run(*desk.splitting("other.csv", "forced/", "--chunks", "3"))
    if refused.code != TAKEN:
        raise WrongError(f"another content under the same name: exit code {refused.code}")
    desk.hold("forced/", desk.small)
    desk.split("other.csv", "forced/", "--chunks", "3", "--force")
    desk.hold("forced/", desk.other)
    return Outcome()


def verified(desk: Desk) -> Outcome:
    """A whole split is ok; one flipped bit, with all else kept, and a lost chunk are found."""
    desk.split("acme.csv", "verified/", "--chunks", "4")
    place = f"{desk.bucket.uri}verified/"
    desk.done("verify", place, "--source", "acme.csv")
    client, key = desk.bucket.client(), "verified/acme_d-2-4.csv"
    was = desk.objects("verified/")["acme_d-2-4.csv"]
    flipped = bytes([was.data[-2] ^ 1])
    client.put_object(
        Bucket=desk.bucket.name, Key=key, Body=was.data[:-2] + flipped + was.data[-1:], Metadata=was.metadata
    )
    if desk.run("verify", place, "--json").document["ok"]:
        raise WrongError("a flipped bit is not found")
    client.delete_object(Bucket=desk.bucket.name, Key=key)
    if desk.run("verify", place, "--json").document["ok"]:
        raise WrongError("a lost chunk is not found")
    return Outcome()


def merged(desk: Desk) -> Outcome:
    """Chunks of all sizes, to a file and to an object; a set that lacks one is refused."""
    desk.split("acme.csv", "merged/", "--chunks", "4")
    desk.split("large.csv", "merged-large/", "--chunk-size", "12MiB")
    for prefix, data in (("merged/", desk.small), ("merged-large/", desk.large)):
        out = desk.directory / "merged.csv"
        desk.done("merge", f"{desk.bucket.uri}{prefix}", "merged.csv", "--force")
        if out.read_bytes() != data:
            raise WrongError("the merged file is not the source")
    notes = _merged_into_object(desk)
    desk.bucket.client().delete_object(Bucket=desk.bucket.name, Key="merged/acme_d-2-4.csv")
    if desk.run("merge", f"{desk.bucket.uri}merged/", "lacking.csv").code != 1:
        raise WrongError("a set that lacks a chunk is merged")
    return Outcome(notes=notes)


def _merged_into_object(desk: Desk) -> tuple[str, ...]:
    ran = desk.run("merge", f"{desk.bucket.uri}merged-large/", f"{desk.bucket.uri}whole/large.csv")
    if ran.code != 0:
        return (f"to an object: {desk.plain(error_of(ran))}",)
    if desk.bucket.get("whole/large.csv") != desk.large:
        raise WrongError("the merged object is not the source")
    return ()


def from_store(desk: Desk) -> Outcome:
    """From S3 to S3 in one store: how many of the bytes pass through here is counted."""
    desk.bucket.client().upload_file(str(desk.directory / "large.csv"), desk.bucket.name, "source/large.csv")
    with proxied(desk.bucket.endpoint_url) as proxy:
        here = {"AWS_ENDPOINT_URL_S3": proxy.url}
        command = desk.splitting(f"{desk.bucket.uri}source/large.csv", "copied/", "--chunk-size", "12MiB", "-v")
        ran = desk.done(*command, "--json", **here)
        sent, copies = proxy.sent(key="copied/acme_d-"), proxy.copied()
    desk.hold("copied/", desk.large)
    if sent < len(desk.large) // 2:
        return Outcome("ok, copied by the store" if copies else OK, _left_open(desk))
    why = [line for line in ran.stderr.splitlines() if "streaming instead" in line]
    return Outcome("ok, streamed", (*(desk.plain(line) for line in why[:1]), *_left_open(desk)))


def at_once(desk: Desk) -> Outcome:
    """Two contents, then one content, under one name at once: what is stored is whole, and its split ends with 0."""
    for number in range(ROUNDS):
        _round(desk, f"once-{number}/", {"large.csv": desk.large, "rival.csv": desk.rival})
    _round(desk, "once-same/", {"large.csv": desk.large, "./large.csv": desk.large})
    notes = tuple(dict.fromkeys(desk.seen))
    if any("keep conditional writes apart" in line for line in desk.said):
        return Outcome("one after the other", notes or (LUCK,))
    return Outcome("one after the other", notes) if notes else Outcome()


def _round(desk: Desk, prefix: str, sources: Mapping[str, bytes]) -> None:
    """Both at once. What is not as it should be is ``seen``. Raises RefusedError where the store serves neither."""
    begun = {
        name: desk.command.begin(*desk.splitting(name, prefix, "--chunks", "9", "--bwlimit", "24MiB", "--json"))
        for name in sources
    }
    ended = {name: (end(process), process.returncode) for name, process in begun.items()}
    for (_, said), _ in ended.values():
        desk.hear(said.decode())
    done = [name for name, (_, code) in ended.items() if code == 0]
    if not done and {code for _, code in ended.values()} == {TAKEN}:
        desk.seen.append(NEITHER)
        return
    if not done:
        raise RefusedError(next(_why(desk, one) for one in ended.values() if one[1] != TAKEN))
    if not any(_holds(desk, prefix, sources[name]) for name in done):
        if desk.run("verify", f"{desk.bucket.uri}{prefix}", "--json").document["ok"]:
            raise WrongError("two splits at once: what is stored is neither, and `verify` says that it is ok")
        desk.seen.append(MIXED)
    elif len({sources[name] for name in done}) > 1:
        desk.seen.append(BOTH_DONE)


def _holds(desk: Desk, prefix: str, source: bytes) -> bool:
    with contextlib.suppress(WrongError):
        desk.hold(prefix, source)
        return True
    return False


def _why(desk: Desk, one: tuple[tuple[bytes, bytes], int]) -> str:
    (out, said), code = one
    return desk.plain(error_of(Ran(code, out, said.decode())))


def worked(desk: Desk) -> Outcome:
    """A worker loads the chunks that --notify announces in a queue, once, although all are announced twice."""
    told = ("--notify", f"sqs:{desk.queue_url}", "--tracker", "sqlite:jobs.db")
    desk.split("acme.csv", "worked/", "--chunks", "4", *told, **desk.queue_env)
    again = ("--to", f"sqs:{desk.queue_url}", "--tracker", "sqlite:jobs.db", "--chunks", "1-4")
    desk.done("retry", "acme_d", *again, **desk.queue_env)
    work = ("--into", "sqlite:load.db", "--tracker", "sqlite:jobs.db", "--idle-exit", "1s", "-q")
    desk.done("worker", desk.queue_url, *work, **desk.queue_env)
    status = desk.done("status", "acme_d", "--tracker", "sqlite:jobs.db", "--json").document
    if status["failures"]:
        raise RefusedError(status["failures"][0]["error"])
    with closing(sqlite3.connect(desk.directory / "load.db")) as database:
        loaded, distinct = database.execute("SELECT count(*), count(DISTINCT id) FROM acme").fetchone()
    if (loaded, distinct, status["state"]) != (SMALL_ROWS, SMALL_ROWS, "joined"):
        raise WrongError(
            f"{loaded} rows are loaded ({distinct} different ones) of {SMALL_ROWS}, and the job is {status['state']}"
        )
    return Outcome()


def _left_open(desk: Desk) -> tuple[str, ...]:
    """What is to be said of multipart uploads that nobody ended."""
    try:
        left = desk.bucket.open_uploads()
    except botocore.exceptions.ClientError:
        return ("whether an upload stays open is not known: the store does not list them",)
    return (f"uploads stay open: {len(left)}",) if left else ()


OPERATIONS: Sequence[Operation] = (
    Operation("split, small chunks", small),
    Operation("split, multipart", multipart),
    Operation("compressed chunks", compressed),
    Operation("resumed after a kill", resumed),
    Operation("`--force`", forced),
    Operation("`verify`", verified),
    Operation("`merge`", merged),
    Operation("S3 to S3", from_store),
    Operation("two at once", at_once),
    Operation("worker, by `--notify`", worked),
)
