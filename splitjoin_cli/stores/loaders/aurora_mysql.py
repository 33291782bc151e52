"""Chunks into a table of Aurora MySQL, which fetches them from S3 itself: LOAD DATA FROM S3."""

from __future__ import annotations

import codecs
from dataclasses import replace
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.stores.loaders.from_s3 import (
    OTHERWISE,
    check_etag,
    location_of,
    note_streamed,
    reads_alike,
    why_streamed,
)
from splitjoin_cli.stores.loaders.header import raw_header
from splitjoin_cli.stores.loaders.mysql import MysqlLoader

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import ChunkToLoad, Ledger, LoadTarget
    from splitjoin_cli.stores.loaders.login import Logins
    from splitjoin_cli.stores.loaders.session import Columns, Session
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["AuroraMysqlLoader"]

_CHARACTER_SETS = {"utf-8": "utf8mb4", "ascii": "utf8mb4", "iso8859-1": "latin1", "cp1252": "latin1"}


@final
class AuroraMysqlLoader(MysqlLoader):
    """See Loader, MysqlLoader, and Aurora's user guide, "Loading data [...] from text files in an Amazon S3 bucket".

    The cluster needs a role that may read the bucket, the account ``AWS_LOAD_S3_ACCESS``. The bytes pass through here
    once, to count each record's fields and to see that MySQL reads them as they are meant; where it would not (an
    escape character, stray quotes, compression, an encoding without a name there), they are streamed, which needs
    ``local_infile``.
    """

    reads_s3 = True

    def __init__(
        self, url: DatabaseUrl, login: Logins | str | None, target: LoadTarget, region: str | None = None
    ) -> None:
        """``region``: of the bucket, where it is not the cluster's; the URL's ``s3-region`` beats it."""
        super().__init__(url, login, target)
        self._region = url.options.get("s3-region") or region

    def _check_chunk(self, chunk: ChunkToLoad) -> None:
        location_of(chunk)

    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        why = why_streamed(chunk, _CHARACTER_SETS, knows_nulls=self._knows_nulls(chunk.dialect.nulls))
        if why is None and not reads_alike(chunk, len(columns), self._target.max_record_bytes):
            why, plain = OTHERWISE, False
        if why is not None:
            note_streamed(chunk, why)
            return super()._copy(session, chunk, columns, plain=plain)
        check_etag(chunk)
        loaded = self._load_data(session, self._statement(chunk), chunk, columns)
        check_etag(chunk)
        return loaded

    def _read_history(self, session: Session, ledger: Ledger, file_name: str) -> Ledger:
        """The table of Aurora's user guide, "Loading data [...]": each file, and the URI that was asked for."""
        pattern = "".join(f"!{char}" if char in "!%_" else char for char in file_name)
        asked = "SELECT DISTINCT load_prefix, file_name FROM mysql.aurora_s3_load_history"
        where = "load_prefix LIKE ? ESCAPE '!' OR file_name LIKE ? ESCAPE '!'"
        try:
            found = session.rows(f"{asked} WHERE {where}", (f"%{pattern}-%",) * 2)
        except self.driver_errors as exc:
            return replace(ledger, history_error=self._translated(exc).message)
        # a statement for one file names it; one for a prefix or a manifest leaves that to the second column
        return replace(ledger, history=tuple(sorted({str(text) for row in found for text in row if text})))

    def _statement(self, chunk: ChunkToLoad) -> str:
        place, dialect = location_of(chunk), chunk.dialect
        if "\\" in place.key:
            raise BadRowError(f"a backslash in the key {place.key!r}: SQL modes differ in what it means")
        scheme = f"s3-{self._region}" if self._region else "s3"
        uri = f"{scheme}://{place.bucket}/{place.key}".replace("'", "''")
        quote = f" OPTIONALLY ENCLOSED BY {self._literal(dialect.quotechar)}" if dialect.quotechar else ""
        # IGNORE counts line ends and knows no quotes
        line_end = (dialect.line_end or "\n").encode()
        ignored = raw_header(chunk).count(line_end)
        return (
            f"LOAD DATA FROM S3 FILE '{uri}' INTO TABLE {self._table}"
            f" CHARACTER SET {_CHARACTER_SETS[codecs.lookup(dialect.encoding).name]}"
            f" FIELDS TERMINATED BY {self._literal(dialect.delimiter)}{quote} ESCAPED BY ''"
            f" LINES TERMINATED BY 0x{line_end.hex().upper()}" + (f" IGNORE {ignored} LINES" if ignored else "")
        )
