"""``splitjoin template``: prints the CloudFormation of the join on AWS."""

from __future__ import annotations

import json
from typing import Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import Setting, Size

PRETTY_LEVELS = 4
"""What is deeper stands on one line: CloudFormation takes 51,200 bytes from a file."""
PARAMETER_OF = {
    "into": "Into",
    "table": "Table",
    "run_column": "RunColumn",
    "secret": "SecretArn",
    "max_record": "MaxRecord",
}
FLAG_PARAMETER_OF = {
    "create_table": "CreateTable",
    "beside_other_run": "BesideOtherRun",
    "exact_values": "ExactValues",
}

EPILOG = """\
\b
Examples:
  splitjoin template > splitjoin.json
  splitjoin template --into mysql://loader@db.example.com/sales --set Concurrency=8 > splitjoin.json
  aws cloudformation deploy --template-file splitjoin.json --stack-name splitjoin \\
    --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=... CodeKey=...

The stack has the bucket, the queue with its dead letters, the function, the tracker's table, the topic of joins, the
sweep's schedule, alarms, and the roles; with SplitCodeKey also the function of split --engine lambda:. Options set
defaults: --parameter-overrides beats them. Nothing is deployed, and AWS is not asked.

Exit codes: 0 done, 2 usage.
"""


@click.command(epilog=EPILOG, short_help="Print the CloudFormation of the join on AWS.")
@options.option(
    "--into",
    metavar="URL",
    help="The database: mysql://USER@HOST/DB, postgresql://..., aurora-mysql://..., aurora-postgresql://...",
)
@options.option("--table", metavar="NAME", help="Its table, or SCHEMA.NAME.  [default: the client's name]")
@options.option("--create-table", is_flag=True, help="Create a missing table, with text columns.")
@options.option(
    "--run-column",
    metavar="NAME",
    help="The table's column for the run id; with it a newer run replaces the rows of an older one.",
)
@options.option("--beside-other-run", is_flag=True, help="Load even if the ledger holds another run of a file.")
@options.option("--max-record", type=Size(), help="Maximum size of one record; a larger one is a bad row.")
@options.option("--exact-values", is_flag=True, help="A value that its column's type would change is a bad row.")
@options.option("--secret", metavar="ARN", help="Secrets Manager's secret with the database's user and password.")
@options.option(
    "--set", "settings", type=Setting(), multiple=True, help="Default of any other parameter; may be repeated."
)
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, settings: tuple[tuple[str, str], ...], **values: Any) -> None:  # noqa: ANN401 -- one for each option
    """Print a CloudFormation template, as JSON, for all that loads and joins on AWS."""
    from splitjoin_cli.deploy.stack.template import make_template

    terminal = parsed.terminal(ctx, values)
    defaults = {parameter: str(values[name]) for name, parameter in PARAMETER_OF.items() if values[name]}
    defaults |= {parameter: "1" for name, parameter in FLAG_PARAMETER_OF.items() if values[name]}
    template = make_template(defaults | dict(settings))
    if terminal.as_json:
        terminal.document(template.to_json())
        return
    terminal.data(_written(template.to_json()))
    if needed := [name for name, one in template.parameters.items() if one.default is None]:
        terminal.note(f"To be given when it is deployed: {', '.join(needed)}")


def _written(value: object, level: int = 0) -> str:
    """JSON with a line for each entry of the upper levels."""
    if level == PRETTY_LEVELS or not isinstance(value, dict) or not value:
        return json.dumps(value)
    pad = " " * (level + 1)
    entries = (f"{pad}{json.dumps(name)}: {_written(one, level + 1)}" for name, one in value.items())
    return "{\n" + ",\n".join(entries) + f"\n{' ' * level}}}"
