"""Compares splitjoin with its peers on this machine and prints Markdown tables: ``python -m benchmarks --help``.

Every tool runs as a command of its own on the same file, warm in the page cache, with memory for its output at hand, in
rounds: A B C, A B C, so that a slow minute of the machine hits all alike. A table has the medians. Uploads go to a
server that reads and discards (benchmarks/discard_server.py), so that what is measured is the client.

On two Dask workers, the same split is compared with itself on threads, and with what else cuts files on a cluster.
What a dialect costs is compared with the same file as it is, how long starting takes with Python's own start, one
command for many small files with a command for each, and a directory of many small chunks with what coreutils do there.
The groups of the join compare our loaders with the databases' bare drivers, our tracker with the published counter, and
``status`` on a large job, and on many jobs, with one on a small job, on the servers that the tests start.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import chunks, copies, data, many, peers, reading, starting
from benchmarks.engines import compare as engines
from benchmarks.measure import CommandFailedError, Usage, run
from benchmarks.report import Row, Table, filesystem, head, machine
from benchmarks.surroundings import clean_env, made_data, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.peers import Peer, Task
    from benchmarks.report import Printable

UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
READ_BYTES = 1024 * 1024
MEMORY = Path("/proc/meminfo")
CLAIMED_BESIDE = 5 * UNITS["GiB"]  # the system does not take from what was freed last
LEFT_FREE = UNITS["GiB"]  # what is cached stays so
SPLITS = ("disk", "tmpfs", "http", "https")
JOINS = ("loaders", "small", "values", "tracker", "status")
UPLOADED = ("128MiB", "4MiB", "64KiB")
GROUPS = ("start", *SPLITS, "uploads", "copies", "engines", "dialects", "many", "chunks", *JOINS)


def parse_size(text: str) -> int:
    """``1GiB`` and the like, in bytes."""
    for unit in ("KiB", "MiB", "GiB", "B"):
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * UNITS[unit])
    return int(text)


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=parse_size, default=parse_size("1GiB"), help="of the file (1GiB)")
    parser.add_argument("--chunk-size", type=parse_size, default=parse_size("128MiB"), help="of the chunks (128MiB)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each tool (3)")
    parser.add_argument("--only", action="append", choices=GROUPS, help="may be repeated")
    parser.add_argument("--peers", help="only these, by name, separated by commas; splitjoin always runs")
    parser.add_argument(
        "--disk", type=Path, default=peers.CACHE / "work", help="a directory on disk (.cache/bench/work)"
    )
    default = os.environ.get("TMPFS", "/dev/shm")  # noqa: S108 -- the kernel's own; a directory of ours is made in it
    parser.add_argument("--tmpfs", type=Path, default=Path(default), help="a directory in memory ($TMPFS, /dev/shm)")
    parser.add_argument("--load-size", type=parse_size, default=parse_size("16MiB"), help="for loaders (16MiB)")
    parser.add_argument("--small-chunks", type=int, default=1000, help="of 100 rows, for small (1000)")
    parser.add_argument("--counts", type=int, default=512, help="chunks of the tracker's job (512)")
    parser.add_argument("--status-chunks", type=int, default=100_000, help="of the job asked about (100000)")
    parser.add_argument("--status-jobs", type=int, default=10_000, help="in the tracker that is asked for all (10000)")
    parser.add_argument("--files", type=int, default=200, help="of 1 MB, for many (200)")
    parser.add_argument("--chunks", type=int, default=100_000, help="of one record, for chunks (100000)")
    parser.add_argument("--no-install", action="store_true", help="compare with what is installed already")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run here as well")
    return parser.parse_args(words)


@dataclass(slots=True)
class Tools:
    """The tools of one comparison, each with its version, ours first; and why others are left out."""

    found: list[tuple[Peer, str]]
    left_out: dict[str, str]

    def leave_out(self, peer: Peer, reason: Exception) -> None:
        """Say why, and keep the last line of it for the table."""
        say(f"{peer.name} is left out: {reason}")
        self.left_out[peer.name] = str(reason).splitlines()[-1]


def chosen(all_peers: Sequence[Peer], names: str | None) -> Tools:
    """The peers that are wanted and installed."""
    wanted = None if names is None else {name.strip() for name in names.split(",")}
    tools = Tools([], {})
    for peer in all_peers:
        if wanted is not None and peer is not peers.OURS and peer.name not in wanted:
            continue
        try:
            tools.found.append((peer, peer.version()))
        except (LookupError, OSError) as exc:
            tools.leave_out(peer, exc)
    return tools


def warm(path: Path) -> None:
    """Read a file once, so that every tool finds it in the page cache."""
    with path.open("rb", buffering=0) as file:
        while file.read(READ_BYTES):
            pass


def claim_memory(size: int) -> None:
    """Let another process use so many bytes, or what is free, and end, so that the system has them at hand.

    A virtual machine gives free pages back to its host within seconds, and a page that must be asked for again costs
    more than what is measured here: whichever tool came next would pay for it, once or not at all.
    """
    kib = next(int(line.split()[1]) for line in MEMORY.read_text().splitlines() if line.startswith("MemFree:"))
    wanted = max(0, min(size, kib * 1024 - LEFT_FREE))
    subprocess.run([sys.executable, "-c", "import sys; b'x' * int(sys.argv[1])", str(wanted)], check=True)


def compare(
    title: str,
    size: int,
    rounds: int,
    tools: Tools,
    task_of: Callable[[Path, str], Task],
    scratch_in: Path,
    env: Mapping[str, str],
) -> Table:
    """Run all tools in turn, ``rounds`` times; one that fails is left out from then on, and said."""
    runs: dict[str, list[Usage]] = {peer.name: [] for peer, _ in tools.found}
    for number in range(1, rounds + 1):
        for peer, _ in tools.found:
            if peer.name in tools.left_out:
                continue
            say(f"{title}, round {number} of {rounds}: {peer.name}")
            with tempfile.TemporaryDirectory(dir=scratch_in) as scratch:
                task = task_of(Path(scratch, "out"), f"{peer.name}-{number}".replace(" ", ""))
                task.scratch.mkdir()
                warm(task.source)
                os.sync()  # what others left to be written must not be this one's to wait for
                claim_memory(size + CLAIMED_BESIDE)
                try:
                    runs[peer.name].append(run(peer.command(task), env=env, log=Path(scratch, "log")))
                except CommandFailedError as exc:
                    tools.leave_out(peer, exc)
    kept = [(peer, version) for peer, version in tools.found if peer.name not in tools.left_out]
    if not kept or kept[0][0] is not peers.OURS:
        raise SystemExit(f"{title}: our own command failed, there is nothing to compare with")
    rows = tuple(Row(peer.name, peer.keeps, version, tuple(runs[peer.name])) for peer, version in kept)
    left_out = tuple(f"{name}: {reason}" for name, reason in tools.left_out.items())
    return Table(title, size, rows, left_out)


def local(title: str, directory: Path, options: argparse.Namespace) -> Table:
    """Local to local, source and chunks on the same file system."""
    with made_data(directory, options.size) as source:
        size = source.stat().st_size
        rows_per_chunk = rows_in(source, options.chunk_size)

        def task(scratch: Path, _: str) -> Task:
            return peers.Task(source, scratch, str(scratch), options.chunk_size, rows_per_chunk)

        tools = chosen(peers.LOCAL, options.peers)
        full_title = f"{title} to {title} ({filesystem(directory)})"
        return compare(full_title, size, options.rounds, tools, task, source.parent, clean_env())


def rows_in(source: Path, chunk_bytes: int) -> int:
    """About how many rows a chunk of that many bytes has, for tools that count rows: each row has one ``,EUR,``."""
    with source.open("rb") as file:
        sample = file.read(READ_BYTES)
    return max(1, chunk_bytes * sample.count(b",EUR,") // len(sample))


@contextmanager
def discard_server(scheme: str, directory: Path, export: Path | None = None) -> Iterator[dict[str, str]]:
    """The environment that leads AWS clients to a server of our own, ended with the block; it may serve a file."""
    command = [sys.executable, str(peers.HERE / "discard_server.py")]
    if export is not None:
        command += ["--export", str(export)]
    if scheme == "https":
        command += ["--https", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = json.loads(process.stdout.readline() if process.stdout else "")
            env = clean_env() | {
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_ENDPOINT_URL": said["url"],
                "S3_ENDPOINT_URL": said["url"],
            }
            if said["ca_bundle"]:
                env |= {"AWS_CA_BUNDLE": said["ca_bundle"], "SSL_CERT_FILE": said["ca_bundle"]}
            yield env
        finally:
            process.terminate()


def upload(scheme: str, options: argparse.Namespace) -> Table:
    """Local (in memory where there is room) to an S3 endpoint that discards."""
    directory = options.tmpfs if options.tmpfs.is_dir() else options.disk
    with made_data(directory, options.size) as source, discard_server(scheme, source.parent) as env:
        size = source.stat().st_size
        ready = source.parent / "chunks"
        ready.mkdir()
        subprocess.run(["split", "-C", str(options.chunk_size), str(source), f"{ready}/chunk-"], check=True)

        def task(scratch: Path, run_name: str) -> Task:
            destination = f"s3://{peers.BUCKET}/{run_name}/"
            return peers.Task(source, scratch, destination, options.chunk_size, 0, ready)

        tools = chosen(peers.S3, options.peers)
        title = f"{filesystem(directory)} to S3 over {scheme}, chunks of {options.chunk_size:,} bytes"
        return compare(title, size, options.rounds, tools, task, source.parent, env)


def uploads(options: argparse.Namespace) -> list[Table]:
    """The same over https in large, usual and small chunks, beside the upload of as many files that are there."""
    peer = options.peers or "s5cmd alone"
    sizes = [parse_size(text) for text in UPLOADED]
    return [
        upload("https", argparse.Namespace(**{**vars(options), "chunk_size": size, "peers": peer})) for size in sizes
    ]


def split_tables(wanted: Sequence[str], options: argparse.Namespace) -> list[Table]:
    """What ``split`` is compared at."""
    tables: list[Table] = []
    if "disk" in wanted:
        tables.append(local("disk", options.disk, options))
    if "tmpfs" in wanted and options.tmpfs.is_dir() and shutil.disk_usage(options.tmpfs).free > 3 * options.size:
        tables.append(local("tmpfs", options.tmpfs, options))
    elif "tmpfs" in wanted:
        say(f"tmpfs is left out: {options.tmpfs} has no room for three times {options.size:,} bytes")
    tables += [upload(scheme, options) for scheme in ("http", "https") if scheme in wanted]
    return tables + (uploads(options) if "uploads" in wanted else [])


def split_facts(options: argparse.Namespace) -> dict[str, str]:
    """What all tables of ``split`` have in common. To be asked for before this process grows."""
    own_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "file": f"{options.size:,} bytes: {data.SHAPE}",
        "chunks": f"{options.chunk_size:,} bytes",
        "figures": f"medians of {options.rounds} interleaved rounds, warm page cache, memory at hand",
        "CPU": "user + system, of the tool",
        "peak": f"of a tool's largest process; up to {own_bytes // 1024**2} MiB it may be the benchmark's own",
    }


def join_tables(wanted: Sequence[str], options: argparse.Namespace) -> Iterator[Printable]:
    """What the join is compared at. Drivers and clients make this process large, so they are imported last."""
    if "status" in wanted:
        from benchmarks import asking  # noqa: PLC0415 -- as above

        yield asking.measure(options.status_chunks, options.status_jobs, options.rounds)
    if "tracker" in wanted:
        from benchmarks import counting  # noqa: PLC0415 -- as above

        yield counting.compare(options.counts, options.rounds)
    if "loaders" in wanted:
        from benchmarks import loading  # noqa: PLC0415 -- as above

        yield loading.compare(options.load_size, options.rounds)
    if "small" in wanted:
        from benchmarks import small_chunks  # noqa: PLC0415 -- as above

        yield small_chunks.compare(options.small_chunks, options.rounds, options.disk)
    if "values" in wanted:
        from benchmarks import comparing, values  # noqa: PLC0415 -- as above

        yield values.compare(options.load_size, options.rounds)
        yield comparing.compare(options.load_size, options.rounds)


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    wanted = options.only or GROUPS
    splits = {*SPLITS, "uploads", "copies"} & set(wanted)
    if splits and not options.no_install:
        peers.install(say)
    tables: list[Printable] = [starting.measure(options.rounds)] if "start" in wanted else []
    tables += split_tables(wanted, options)
    if "copies" in wanted:
        tables.append(copies.measure(options.size // 4, options.rounds, options.disk))
    if "engines" in wanted:
        if not options.no_install:
            engines.install()
        tables.append(
            engines.measure(
                options.size,
                options.rounds,
                options.disk,
                lambda source: discard_server("http", source.parent, source),
                others=options.peers is None,
            )
        )
    if "dialects" in wanted:
        directory = options.tmpfs if options.tmpfs.is_dir() else options.disk
        tables.append(reading.measure(options.size, options.chunk_size, options.rounds, directory))
    if "many" in wanted:
        tables.append(many.measure(options.files, options.rounds, options.disk))
    if "chunks" in wanted:
        directory = options.tmpfs if options.tmpfs.is_dir() else options.disk
        tables.append(chunks.measure(options.chunks, options.rounds, directory))
    facts = machine() | (split_facts(options) if splits else {})
    tables += join_tables(wanted, options)
    print(head(facts, tables))
    for table in tables:
        print(f"\n{table.markdown()}")
    if options.json:
        document = {"machine": facts, "tables": [table.document() for table in tables]}
        options.json.write_text(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
