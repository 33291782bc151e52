"""Whether two splits were asked for with the same options: the digest that plans carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.format.runs import digest_options, later_options

if TYPE_CHECKING:
    from splitjoin_cli.splitting.request import SplitRequest

__all__ = ["digest_of"]


def digest_of(request: SplitRequest) -> str:
    """Of all options that shape the plan or the run."""
    dialect, size = request.dialect, request.size
    later = later_options(dialect, request.skip)
    return digest_options(
        {
            "size": repr(size),
            "delimiter": dialect.delimiter,
            "quotechar": dialect.quotechar,
            "escapechar": dialect.escapechar,
            "header": dialect.header,
            "encoding": request.encoding,
            "on_stray_quote": dialect.stray_quote,
            "strict": request.strict,
            "compress": request.compress,
            "run_label": request.run_label,
        }
        | ({"later": later} if later else {})
    )
