"""``splitjoin worker``: its options, one call, its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.log import log_lines
from splitjoin_cli.cli.params import Count, Duration
from splitjoin_cli.cli.terminal import error_document
from splitjoin_cli.cli.text import count_text
from splitjoin_cli.core.errors import StoppedError
from splitjoin_cli.core.units import MAX_WORKERS

if TYPE_CHECKING:
    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.core.aws.sqs import QueueFacts
    from splitjoin_cli.join.held_messages import WorkerTotals

DEFAULT_WORKERS = 4

EPILOG = """\
\b
Examples:
  splitjoin worker https://sqs.eu-west-1.amazonaws.com/123456789012/chunks \\
    --into mysql://me@db/sales --tracker dynamodb:jobs --on-join sns:arn:aws:sns:eu-west-1:123456789012:joined
  splitjoin worker "$QUEUE_URL" --into postgresql://me@db/sales --tracker dynamodb:jobs --idle-exit 5m -q

Messages are notifications of S3: direct, through SNS or through EventBridge. The worker deletes a message when its
chunk is loaded and counted, and keeps it hidden until then. A message that failed comes again, later each time, until
the queue's redrive policy moves it to the dead letters. Every minute the worker takes over joins whose owner died. Any
number of workers can run on one queue.

After SIGTERM or SIGINT the worker receives nothing more, finishes the messages in hand, and returns those that take
longer than --grace. After SIGKILL nothing is lost: its messages come again.

A database's password is read from SPLITJOIN_DB_PASSWORD, or with --secret from Secrets Manager; never from the URL.

Exit codes: 0 --idle-exit was reached, 1 failed (queue, tracker or database cannot be reached), 2 usage,
130 interrupted, 143 terminated.
"""


@click.command(epilog=EPILOG, short_help="Load and join chunks as their messages arrive in a queue.")
@click.argument("queue_url", metavar="QUEUE_URL")
@options.needed_into_option
@options.table_options
@options.tracker_option
@options.lease_option
@options.option(
    "--workers",
    type=Count(MAX_WORKERS),
    default=DEFAULT_WORKERS,
    show_default=True,
    help="How many messages to handle at the same time.",
)
@options.option(
    "--grace",
    type=Duration(),
    help="Time to finish the messages in hand after SIGTERM.  [default: 25s]",
)
@options.option("--idle-exit", type=Duration(), help="Exit with 0 after this long without a message.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, queue_url: str, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Load, count and join the chunks that the SQS queue QUEUE_URL announces, until it is stopped."""
    from splitjoin_cli.api.worker import Worker

    terminal = parsed.terminal(ctx, values)
    parsed.needed(values, "tracker", "tracker")
    parsed.needed(values, "into", "database")
    worker = Worker(queue_url, **parsed.passed(ctx, values))
    shown = _Shown(terminal)
    with log_lines(terminal):
        try:
            worker.run(shown.began)
        except StoppedError as exc:
            exc.hint = "what it held was finished or given back; the same command goes on"
            if not shown.queue:
                raise
            shown.ended(worker.totals, exc, worker.not_checked)
            return exc.exit_code
    shown.ended(worker.totals, None, worker.not_checked)
    return 0


class _Shown:
    """What is said of a worker's life, its log apart."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.queue = ""

    def began(self, queue_url: str, facts: QueueFacts) -> None:
        """It receives from now on."""
        self.queue = queue_url
        waiting = count_text(facts.messages, "message")
        self._terminal.note(f"working on {queue_url}, about {waiting} there")
        if facts.max_receives is None:
            self._terminal.note(
                "Warning: the queue has no dead-letter queue: a message that always fails comes again until it expires"
            )

    def ended(self, totals: WorkerTotals, error: StoppedError | None, not_checked: tuple[str, ...] | None) -> None:
        """It received all it ever will."""
        if self._terminal.as_json:
            document = {"queue": self.queue, **totals.to_json()}
            if not_checked is not None:
                document["not_checked"] = list(not_checked)
            self._terminal.document(document if error is None else document | {"error": error_document(error)})
            return
        self._terminal.data(
            f"{count_text(totals.received, 'message')}: {totals.acknowledged:,} acknowledged, "
            f"{totals.given_back:,} given back; {count_text(totals.loaded, 'chunk')} loaded, "
            f"{count_text(totals.joined, 'join')}"
        )
        if error is not None:
            self._terminal.error(error)
