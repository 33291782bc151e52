"""``splitjoin info``: what runs here, for people and for reports of bugs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.text import fact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.api.info import Info

EPILOG = """\
\b
Variables that turn a fast path off, to find out what is wrong. The results are the same bytes, only slower:
  SPLITJOIN_SCANNER=numpy    scan with numpy, not with the compiled kernel
  SPLITJOIN_CRC=python       compute checksums in Python alone
  SPLITJOIN_SPECULATION=off  scan in order; no chunk is begun from a guess

\b
Examples:
  splitjoin info
  splitjoin info --json > info.json

Nothing is connected to. Values that may be secrets are shown as (set). Exit codes: 0 done, 2 usage.
"""


@click.command(epilog=EPILOG, short_help="Show versions, the kernel, drivers and the environment.")
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, **values: Any) -> None:  # noqa: ANN401 -- one for each option
    """Show what runs here: versions, the compiled kernel, drivers, the environment. Attach it to a report of a bug."""
    from splitjoin_cli.api.info import info

    terminal = parsed.terminal(ctx, values)
    found = info()
    if terminal.as_json:
        terminal.document(found.to_json())
    else:
        terminal.data("\n".join(_lines(found)))


def _lines(found: Info) -> Iterator[str]:
    yield fact("splitjoin", found.version)
    yield fact("python", found.python)
    yield fact("system", f"{found.system}, {found.machine}, {found.cpus} CPUs usable")
    levels = ", ".join(found.kernel_levels)
    yield fact("kernel", f"{found.kernel} (of {levels})" if found.kernel else "not compiled")
    yield fact("scanner", found.scanner)
    yield fact("checksum", f"CRC-64/NVME by {found.checksum}")
    yield fact("packages", ", ".join(f"{name} {version or 'missing'}" for name, version in found.packages.items()))
    drivers = (f"{extra} {version or 'not installed'}" for extra, version in found.drivers.items())
    yield fact("drivers", ", ".join(drivers))
    yield fact("switches", ", ".join(found.switches) or "none")
    yield from (
        fact("environment" if not index else "", f"{name}={value}")
        for index, (name, value) in enumerate(found.environment.items())
    )
