"""Chunks into a table of Aurora PostgreSQL, which fetches them from S3 itself: aws_s3.table_import_from_s3."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import LoadError, UsageError
from splitjoin_cli.stores.loaders.bad_rows import CopyLines
from splitjoin_cli.stores.loaders.from_s3 import (
    OTHERWISE,
    check_etag,
    location_of,
    note_streamed,
    reads_alike,
    why_streamed,
)
from splitjoin_cli.stores.loaders.header import raw_header
from splitjoin_cli.stores.loaders.postgresql import RUN_SETTING, PostgresqlLoader

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.loaders.base import ChunkToLoad, LoadTarget
    from splitjoin_cli.stores.loaders.login import Logins
    from splitjoin_cli.stores.loaders.session import Columns, Session
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["AuroraPostgresqlLoader"]

_ENCODINGS = {"utf-8": "UTF8", "ascii": "UTF8", "iso8859-1": "LATIN1", "cp1252": "WIN1252"}
_IMPORT = "SELECT aws_s3.table_import_from_s3(?, ?, ?, aws_commons.create_s3_uri(?, ?, ?))"
_IMPORTED = re.compile(r"\b(\d+) rows imported")


@final
class AuroraPostgresqlLoader(PostgresqlLoader):
    r"""See Loader, PostgresqlLoader, and Aurora's user guide, "Importing data from Amazon S3".

    The cluster needs the extension ``aws_s3`` and a role that may read the bucket. The bytes pass through here once, to
    count each record's fields and to see that PostgreSQL reads them as they are meant; where it would not (an escape
    character, no quotes, stray ones, a line ``\.``, compression, an encoding without a name there), they are streamed.
    """

    reads_s3 = True

    def __init__(
        self, url: DatabaseUrl, login: Logins | str | None, target: LoadTarget, region: str | None = None
    ) -> None:
        """``region``: of the bucket; the URL's ``s3-region`` beats it. Raises UsageError with neither."""
        super().__init__(url, login, target)
        found = url.options.get("s3-region") or region
        if not found:
            raise UsageError("aurora-postgresql needs the bucket's region", hint="add ?s3-region=REGION to the URL")
        self._region = found

    def _check_chunk(self, chunk: ChunkToLoad) -> None:
        location_of(chunk)

    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        why = why_streamed(chunk, _ENCODINGS, knows_nulls=self._knows_nulls(chunk.dialect.nulls))
        if chunk.dialect.quotechar is None:
            why = "its dialect has no quotes, and COPY's CSV always has"
        elif why is None and not reads_alike(chunk, len(columns), self._target.max_record_bytes):
            why, plain = OTHERWISE, False
        if why is not None:
            note_streamed(chunk, why)
            return super()._copy(session, chunk, columns, plain=plain)
        place = location_of(chunk)
        session.rows("SELECT set_config(?, ?, true)", (RUN_SETTING, chunk.run_id))
        names = ", ".join(self._quoted(column.name) for column in columns)
        header = "HEADER true, " if chunk.header_bytes else ""
        encoding = _ENCODINGS[codecs.lookup(chunk.dialect.encoding).name]
        options = self._csv_options(chunk, columns).replace("FORMAT csv, ", f"FORMAT csv, {header}", 1)
        check_etag(chunk)
        with self._telling_rows(chunk, self._counted_in_object(chunk)):
            values = (self._table, names, f"({options}, ENCODING '{encoding}')", place.bucket, place.key, self._region)
            answer = str(session.rows(_IMPORT, values)[0][0])
        check_etag(chunk)
        imported = _IMPORTED.search(answer)
        if imported is None:
            raise LoadError(f"the import answered {answer!r}, which does not say how many rows there were")
        return int(imported[1])

    def _counted_in_object(self, chunk: ChunkToLoad) -> Callable[[int], CopyLines]:
        """The lines that PostgreSQL counts are the object's own here."""
        header = raw_header(chunk).decode(chunk.dialect.encoding, "replace")
        return lambda line: CopyLines(line, header=header, line_feeds=chunk.dialect.line_end == "\n")
