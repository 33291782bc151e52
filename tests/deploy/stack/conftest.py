"""What tests of the template share: the command in this process, and an account to deploy to."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import splitjoin
from tests.deploy.stack.stacks import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Ran
    from tests.servers.dynamodb import DynamoDbServer

__all__ = ["account", "splitjoin"]

CODE = "def handler(event, context):\n    return {}\n"


@pytest.fixture
def account(ministack_server: DynamoDbServer, splitjoin: Callable[..., Ran]) -> Iterator[Account]:
    """With the template as the command prints it, in a file's size."""
    made = Account(ministack_server.endpoint_url, splitjoin("template", "-q").stdout)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("splitjoin_cli/deploy/lambda_handler.py", CODE)
    s3 = made.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="worker.zip", Body=archive.getvalue())
    yield made
    made.clean()
