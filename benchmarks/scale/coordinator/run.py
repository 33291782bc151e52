"""One split by the real coordinator on a simulated cluster, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.scale.coordinator.cluster import Cluster, Shape
from benchmarks.scale.coordinator.export import TILE_BYTES, Export
from benchmarks.scale.coordinator.sink import SimulatedSink
from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.engines.base import Remote
from splitjoin_cli.splitting.engines.specs import Reach, SinkSpec, SourceSpec
from splitjoin_cli.splitting.request import ChunkSize, SplitRequest
from splitjoin_cli.splitting.run import SplitRun

if TYPE_CHECKING:
    from splitjoin_cli.splitting.result import SplitResult

__all__ = ["CHUNK_BYTES", "Found", "split"]

MIB = 1024 * 1024
CHUNK_BYTES = 128 * MIB
JOB = JobName("simulated", "20240131")


class _Watch(Silent):
    """Hears when each phase begins: of the virtual clock, of the coordinator's CPU, and how busy workers were."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.begun: dict[str, tuple[float, float, float]] = {}
        self.warnings: list[str] = []

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:  # noqa: ARG002 -- an Observer's
        self.now(name)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def now(self, name: str) -> None:
        """A phase begins."""
        cluster = self._cluster
        self.begun[name] = cluster.clock.now, cluster.meter.seconds, cluster.workers.busy.seconds


@dataclass(frozen=True, slots=True)
class Found:
    """``planned``, ``stored``: virtual seconds of each phase. ``scan_cpu``, ``store_cpu``: real ones, of this.

    ``planning_busy``, ``storing_busy``: how much of each phase the workers worked. ``unforeseen``: reads that the
    coordinator waited for by itself. ``tries``: units that were sent, again included.
    """

    result: SplitResult
    size: int
    planned: float
    stored: float
    scan_cpu: float
    store_cpu: float
    planning_busy: float
    storing_busy: float
    unforeseen: int
    tries: int
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All but the plan."""
        names = (*self.__slots__[1:],)
        return {"chunks": self.result.total_parts, **{name: getattr(self, name) for name in names}}


def split(chunks: int, shape: Shape, *, chunk_bytes: int = CHUNK_BYTES, tile_bytes: int = TILE_BYTES) -> Found:
    """Split an export of so many chunks; rows do not fill them, so there are a few more."""
    export = Export(chunks * chunk_bytes, tile_bytes=tile_bytes)
    cluster = Cluster(shape, export, chunk_bytes)
    sink, watch = SimulatedSink(cluster, JOB.file_name), _Watch(cluster)
    result = _run(export, cluster, sink, watch, chunk_bytes)
    watch.now("ended")
    (scan, scan_cpu, scan_busy), (store, store_cpu, store_busy) = watch.begun["scanning"], watch.begun["uploading"]
    end, cpu, busy = watch.begun["ended"]
    return Found(
        result=result,
        size=export.size,
        planned=store - scan,
        stored=end - store,
        scan_cpu=store_cpu - scan_cpu,
        store_cpu=cpu - store_cpu,
        planning_busy=(store_busy - scan_busy) / (store - scan),
        storing_busy=(busy - store_busy) / (end - store),
        unforeseen=cluster.unforeseen,
        tries=cluster.tries,
        warnings=tuple(watch.warnings),
    )


def _run(export: Export, cluster: Cluster, sink: SimulatedSink, watch: _Watch, chunk_bytes: int) -> SplitResult:
    found, reach = export.properties, Reach()
    remote = Remote(
        cluster,
        SourceSpec(found.uri, found.validator, export.size, reach),
        SinkSpec(sink.properties.uri, reach, ObjectOptions()),
        check=lambda: None,
        opens_sink=lambda: sink,
        pace=cluster.pace,
    )
    request = SplitRequest(
        source=found.uri, destination=parse_place(sink.properties.uri), size=ChunkSize(chunk_bytes), engine="simulated"
    )
    return SplitRun(request, JOB, export, sink, watch, remote=remote).run()
