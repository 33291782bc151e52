"""The options of ``split`` by name and type, for its two signatures: one source, and several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.api.arguments import DialectKeywords

if TYPE_CHECKING:
    from splitjoin_cli.api import arguments
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import ServerSideEncryption

__all__ = ["SplitOptions"]


class SplitOptions(DialectKeywords, total=False):
    """Each but the dialect's is a parameter of ``split``; ``splitjoin split --help`` says what it means."""

    client: str | None
    date: arguments.Date | None
    name_pattern: str | None
    chunk_size: arguments.Bytes | None
    chunks: int | None
    rows: int | None
    encoding: str | None
    strict: bool
    compress: arguments.Compress | None
    jobs: int | None
    engine: str
    allow_plain_dask: bool
    bwlimit: arguments.Bytes | None
    fsync: bool
    dry_run: bool
    force: bool
    run_label: str | None
    tracker: str | None
    notify: str | None
    tmp_dir: arguments.Path | None
    sse: ServerSideEncryption | None
    sse_kms_key_id: str | None
    storage_class: str | None
    tag: arguments.Tags
    request_payer: bool
    expected_bucket_owner: str | None
    content_encoding: arguments.Compress | None
    profile: str | None
    region: str | None
    endpoint_url: str | None
    session: Session | None
    observer: Observer | None
