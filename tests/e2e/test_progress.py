"""Progress is true: on a network of 8 MB/s the bytes move as they pass, and the time left is what it takes."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.e2e.command import COMMAND
from tests.e2e.csvs import bulk

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Proxy
    from tests.servers.s3 import Bucket

MB = 1000 * 1000
MIB = 1024 * 1024
RATE = 8.0 * MB
SLACK_BYTES = 12 * MIB
"""What may be on its way between the command and the proxy: buffers of four connections at both ends."""
DRAWN_SECONDS = 0.05
"""Half of the last digit that is drawn."""
LAST_SECONDS = 1.5
"""A third of less is what one answer takes, of the last two that are waited for."""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
DRAWN = re.compile(
    r"(?P<name>\w+) +[━╸╺ ]* +(?P<percent>\d+) % +(?P<chunks>\d+) of \d+ chunks +(?P<bytes>[\d.]+ \w+) of .*"
    r"/s +(?P<left>[\d.]+ s|[\d:]+ min|\?) left"
)
UNITS = {"B": 1, "KiB": 1024, "MiB": MIB}


class Frame(NamedTuple):
    """A line as it was drawn: when, what the proxy had let through by then, and what the line says."""

    at: float
    passed: int
    name: str
    percent: int
    chunks: int
    size: float
    left: float | None


def left_seconds(text: str) -> float | None:
    """``9.1 s``, ``23 s``, ``1:02 min``; None for ``?``."""
    if text == "?":
        return None
    *minutes, seconds = text.split(maxsplit=1)[0].split(":")
    return 60 * int(minutes[0]) + int(seconds) if minutes else float(seconds)


def frames_of(splitjoin: Splitjoin, proxy: Proxy, *arguments: str) -> tuple[list[Frame], float]:
    """All lines with a bar that was not full, and when the command ended."""
    ours, theirs = pty.openpty()
    environment = splitjoin.environment(TERM="xterm", COLUMNS="140", NO_COLOR="1", AWS_ENDPOINT_URL_S3=proxy.url)
    process = subprocess.Popen(
        [COMMAND, *arguments], cwd=splitjoin.directory, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    found: list[Frame] = []
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the other side is closed: Linux says EIO
            break
        now, passed = time.monotonic(), proxy.passed
        for line in re.split(r"[\r\n]+", ESCAPES.sub("", block.decode())):
            if told := DRAWN.fullmatch(line.strip()):
                number, unit = told["bytes"].split()
                size, left = float(number) * UNITS[unit], left_seconds(told["left"])
                found.append(Frame(now, passed, told["name"], int(told["percent"]), int(told["chunks"]), size, left))
    os.close(ours)
    assert process.wait(60) == 0
    return found, time.monotonic()


def test_bytes_move_as_they_pass(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Up, then down: long before the first of four chunks is whole, and never far from what the network let through."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(bulk(16 * MIB))
    proxy.link_bytes_per_second = RATE
    for words, name in (
        (("split", "acme.csv", bucket.uri, "--date=d", "--chunks=4", "--jobs=4"), "uploading"),
        (("verify", bucket.uri, "--jobs=4"), "verifying"),
    ):
        before = proxy.passed
        found, _ = frames_of(splitjoin_s3, proxy, *words)
        mine = [one for one in found if one.name == name]
        assert len({one.size for one in mine if one.chunks == 0 and one.size > 0}) >= 2, found
        assert all(abs(one.size - (one.passed - before)) < SLACK_BYTES for one in mine), found
        assert [one.size for one in mine] == sorted(one.size for one in mine)


@pytest.mark.soak
@pytest.mark.parametrize("verb", ["split", "verify", "merge"])
def test_the_time_left_is_what_it_takes(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy, verb: str) -> None:
    """Within three seconds of its bar's begin the bytes move; from a tenth on the time left is right by a third."""
    size = 160 * MIB
    (splitjoin_s3.directory / "acme.csv").write_bytes(bulk(size))
    split = ("split", "acme.csv", bucket.uri, "--date=d", "--chunk-size=16MiB")
    words = {"split": split, "verify": ("verify", bucket.uri), "merge": ("merge", bucket.uri, "out.csv")}
    if verb != "split":
        splitjoin_s3.ok(*split)
    proxy.link_bytes_per_second = RATE
    before = proxy.passed
    found, _ = frames_of(splitjoin_s3, proxy, *words[verb])
    mine = [one for one in found if one.name != "scanning"]
    assert next(one.at for one in mine if one.size > 0) - mine[0].at < 3
    judged = [(one, (size - one.passed + before) / RATE) for one in mine if one.percent >= 10 and one.left is not None]
    allowed = ((one, truth, truth / 3 + DRAWN_SECONDS) for one, truth in judged if truth > LAST_SECONDS)
    wrong = [(one, truth) for one, truth, most in allowed if abs((one.left or 0) - truth) > most]
    assert len(judged) > 20
    assert wrong == []


@pytest.mark.soak
def test_the_limit_is_kept(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """96 MB up, and down again, at 8 MB/s: within a tenth, all connections together."""
    size = 96 * MB
    (splitjoin_s3.directory / "acme.csv").write_bytes(bulk(size))
    up = ("split", "acme.csv", bucket.uri, "--date=d", "--chunk-size=4MiB")
    for words in (up, ("merge", bucket.uri, "out.csv")):
        before = proxy.passed
        process = splitjoin_s3.begin(*words, "--bwlimit=8MB/s", AWS_ENDPOINT_URL_S3=proxy.url)
        seen = [(time.monotonic(), 0)]
        while process.poll() is None:
            time.sleep(0.02)
            seen.append((time.monotonic(), proxy.passed - before))
        assert (process.communicate(timeout=60), process.returncode)[1] == 0
        began = next(at for at, passed in seen if passed > size / 20)
        ended = next(at for at, passed in seen if passed > size * 19 / 20) if words is up else seen[-1][0]
        share = 0.9 if words is up else 0.95
        assert size * share / (ended - began) == pytest.approx(RATE, rel=0.1)
