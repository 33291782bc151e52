"""The pattern as a whole, from a file's first byte to the join, with this product's own plan, requests and shards."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.scale.events import Clock, Rate, Shared, Slots
from benchmarks.scale.limits import GB, LIMITS, MEASURED, PRICES
from splitjoin_cli.deploy.stack.parameters import TIMEOUTS_SECONDS
from splitjoin_cli.stores.sinks.s3 import PART_BYTES
from splitjoin_cli.stores.sinks.s3_body import plan_parts
from splitjoin_cli.stores.sinks.s3_copy import COPIED_PART_BYTES
from splitjoin_cli.stores.trackers.base import SHARD_PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.scale.limits import Limits, Measured, Prices

__all__ = ["Outcome", "Setting", "advise", "simulate"]

MIB = 1024 * 1024
MOST_TOKENS = 20_000
"""What moves through the simulation is at most so many tokens, each of which stands for as many chunks as it takes."""
GIB = 1024 * MIB
MANY_JOBS = 64
"""For copies, which cost the machine no bytes."""
NEAR = 0.03
"""Shares that are so near are alike."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is split, and with what. Rates are bytes and rows a second.

    ``copies``: from S3 to S3 in one store, so that bodies are copied by the store. ``machines``: of ``cores`` and with
    a network of ``network`` each way, that split together (``--engine``); ``jobs``: of each. ``database_rows``: what
    the database takes in all. ``memory_mb``, ``timeout_seconds``, ``concurrency``: of the function.
    """

    size: int
    chunk_bytes: int = 128 * MIB
    copies: bool = False
    machines: int = 1
    cores: int = 8
    jobs: int = 16
    network: float = 1.25 * GB
    concurrency: int = 4
    database_rows: float = 500_000
    memory_mb: int = 512
    timeout_seconds: int = 300

    @property
    def chunks(self) -> int:
        """How many."""
        return max(1, math.ceil(self.size / self.chunk_bytes))


@dataclass(frozen=True, slots=True)
class Outcome:
    """``planned``, ``stored``, ``loaded``, ``joined``: seconds from the begin. ``busy``: how busy each part was.

    ``load_seconds``: the longest load of a chunk. ``dollars``: what each service asks.
    """

    planned: float
    stored: float
    loaded: float
    joined: float
    load_seconds: float
    counted: int
    busy: Mapping[str, float]
    dollars: Mapping[str, float]

    @property
    def split_bound_by(self) -> str:
        """What was busiest of what stores chunks."""
        return self._busiest(("network or CPU", "S3 writes", "jobs"))

    @property
    def load_bound_by(self) -> str:
        """What was busiest of what loads and counts them: of two that never rest, what cannot be set is named."""
        return self._busiest(("database", "S3 reads", "tracker's table", "job's item", "functions at once"))

    def _busiest(self, names: tuple[str, ...]) -> str:
        there = [name for name in names if name in self.busy]
        most = max(self.busy[name] for name in there)
        return next(name for name in there if self.busy[name] >= most - NEAR)


def requests_of_chunk(setting: Setting) -> int:
    """PUT, POST and COPY requests that store one chunk."""
    if setting.copies and setting.chunk_bytes > 10 * MIB:
        return 3 + len(plan_parts(setting.chunk_bytes - 5 * MIB, COPIED_PART_BYTES))
    parts = len(plan_parts(setting.chunk_bytes, PART_BYTES))
    return 1 if parts == 1 else parts + 2


def simulate(
    setting: Setting,
    limits: Limits = LIMITS,
    measured: Measured = MEASURED,
    prices: Prices = PRICES,
    *,
    tokens: int = MOST_TOKENS,
) -> Outcome:
    """One job, from its begin to its join. ``tokens``: fewer are quicker, and coarser."""
    return _Flow(setting, limits, measured, tokens).run(prices)


class _Flow:
    def __init__(self, setting: Setting, limits: Limits, measured: Measured, tokens: int) -> None:
        self.setting, self.limits, self.measured = setting, limits, measured
        self.clock = Clock()
        clock, machines = self.clock, setting.machines
        cpu = setting.cores * machines * GIB / measured.upload_cpu_seconds
        self.transfers = Slots(clock, setting.jobs * machines)
        self.puts = Rate(clock, limits.puts_per_second)
        self.gets = Rate(clock, limits.gets_per_second)
        network = 1e18 if setting.copies else min(setting.network * machines, cpu)
        self.link = Shared(clock, network, limits.stream_bytes_per_second)
        self.functions = Slots(
            clock, setting.concurrency, (limits.first_invocations, limits.more_invocations_per_second)
        )
        each = min(measured.connection_rows_per_second, limits.stream_bytes_per_second / measured.row_bytes)
        self.database = Shared(clock, setting.database_rows, each)
        self.table = Rate(clock, limits.write_units_per_second)
        self.item = Rate(clock, limits.item_units_per_second)
        self.group = max(1, math.ceil(setting.chunks / tokens))
        self.rows = setting.size / setting.chunks / measured.row_bytes
        self.stored_at = self.loaded_at = self.load_seconds = self.invoked = 0.0
        self.counted = 0

    def run(self, prices: Prices) -> Outcome:
        """Let it all happen."""
        setting = self.setting
        planned = setting.size / min(
            setting.network * setting.machines, self.measured.scan_bytes_per_second * setting.cores * setting.machines
        )
        left = setting.chunks
        while left:
            group = min(self.group, left)
            left -= group
            self.clock.after(planned, partial(self.transfers.take, partial(self._store, group)))
        self.clock.run()
        parts: dict[str, Rate | Shared | Slots] = {
            "S3 writes": self.puts, "S3 reads": self.gets, "functions at once": self.functions,
            "database": self.database, "tracker's table": self.table, "job's item": self.item,
            "jobs": self.transfers,
        }  # fmt: skip
        busy = {name: part.busy.share for name, part in parts.items()}
        if not setting.copies:
            busy["network or CPU"] = self.link.busy.share
        return Outcome(
            planned=planned,
            stored=self.stored_at,
            loaded=self.loaded_at,
            joined=self.loaded_at + 2 * self.limits.request_seconds,
            load_seconds=self.load_seconds,
            counted=self.counted,
            busy=busy,
            dollars=self._dollars(prices),
        )

    def _store(self, group: int) -> None:
        requests = group * requests_of_chunk(self.setting)
        wait = requests * self.limits.request_seconds

        def sent() -> None:
            self.clock.after(wait, stored)

        def stored() -> None:
            self.transfers.give()
            self.stored_at = max(self.stored_at, self.clock.now)
            self.clock.after(self.limits.event_seconds, partial(self.functions.take, partial(self._load, group)))

        size = group * self.setting.size / self.setting.chunks
        self.puts.take(requests, lambda: self.link.use(size, sent))

    def _load(self, group: int) -> None:
        began = self.clock.now
        wait = group * (self.limits.start_seconds + self.limits.request_seconds)

        def got() -> None:
            self.clock.after(wait, partial(self.database.use, group * self.rows, loaded))

        def loaded() -> None:
            self.table.take(group * self.measured.units_per_count, shard)

        def shard() -> None:
            self.item.take(group / SHARD_PARTS, done)

        def done() -> None:
            self.functions.give()
            self.counted += group
            seconds = self.clock.now - began
            self.load_seconds = max(self.load_seconds, seconds / group)
            self.invoked += seconds
            self.loaded_at = self.clock.now

        self.gets.take(group, got)

    def _dollars(self, prices: Prices) -> dict[str, float]:
        chunks, setting = self.setting.chunks, self.setting
        reads = chunks if setting.copies else math.ceil(2 * setting.size / (8 * MIB)) + chunks
        return {
            "S3 requests": chunks * requests_of_chunk(setting) * prices.put + reads * prices.get,
            "SQS": 3 * chunks * prices.message,
            "Lambda": chunks * prices.invocation + self.invoked * setting.memory_mb / 1024 * prices.memory_second,
            "DynamoDB": chunks * self.measured.units_per_count * prices.write_unit,
        }


def advise(
    size: int, hours: float, *, rows_per_second: float, copies: bool = True, measured: Measured = MEASURED
) -> Setting:
    """What to set so that the split takes no longer than ``hours``, and the load as long as the database needs.

    Chunks: 128 MiB, and so large that there are no more than a million. Connections: as many as the database has
    rows for. The timeout: three times a load, so that one that is slow is no second delivery.
    """
    chunk = max(128 * MIB, 2 ** math.ceil(math.log2(size / 10**6)))
    setting = Setting(size, chunk_bytes=chunk, copies=copies, database_rows=rows_per_second)
    machines = max(1, math.ceil(size / (hours * 3600 * setting.network)))
    connections = min(1000, max(4, math.ceil(rows_per_second / measured.connection_rows_per_second)))
    seconds = chunk / measured.row_bytes / min(measured.connection_rows_per_second, rows_per_second / connections)
    timeout = next((one for one in TIMEOUTS_SECONDS if one >= 3 * seconds), TIMEOUTS_SECONDS[-1])
    jobs = MANY_JOBS if copies else setting.jobs
    return replace(setting, machines=machines, jobs=jobs, concurrency=connections, timeout_seconds=timeout)
