"""What holds a handle, a lock or a client stays in its process; what names it travels."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.stores.sinks.staging_folder import StagingFolder
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.open import open_source
from splitjoin_cli.stores.sources.s3 import S3Source
from splitjoin_cli.stores.sources.spool import SpooledSource
from splitjoin_cli.stores.sources.url import UrlSource
from splitjoin_cli.stores.sources.web import HttpSource

if TYPE_CHECKING:
    from pathlib import Path

HOLDERS = [DirectorySink, HttpSource, LocalSource, S3Sink, S3Source, SpooledSource, StagingFolder, UrlSource]


@pytest.mark.parametrize("kind", HOLDERS, ids=lambda kind: kind.__name__)
def test_it_says_what_to_send_instead(kind: type[object]) -> None:
    """Whether it was opened or not: a number of a descriptor would be another file elsewhere."""
    with pytest.raises(TypeError, match=f"{kind.__name__} holds what belongs to this process: send what names it"):
        pickle.dumps(kind.__new__(kind))


def test_so_does_what_is_around_a_source(tmp_path: Path) -> None:
    """A decompressed source is one of a file."""
    (tmp_path / "acme.csv.gz").write_bytes(bytes.fromhex("1f8b08000000000000034b040043beb7e801000000"))
    source = open_source(str(tmp_path / "acme.csv.gz"))
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(source)
    source.close()
