"""The commands that an operator types next, with the job's own names filled in.

Words in capitals are for the user to fill in.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from splitjoin_cli.core.names import parse_file_name
from splitjoin_cli.core.places import is_s3
from splitjoin_cli.join.operate.reasons import Step

if TYPE_CHECKING:
    from splitjoin_cli.join.operate.status import JobStatus

__all__ = ["Commands", "command"]


def command(*words: str) -> Step:
    """``splitjoin`` and its words, quoted as a shell takes them."""
    return Step(shlex.join(["splitjoin", *words]))


class Commands:
    """The commands of one job, with its names filled in."""

    def __init__(self, status: JobStatus, tracker_uri: str, dest: str | None) -> None:
        """``dest``: what the job was compared with; else where the tracker says that its chunks are."""
        progress = status.progress
        self._progress, self._at = progress, int(status.at)
        self._tracker = ("--tracker", tracker_uri)
        self._queue = None if status.dead_letters is None else status.dead_letters.source
        self.never_uploaded = status.never_uploaded
        self.place = dest or progress.destination
        self.here = self.place is not None and not is_s3(self.place)

    def status(self, *more: str) -> Step:
        """Look again."""
        return command("status", self._progress.file_name, *self._tracker, *more)

    def split(self, *, force: bool) -> Step:
        """Split the source again; ``force``: as another run, or over objects of another."""
        job = parse_file_name(self._progress.file_name)
        named = [] if job is None else [f"--client={job.client}", f"--date={job.date}"]
        forced = ["--force"] if force else []
        return command("split", *forced, *named, *self._tracker, "SOURCE", self.place or "DEST")

    def simulate(self, *more: str, tracked: bool = True) -> Step:
        """Load what is in a directory, here. Not ``tracked``: with a tracker of its own, which no earlier one was."""
        tracker = self._tracker if tracked else ("--tracker", f"sqlite:{self._progress.file_name}.repair-{self._at}.db")
        return command("simulate", self.place or "DEST", "--name", self._progress.file_name, *tracker, *more)

    def load_again(self, numbers: str | None) -> Step:
        """Send chunks through again: those that are missing, or of ``numbers`` those that are counted too."""
        if self.here:
            return self.simulate("--into", "DATABASE_URL")
        progress = self._progress
        chosen = [] if numbers is None else ["--chunks", numbers.replace(" ", ""), "--counted"]
        known = (
            [] if self.place is not None and self.place == progress.destination else ["--dest", self.place or "DEST"]
        )
        to = f"sqs:{self._queue or 'QUEUE_URL'}"
        return command("retry", progress.file_name, *self._tracker, *chosen, *known, "--to", to)

    def join_again(self, *, swept: bool) -> Step:
        """Reopened, a failed join is taken by the workers' sweep; one that no worker finishes has no sweep."""
        here = [] if swept else ["--into", "DATABASE_URL", "--on-join", "JOIN_URL"]
        return command("retry", self._progress.file_name, *self._tracker, "--join", *here)

    def clear(self, run: str | None) -> Step:
        """Take a run out of the database: another one, or the tracker's own."""
        ours = run or self._progress.run_id
        named = [] if ours is None else ["--run", ours]
        return command("clear", self._progress.file_name, "--into", "DATABASE_URL", *self._tracker, *named)

    def replace(self, number: int) -> Step:
        """Store a mended chunk, and send a queue its event; from a directory it is loaded by another command."""
        to = [] if self.here else ["--to", f"sqs:{self._queue or 'QUEUE_URL'}"]
        known = (
            []
            if self.place is not None and self.place == self._progress.destination
            else ["--dest", self.place or "DEST"]
        )
        into = ("--into", "DATABASE_URL")
        return command(
            "replace", self._progress.file_name, "--chunk", str(number), "FILE", *self._tracker, *known, *into, *to
        )
