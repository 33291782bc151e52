"""What is known of the phase that is under way: how much is done, how fast it is, and how long it still takes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from splitjoin_cli.cli.text import byte_text, count_text, duration_text

WINDOW_SECONDS = 10.0
"""The rate is that of so many seconds before now: it follows the network, and one slow answer does not upset it."""
FIRST_BYTES = 64 * 1024
"""The time before so much has moved does not count: connections are made, and headers read."""
SETTLING_SECONDS = 1.0
"""What moves for so long then fills buffers on the way: it says nothing of the rate, but still has to leave them."""
LEAST_SECONDS = 0.75
"""What moves in less time than this says nothing of the rate either."""
MOST_BUFFERED_SECONDS = 1.5
"""More than that is no buffer on the way: a disk's cache may take a file at once."""
STEP_SECONDS = 0.25
SHOWN_SECONDS = 0.05
"""Less is shown as ``0.0 s``."""
UNKNOWN = "?"


class Rate:
    """Bytes a second over the last WINDOW_SECONDS, of what has moved. Not thread-safe."""

    def __init__(self) -> None:
        """Nothing has moved."""
        self._moved = 0
        self._last_move = 0.0
        self._settled: float | None = None
        self._early = 0  # what had moved by then
        self._samples: deque[tuple[float, int]] = deque()  # times from then on, and what had moved
        self._buffered: float | None = None  # bytes in buffers at the last sample, once the rate is known

    def add(self, size: int, now: float) -> None:
        """``size`` more bytes have moved, or fewer."""
        before, self._moved, self._last_move = self._moved, self._moved + size, now
        if self._settled is None:
            if self._moved >= FIRST_BYTES:
                self._settled = now + SETTLING_SECONDS
            return
        if not self._samples and now >= self._settled:
            self._early = before
            self._samples.append((self._settled, before))
        if self._samples and now - self._samples[-1][0] >= STEP_SECONDS:
            rate = self.bytes_per_second(now)
            self._buffered = None if rate is None else self._in_buffers(rate, now)
            self._samples.append((now, self._moved))
            while self._samples[1][0] <= now - WINDOW_SECONDS:
                self._samples.popleft()

    def bytes_per_second(self, now: float) -> float | None:
        """The rate; None until it is known."""
        if not self._samples:
            return None
        long_ago = now - WINDOW_SECONDS
        if self._last_move <= long_ago:
            return 0.0 if self._moved else None
        since, before = next((one for one in reversed(self._samples) if one[0] <= long_ago), self._samples[0])
        seconds = now - since
        if seconds < LEAST_SECONDS or not self._moved:
            return None
        return max(self._moved - before, 0) / seconds

    def seconds_for(self, size: int, now: float) -> float | None:
        """How long ``size`` more bytes take, and what is in buffers before them; None until it is known."""
        rate = self.bytes_per_second(now)
        return (max(size, 0) + self._in_buffers(rate, now)) / rate if rate else None

    def _in_buffers(self, rate: float, now: float) -> float:
        """Bytes that have moved, and are on the way still: they leave the buffers at the rate.

        At first what moved while the rate settled, beyond the rate. Then what moves is added, and what leaves is taken
        off, so that nothing is left where all requests were handed over whole and only their answers are waited for.
        """
        most = max(min(self._early - SETTLING_SECONDS * rate, MOST_BUFFERED_SECONDS * rate), 0)
        if self._buffered is None:
            return most
        at, moved = self._samples[-1]
        return min(max(self._buffered + self._moved - moved - rate * (now - at), 0), most)


