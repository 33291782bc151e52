"""A corpus of odd exports, split by a cluster and by functions as by threads: the same chunks, or the same error."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.deploy.stack.split import HANDLER
from tests.e2e.command import Splitjoin
from tests.e2e.kills import kept, stored
from tests.servers.lambda_runtime import running_function
from tests.servers.lambda_service import LambdaService, environments
from tests.soak.corpus import CORPUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.command import Ran
    from tests.servers.dask import DaskCluster
    from tests.servers.s3 import Bucket, S3Server
    from tests.soak.corpus import Odd

pytestmark = pytest.mark.soak
ENVIRONMENTS = 2
SECONDS = 600.0
"""A split of many small chunks makes a request for each, or several."""


@pytest.fixture(scope="module")
def lambda_env(
    tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server, whole_split_zip: Path
) -> Iterator[Mapping[str, str]]:
    """What makes a command find Lambda, with so many environments of the split function."""
    task, logs = tmp_path_factory.mktemp("task"), tmp_path_factory.mktemp("logs")
    with zipfile.ZipFile(whole_split_zip) as archive:
        archive.extractall(task)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running_function(task, HANDLER, s3_server.env, logs / f"{number}.log"))
            for number in range(ENVIRONMENTS)
        ]
        yield stack.enter_context(LambdaService(environments(processes)).serving()).env


def check_alike(found: Ran, wanted: Ran) -> None:
    """What was said: the same exit code, and warnings or error."""
    assert found.code == wanted.code, found
    if wanted.code:
        assert found.error == wanted.error
    else:
        assert found.document["warnings"] == wanted.document["warnings"]


@pytest.mark.parametrize("odd", CORPUS.values(), ids=CORPUS.keys())
def test_a_cluster_splits_odd_exports_as_threads_do(tmp_path: Path, dask_cluster: DaskCluster, odd: Odd) -> None:
    """Files byte for byte, manifest included, and what is said of them; or exit code and error."""
    splitjoin = Splitjoin(tmp_path, {}, SECONDS)
    (tmp_path / "acme.csv").write_bytes(odd.data)
    options = ("--client=acme", "--date=d", *odd.size, *odd.options, "--json")
    wanted = splitjoin("split", "acme.csv", "threads", *options)
    found = splitjoin("split", "acme.csv", "dask", *options, "--engine", dask_cluster.engine)
    check_alike(found, wanted)
    if not wanted.code:
        assert kept(tmp_path / "dask") == kept(tmp_path / "threads")


@pytest.mark.parametrize("odd", CORPUS.values(), ids=CORPUS.keys())
def test_functions_split_odd_exports_as_threads_do(
    tmp_path: Path, bucket: Bucket, lambda_env: Mapping[str, str], odd: Odd
) -> None:
    """Objects with their checksums and metadata, the manifest byte for byte, and what is said; or code and error."""
    splitjoin = Splitjoin(tmp_path, {**bucket.env, **lambda_env}, SECONDS)
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=odd.data)
    options = ("--client=acme", "--date=d", *odd.size, *odd.options, "--json")
    command = ("split", f"{bucket.uri}acme.csv")
    wanted = splitjoin(*command, f"{bucket.uri}threads/", *options)
    found = splitjoin(*command, f"{bucket.uri}lambda/", *options, "--engine", "lambda:splits")
    check_alike(found, wanted)
    if not wanted.code:
        assert stored(bucket, "lambda/") == stored(bucket, "threads/")
        assert bucket.open_uploads() == []
