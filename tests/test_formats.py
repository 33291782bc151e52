"""What is stored is of its schema, as what is printed is (tests/schemas.py, in every run of a command)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.cli.group import COMMANDS
from tests.e2e.command import Splitjoin
from tests.schemas import SCHEMAS, hold

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.s3 import S3Server

WITHOUT_A_DOCUMENT = {"template"}
"""Its document is CloudFormation's."""


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
def test_stored_documents_are_of_their_schemas(s3_server: S3Server, tmp_path: Path, compress: str) -> None:
    """Manifest, and metadata of a chunk on S3; and what the commands print of them."""
    (tmp_path / "acme.csv").write_text('id,note\n1,a\n2,"b\nc"\n3,d\n')
    command = Splitjoin(tmp_path, s3_server.env)
    client, bucket = s3_server.client(), f"formats-{compress}"
    client.create_bucket(Bucket=bucket)
    command.ok(
        "split", "acme.csv", f"s3://{bucket}/in/", "--rows", "2", "--date", "20240131", "--compress", compress, "--json"
    )  # fmt: skip
    manifest = client.get_object(Bucket=bucket, Key="in/acme_20240131.manifest.json")["Body"].read()
    hold("manifest", json.loads(manifest))
    suffix = {"none": ".csv", "gzip": ".csv.gz", "zstd": ".csv.zst"}[compress]
    head = client.head_object(Bucket=bucket, Key=f"in/acme_20240131-1-2{suffix}")
    hold("metadata", json.loads(head["Metadata"]["splitjoin"]))


def test_a_payload_is_of_its_schema(tmp_path: Path) -> None:
    """What a command gets that follows a join."""
    (tmp_path / "acme.csv").write_text("id\n1\n")
    Splitjoin(tmp_path).json("simulate", "acme.csv", "--on-join", "exec:cat > payload.json")
    hold("payload", json.loads((tmp_path / "payload.json").read_text()))


def test_every_command_has_a_schema_and_the_page_names_each() -> None:
    """A new command's document cannot be forgotten."""
    names = {path.stem for path in SCHEMAS.glob("*.json")}
    assert set(COMMANDS) - WITHOUT_A_DOCUMENT <= names
    page = (SCHEMAS.parent / "formats.md").read_text()
    assert [name for name in sorted(names) if f"(schemas/{name}.json)" not in page] == []
