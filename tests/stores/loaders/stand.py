"""Local servers that stand in for the Auroras: S3 as they see it is a directory."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.model import S3Location
from splitjoin_cli.stores.loaders.aurora_mysql import AuroraMysqlLoader
from splitjoin_cli.stores.loaders.aurora_postgresql import AuroraPostgresqlLoader
from splitjoin_cli.testing.chunks import chunk_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.stores.loaders.base import ChunkToLoad, LoadTarget
    from splitjoin_cli.stores.loaders.session import Session
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

KEY = "exports/it's 1/acme_20240131-1-9.csv"
ETAG = '"9a0364b9e99bb480dd25e1f0284c8555"'


class Stand:
    """S3 as the database sees it: a directory; and the statements that reached the database."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.statements: list[str] = []
        self.etags: list[str | None] = []

    def chunk(self, data: bytes, **options: Any) -> ChunkToLoad:  # noqa: ANN401 -- those of chunk_of
        """A chunk whose object lies there."""
        chunk = chunk_of(data, **options)
        path = self.directory / secrets.token_hex(8)
        path.write_bytes((options.get("header", b"id,name\n") or b"") + data)
        path.chmod(0o644)
        self.path = path
        return replace(chunk, s3=S3Location("bucket", KEY, ETAG), etag_now=self._etag)

    def _etag(self) -> str | None:
        return self.etags.pop(0) if self.etags else ETAG


@contextlib.contextmanager
def standing() -> Iterator[Stand]:
    """A directory that a server of another user can read."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-stand-") as name:
        Path(name).chmod(0o755)
        yield Stand(Path(name))


def aurora_mysql(database: MariadbDatabase, stand: Stand, target: LoadTarget) -> AuroraMysqlLoader:
    """The loader for Aurora MySQL, on a MariaDB that reads a local file where Aurora reads the object."""
    loader = AuroraMysqlLoader(database.url, database.server.password, target, "eu-west-1")
    connect = loader._connect
    loader._connect = lambda: recording(connect(), stand)  # type: ignore[method-assign]  # the smallest way in
    return loader


def aurora_postgresql(database: PostgresDatabase, stand: Stand, target: LoadTarget) -> AuroraPostgresqlLoader:
    """The loader for Aurora PostgreSQL, on a server whose aws_s3 is a function over COPY from a local file."""
    for statement in STAND_IN.format(directory=stand.directory).split(";;"):
        database.query(statement)
    return AuroraPostgresqlLoader(database.url, None, target, "eu-west-1")


def recording(session: Session, stand: Stand) -> Session:
    """``session``, its statements noted; a local file stands in for the object."""
    run = session.run

    def noting(sql: str, values: Sequence[object] = ()) -> int:
        stand.statements.append(sql)
        if sql.startswith("LOAD DATA FROM S3 FILE "):
            what = sql.partition(" INTO TABLE ")[2]
            sql = f"LOAD DATA LOCAL INFILE '{stand.path}' INTO TABLE {what}"
        return run(sql, values)

    session.run = noting  # type: ignore[method-assign]  # the smallest way in
    return session


STAND_IN = """
CREATE SCHEMA aws_s3;; CREATE SCHEMA aws_commons;;
CREATE TYPE aws_commons._s3_uri_1 AS (bucket text, file_path text, region text);;
CREATE FUNCTION aws_commons.create_s3_uri(text, text, text) RETURNS aws_commons._s3_uri_1
    LANGUAGE sql AS $$ SELECT ROW($1, $2, $3)::aws_commons._s3_uri_1 $$;;
CREATE TABLE aws_s3.calls (name text, columns text, options text, uri text);;
CREATE FUNCTION aws_s3.table_import_from_s3(name text, columns text, options text, uri aws_commons._s3_uri_1)
    RETURNS text LANGUAGE plpgsql AS $$
DECLARE loaded bigint;
BEGIN
    INSERT INTO aws_s3.calls VALUES (name, columns, options, uri::text);
    EXECUTE format('COPY %s (%s) FROM PROGRAM %L WITH %s',
                   name, columns, 'cat $(ls -t {directory}/* | head -1)', options);
    GET DIAGNOSTICS loaded = ROW_COUNT;
    RETURN format('%s rows imported into relation "%s" from file %s of 99 bytes', loaded, name, (uri).file_path);
END $$
"""
