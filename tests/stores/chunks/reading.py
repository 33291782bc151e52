"""What the tests of chunk stores share: reading to the end, and chunks as our splitter stores them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from splitjoin_cli.api.one_split import run_split
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import RowCount, SplitRequest

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.chunks.base import StoredChunk

TEXT = "id,name\n" + "".join(f"{number},{'x' * 50}\n" for number in range(1000))


def read(stored: StoredChunk, size: int = 1000) -> bytes:
    """A pass over its bytes."""
    data, buffer = bytearray(), memoryview(bytearray(size))
    with closing(stored.open()) as stream:
        while filled := stream.readinto(buffer):
            data += buffer[:filled]
    return bytes(data)


def split(tmp_path: Path, destination: str, **options: str) -> None:
    """Two chunks of 500 records each."""
    source = tmp_path / "source.csv"
    source.write_text(TEXT)
    request = SplitRequest(
        source=str(source),
        destination=parse_place(destination),
        client="acme",
        date="20240131",
        size=RowCount(500),
        **options,  # type: ignore[arg-type]  # text alone
    )
    run_split(request, Silent())
