"""Sources that a worker opens: what it says of one that is not as it was planned."""

from __future__ import annotations

import pytest

from splitjoin_cli.core.errors import SourceChangedError
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.specs import Reach, SourceSpec
from splitjoin_cli.stores.sources.web_answers import NODES
from tests.stores.sources.http_server import serving


def test_a_server_whose_nodes_have_an_etag_each_is_named_as_the_cause() -> None:
    """Where the size is the planned one; another size is a change."""
    with serving(b"id\n1\n") as served:
        served.nodes, planned = 2, served.etag
        for size, hint in ((5, f"run again; {NODES}"), (6, "run again")):
            served.requests.clear()
            spec = SourceSpec(served.url, planned, size, Reach())
            with pytest.raises(SourceChangedError, match="is another file here") as caught, Place().source(spec):
                pass
            assert caught.value.hint == hint
