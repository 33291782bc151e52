"""The command ``splitjoin``: its subcommands are imported only when they are used, so that help is there at once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from splitjoin_cli import __version__
from splitjoin_cli.cli.output import output_closed
from splitjoin_cli.core.errors import SplitjoinError, UsageError
from splitjoin_cli.core.gc_pause import uncollected

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entry(NamedTuple):
    """Where a subcommand is (its module has it as ``command``), and its line in the help."""

    module: str
    short_help: str


COMMANDS: Mapping[str, Entry] = {
    "split": Entry("splitjoin_cli.cli.split", "Split a CSV file into chunks in a directory or on S3."),
    "inspect": Entry("splitjoin_cli.cli.inspect", "Say what a file is, and which options of split fit it."),
    "verify": Entry("splitjoin_cli.cli.verify", "Check a stored split, and compare it with its source."),
    "ls": Entry("splitjoin_cli.cli.ls", "List the splits of a directory or S3 prefix."),
    "rm": Entry("splitjoin_cli.cli.rm", "Remove a split: its chunks, manifest, plan and open uploads."),
    "merge": Entry("splitjoin_cli.cli.merge", "Put the chunks of a split back together."),
    "status": Entry("splitjoin_cli.cli.status", "Show jobs: what is counted, missing, failed, joined."),
    "simulate": Entry("splitjoin_cli.cli.simulate", "Load and join chunks here, with faults thrown in."),
    "worker": Entry("splitjoin_cli.cli.worker", "Load and join chunks as their messages arrive in a queue."),
    "retry": Entry("splitjoin_cli.cli.retry", "Send missing or failed chunks through again, or the join alone."),
    "replace": Entry("splitjoin_cli.cli.replace", "Store a mended chunk in the place of the old one."),
    "clear": Entry("splitjoin_cli.cli.clear", "Take a run out of a database, so that it can be loaded again."),
    "init": Entry("splitjoin_cli.cli.init", "Make the tracker's table."),
    "info": Entry("splitjoin_cli.cli.info", "Show versions, the kernel, drivers and the environment."),
    "template": Entry("splitjoin_cli.cli.template", "Print the CloudFormation of the join on AWS."),
}

EPILOG = """\
Every option can be set in the environment: --chunk-size by SPLITJOIN_CHUNK_SIZE, and so on. A typed option wins.

\b
Exit codes:
  0    done
  1    failed
  2    usage: an option or argument is wrong
  3    partial: some chunks failed; run it again to resume
  4    bad input: nothing was uploaded
  10   no such job
  11   the name is taken by other content
  12   status found a job that is stuck or failed, or a difference, or its --timeout passed
  130  interrupted (143: terminated); run it again
"""


class LazyGroup(click.Group):
    """A group that knows its subcommands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """In the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import one subcommand; None where there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        with uncollected():
            return cast("click.Command", importlib.import_module(entry.module).command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand; a mistyped one is answered with the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name.lower(), COMMANDS, n=1)
            hint = f"did you mean {near[0]}? splitjoin --help lists all" if near else "splitjoin --help lists them"
            raise UsageError(f"there is no command {name!r}", hint=hint)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand. Its own lost connections are errors: click would take them for a closed stdout."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            if (closed := output_closed(exc)) is not None:
                raise closed from exc
            raise SplitjoinError(f"the other side closed a connection: {exc}", hint="run it again") from exc

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        """List the subcommands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short_help) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="splitjoin", message="%(prog)s %(version)s")
def cli() -> None:
    """Split large CSV exports into exact, resumable chunks."""