@dataclass(slots=True)
class Phase:
    """A phase, and what was heard of it. Not thread-safe. ``thing``: what it counts as its chunks."""

    name: str
    total_bytes: int | None
    total_chunks: int | None
    began: float
    bytes_done: int = 0
    chunks_done: int = 0
    chunks_failed: int = 0
    ended_at: float | None = None
    thing: str = "chunk"
    _rate: Rate = field(init=False, default_factory=Rate)

    def advance(self, size: int, now: float) -> None:
        """``size`` bytes have moved."""
        self.bytes_done += size
        self._rate.add(size, now)

    def skip(self, size: int) -> None:
        """``size`` bytes were done before."""
        self.bytes_done += size

    def chunk_done(self, *, failed: bool, count: int = 1) -> None:
        """One more chunk is done, or ``count``."""
        self.chunks_done += count
        self.chunks_failed += count if failed else 0

    @property
    def counts_bytes(self) -> bool:
        """Whether bytes are of interest in it: some phases have chunks only."""
        return self.total_bytes is not None or self.bytes_done != 0 or self.total_chunks is None

    def seconds(self, now: float) -> float:
        """How long it lasts, or lasted."""
        return max((now if self.ended_at is None else self.ended_at) - self.began, 1e-9)

    def rate(self, now: float) -> float | None:
        """Bytes a second: of the last seconds, and of the whole phase once it has ended; None until it is known."""
        if self.ended_at is not None:
            return self.bytes_done / self.seconds(now)
        return self._rate.bytes_per_second(now)

    def rate_text(self, now: float) -> str:
        """``110.0 MiB/s``, ``?/s``."""
        rate = self.rate(now)
        return f"{UNKNOWN if rate is None else byte_text(rate)}/s"

    def left_text(self, now: float) -> str:
        """``23 s left``, ``? left``; ``waiting for 2 chunks`` where no byte says how long they take."""
        seconds = None
        if self.total_bytes is not None:
            seconds = self._rate.seconds_for(self.total_bytes - self.bytes_done, now)
        if self._waits(seconds, now):
            return f"waiting for {count_text((self.total_chunks or 0) - self.chunks_done, self.thing)}"
        return f"{UNKNOWN if seconds is None else duration_text(seconds)} left"

    def _waits(self, seconds: float | None, now: float) -> bool:
        """Whether chunks are open, and all bytes have moved, or none has in the last seconds."""
        if self.total_bytes is None or self.total_chunks is None or self.chunks_done >= self.total_chunks:
            return False
        moved_all = bool(self.bytes_done) and self.bytes_done >= self.total_bytes
        nothing_moves = self.rate(now) == 0
        return nothing_moves or (moved_all and (seconds or 0) < SHOWN_SECONDS)

    def percent_text(self) -> str:
        """``37 %``; 100 only when nothing is left."""
        if not self.total_bytes:
            return ""
        return f"{min(max(100 * self.bytes_done // self.total_bytes, 0), 100)} %"

    def chunks_text(self) -> str:
        """``12 of 33 chunks``; empty where they do not count."""
        if self.total_chunks is None:
            return count_text(self.chunks_done, self.thing) if self.chunks_done else ""
        return f"{self.chunks_done:,} of {count_text(self.total_chunks, self.thing)}"

    def summary(self, now: float) -> str:
        """``uploading: 12 of 33 chunks, 1.50 GiB of 4.0 GiB, 37 %, 110.0 MiB/s, 23 s left``."""
        pace = [self.rate_text(now), self.left_text(now)] if self.counts_bytes else []
        return self._line(pace)

    def stopped(self) -> str:
        """``stopped uploading: 12 of 33 chunks, 1.50 GiB of 4.0 GiB, 37 %``."""
        return f"stopped {self._line([])}"

    def _line(self, pace: list[str]) -> str:
        facts = [self.chunks_text()]
        if self.counts_bytes:
            of = "" if self.total_bytes is None else f" of {byte_text(self.total_bytes)}"
            facts += [f"{fine_byte_text(self.bytes_done)}{of}", self.percent_text()]
        facts += [*pace, self.failed_text()]
        return f"{self.name}: {', '.join(filter(None, facts))}"

    def ended(self, now: float) -> str:
        """``uploading done: 33 chunks, 4.0 GiB in 38 s``."""
        facts = [count_text(self.chunks_done, self.thing)] if self.chunks_done else []
        facts += [byte_text(self.bytes_done)] if self.bytes_done or not facts else []
        facts += filter(None, [self.failed_text()])
        return f"{self.name} done: {', '.join(facts)} in {duration_text(self.seconds(now))}"

    def failed_text(self) -> str:
        """``2 failed``; empty where none has."""
        return f"{self.chunks_failed:,} failed" if self.chunks_failed else ""


def fine_byte_text(size: float) -> str:
    """Bytes that grow before one's eyes: more digits where a tenth of the unit takes long."""
    for unit, power, digits in (("GiB", 3, 2), ("TiB", 4, 4)):
        if 1000 * 1024 ** (power - 1) <= size < 1000 * 1024**power or (unit == "TiB" and size >= 1000 * 1024**3):
            return f"{size / 1024**power:.{digits}f} {unit}"
    return byte_text(size)
