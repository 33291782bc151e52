"""What tests of the installed command share: the command here, the command with S3, a proxy in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import Splitjoin
from tests.servers.proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.proxy import Proxy
    from tests.servers.s3 import Bucket


@pytest.fixture
def splitjoin(tmp_path: Path) -> Splitjoin:
    """The command, in a directory of its own."""
    return Splitjoin(tmp_path)


@pytest.fixture
def splitjoin_s3(tmp_path: Path, bucket: Bucket) -> Splitjoin:
    """The same, with the S3 server that ``bucket`` lies on."""
    return Splitjoin(tmp_path, bucket.env)


@pytest.fixture
def proxy(bucket: Bucket) -> Iterator[Proxy]:
    """A proxy in front of that server: pass ``AWS_ENDPOINT_URL_S3=proxy.url``."""
    with proxied(bucket.endpoint_url) as one:
        yield one
