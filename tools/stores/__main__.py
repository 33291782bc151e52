"""``python -m tools.stores [STORE [OPERATION]]``: tries operations on stores, and writes the matrix of docs/stores.md.

STORE, OPERATION: words; only what has them in its name is tried. Of all else the last results stand.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import servers
from tests.servers.processes import ServerDiedError
from tools.stores import page
from tools.stores.behind import BEHIND
from tools.stores.ceph import CEPH
from tools.stores.operations import OPERATIONS
from tools.stores.packaged import PACKAGED
from tools.stores.swift import SWIFT
from tools.stores.tried import read, tried, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.servers.dynamodb import DynamoDbServer
    from tools.stores.base import Store
    from tools.stores.tried import Tried

__all__ = ["STORES"]

STORES: Sequence[Store] = (*PACKAGED, CEPH, *SWIFT, *BEHIND)


def main(word: str = "", what: str = "") -> int:
    """Write results and page; 1 where data was wrong and nothing said so."""
    rows = {row.name: row for row in read()}
    with servers.ministack_server() as queues:
        for store in STORES:
            if word.lower() in store.name.lower() and (row := _row(store, queues, what)) is not None:
                rows[store.name] = row if store.name not in rows else row.after(rows[store.name])
                found = [rows[each.name] for each in STORES if each.name in rows]
                write(found)
                page.put(page.section(found))
    return int(any(outcome.wrong for row in rows.values() for outcome in row.outcomes.values()))


def _row(store: Store, queues: DynamoDbServer, what: str) -> Tried | None:
    """None where it is not here."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-store-") as directory:
        try:
            with store.start(Path(directory)) as server:
                row = tried(store, server, queues, [each for each in OPERATIONS if what in each.name])
        except (FileNotFoundError, LookupError, ServerDiedError) as exc:
            print(f"{store.name}: left out: {exc}", file=sys.stderr)
            return None
    for name, outcome in row.outcomes.items():
        print(f"{store.name}: {name}: {outcome.word} {'; '.join(outcome.notes)}", file=sys.stderr)
    print(f"{store.name}: warned: {'; '.join(row.warned)}", file=sys.stderr)
    return row


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
