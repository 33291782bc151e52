"""What real exporters write, split and loaded into each database with the options of docs/exporters.md."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.exporters.loading import DATABASES, Outcome, outcomes, prepared
from tools.exporters.variants import LIVE, Places, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mariadb import MariadbServer
    from tests.servers.postgres import PostgresServer


@pytest.fixture(scope="module")
def places(mariadb_server: MariadbServer, postgres_server: PostgresServer) -> Iterator[Places]:
    """The servers with the awkward table, and a folder that the one that runs as another user may write to."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-exporters-") as directory:
        shared = Path(directory)
        shared.chmod(0o777)
        found = Places(mariadb_server, postgres_server, shared)
        with prepared(found):
            yield found


@pytest.mark.server
@pytest.mark.parametrize("variant", LIVE, ids=lambda variant: variant.name)
def test_an_export_is_loaded_as_it_was_meant(variant: Variant, places: Places, tmp_path: Path) -> None:
    """Every value in every database, but for what the exporter itself loses; what cannot be read is refused."""
    file = tmp_path / "awkward.csv"
    try:
        variant.write(file, places)
    except FileNotFoundError as exc:
        pytest.skip(f"{exc.filename} is not installed")
    found = outcomes(variant, file, places, LIVE.index(variant) + 1)
    if variant.refused:
        assert all(outcome.refused for outcome in found.values())
    else:
        assert found == dict.fromkeys(DATABASES, Outcome(variant.lost_rows))
