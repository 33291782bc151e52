"""A split to a store that keeps sizes alone, and how much memory its coordinator took: ``python -m``, FILE."""

from __future__ import annotations

import re
import sys
import tempfile
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.names import JobName, parse
from splitjoin_cli.core.places import DirectoryPlace
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import RowCount, SplitRequest
from splitjoin_cli.splitting.run import SplitRun
from splitjoin_cli.stores.sinks.base import SinkProperties
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sources.local import LocalSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body, Condition

ETAG = '"{:032x}"'


@dataclass(slots=True)
class _Chunks:
    sizes: array[int]
    total: int = 0


class DiscardingSink(DirectorySink):
    """As a bucket is: names must be known first, objects have metadata; documents alone are kept, in a directory."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._chunks = _Chunks(array("q"))

    @property
    def properties(self) -> SinkProperties:
        return SinkProperties(uri="s3://discarding/")

    @property
    def staging(self) -> None:  # type: ignore[override]
        return None

    def put(
        self,
        name: str,
        body: Body,
        *,
        checksum: int | None,
        metadata: str | None = None,
        when: Condition | None = None,  # noqa: ARG002 -- nothing else stores there
        sent: Moved | None = None,
    ) -> StoredObject:
        chunk, buffer = parse(name), memoryview(bytearray(body.size))
        assert chunk is not None
        assert metadata is not None
        assert body.read_at(0, buffer) == body.size
        if not self._chunks.total:
            self._chunks = _Chunks(array("q", [-1]) * chunk.total, chunk.total)
        self._chunks.sizes[chunk.number - 1] = body.size
        if sent is not None:
            sent(body.size)
        return StoredObject(name, body.size, checksum, validator=ETAG.format(chunk.number))

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        total = self._chunks.total
        for number, size in enumerate(self._chunks.sizes, start=1):
            if size >= 0:
                name = f"acme_20240131-{number:0{len(str(total))}}-{total}.csv"
                yield StoredObject(name, size, validator=ETAG.format(number))
        yield from super().list(name_prefix)


def main() -> None:
    """Split the file, a record to a chunk, and print how many chunks were stored and the peak in MiB."""
    source = LocalSource(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        sink = DiscardingSink(Path(place))
        asked = SplitRequest(source=sys.argv[1], destination=DirectoryPlace(place), size=RowCount(1), jobs=10)
        result = SplitRun(asked, JobName("acme", "20240131"), source, sink, Silent()).run()
        sink.close()
        sys.stdout.write(f"{result.to_json()['uploaded']} {peak_mib()}\n")


def peak_mib() -> int:
    """Of this program alone: what ``getrusage`` tells is not less than the peak of the process that started it."""
    found = re.search(r"VmHWM:\s*([0-9]+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


if __name__ == "__main__":
    main()
