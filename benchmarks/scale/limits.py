"""What AWS states, what was measured here, and what is only assumed: the numbers that the simulation is fed with."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIMITS", "MEASURED", "PRICES", "Limits", "Measured", "Prices"]

MB, GB = 1000**2, 1000**3


@dataclass(frozen=True, slots=True)
class Limits:
    """Stated by AWS, but for those that say "assumed"."""

    puts_per_second: float = 3500
    """PUT, COPY, POST on one prefix (S3 user guide, "Best practices design patterns: optimizing performance")."""
    gets_per_second: float = 5500
    """GET, HEAD on one prefix (the same)."""
    stream_bytes_per_second: float = 85 * MB
    """Of one request to S3, upwards and downwards (S3 user guide, "Performance guidelines": 85 to 90 MB/s)."""
    request_seconds: float = 0.1
    """Until the first byte (the same: 100 to 200 ms)."""
    event_seconds: float = 1.0
    """From an object to its message: "typically in seconds" (S3 user guide, "Event notifications"); 1 is assumed."""
    first_invocations: float = 5
    more_invocations_per_second: float = 300 / 60
    """How a queue's pollers grow (Lambda developer guide, "Scaling behavior of SQS event source mappings")."""
    write_units_per_second: float = 4000
    """Of a new on-demand table (DynamoDB developer guide, "On-demand capacity": initial throughput)."""
    item_units_per_second: float = 1000
    """Of one partition, so of the job's own item (the same, "Partitions and data distribution")."""
    start_seconds: float = 0.05
    """Of an invocation in a warm environment: assumed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """By this project's benchmarks, on 2 shared cores: see docs/performance.md."""

    scan_bytes_per_second: float = 8 * GB
    """Of one core, with AVX2."""
    upload_cpu_seconds: float = 1.24
    """For each GiB, over https, scan included."""
    connection_rows_per_second: float = 105_000
    """MariaDB, ``LOAD DATA LOCAL INFILE`` through PyMySQL, one connection."""
    row_bytes: float = 75.8
    """Of the benchmark's rows, line ends included."""
    units_per_count: float = 1.1
    """Write units of a chunk's count, up to a million chunks (docs/protocol.md)."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars, list prices of us-east-1 as they were written down here; storage and database are not in them."""

    put: float = 0.005 / 1000
    get: float = 0.0004 / 1000
    message: float = 0.40 / 10**6
    """One SQS request; a chunk has three: sent, received, deleted."""
    invocation: float = 0.20 / 10**6
    memory_second: float = 0.0000166667
    """One GB for one second, x86_64."""
    write_unit: float = 0.625 / 10**6


LIMITS, MEASURED, PRICES = Limits(), Measured(), Prices()
