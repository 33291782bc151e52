"""Part of the matrix of docs/stores.md, run again: on stores that start in a second, what could go wrong unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.stores.__main__ import STORES
from tools.stores.operations import OPERATIONS
from tools.stores.tried import outcome_of, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dynamodb import DynamoDbServer
    from tools.stores.base import Store

AGAIN = ("SeaweedFS", "MiniStack", "rclone serve s3", "s3rver", "LocalBucket", "SeaweedFS behind nginx")
TELLING = ("split, multipart", "resumed after a kill", "`--force`", "two at once")


@pytest.mark.soak
@pytest.mark.server
@pytest.mark.parametrize("store", [store for store in STORES if store.name in AGAIN], ids=lambda store: store.name)
def test_the_page_is_what_a_store_does(store: Store, ministack_server: DynamoDbServer, tmp_path: Path) -> None:
    """Word for word; two splits at once may be lucky on a store that does not keep them apart."""
    known = {row.name: row.outcomes for row in read()}[store.name]
    try:
        with store.start(tmp_path) as server:
            found = {
                operation.name: outcome_of(operation, server, ministack_server)[0]
                for operation in OPERATIONS
                if operation.name in TELLING
            }
    except FileNotFoundError as exc:
        pytest.skip(f"{exc.filename} is not installed")
    assert [name for name, outcome in found.items() if outcome.wrong] == []
    for name, outcome in found.items():
        assert outcome.word in {known[name].word, "ok"}, outcome
