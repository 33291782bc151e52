"""What a look at dead letters sees, how long it looks, and that it leaves everything where it was."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.cli.status_table import table
from splitjoin_cli.cli.status_text import report
from splitjoin_cli.core.aws.sqs import Message, QueueFacts
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.join.events import notification
from splitjoin_cli.join.operate.advice import advise
from splitjoin_cli.join.operate.dead_letters import MOST, DeadLetter, DeadLetters, peek
from splitjoin_cli.join.operate.status import job_status
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.join.operate.status import JobStatus

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/chunks"
DEAD = f"{QUEUE}-dead"


def message(name: str, body: str, receives: int = 4) -> Message:
    """One that lies there."""
    return Message(name, f"r-{name}", body, receives)


def chunk(number: int, file_name: str = "acme_1") -> str:
    """The notification of a chunk."""
    return json.dumps(notification("bucket", f"in/{file_name}-{number}-9.csv"))


@dataclass(slots=True)
class Shelf:
    """A queue that gives a few messages an answer, sometimes none, and remembers what is hidden."""

    messages: list[Message]
    empty_every: int = 0
    fails_after: int | None = None
    hidden: list[tuple[int, int]] = field(default_factory=list)
    asked: int = 0
    _next: int = 0

    @property
    def url(self) -> str:
        return DEAD

    def facts(self) -> QueueFacts:
        return QueueFacts(30, messages=len(self.messages))

    def receive(self, most: int, *, wait_seconds: int, visibility_seconds: int) -> Sequence[Message]:
        assert (most, wait_seconds, visibility_seconds) == (10, 1, 30)
        self.asked += 1
        if self.fails_after is not None and self.asked > self.fails_after:
            raise StoreError("away")
        if self.empty_every and self.asked % self.empty_every == 0:
            return []
        taken = self.messages[self._next : self._next + most]
        self._next += most
        return taken

    def hide(self, messages: Sequence[Message], seconds: int) -> list[Message]:
        self.hidden.append((len(messages), seconds))
        return []

    def delete(self, message: Message) -> None:
        raise AssertionError(message)


def test_all_are_seen_and_given_back() -> None:
    """By job and chunk; what names no chunk is counted; nothing is deleted, all is given back at once."""
    shelf = Shelf(
        [message("a", chunk(7)), message("b", chunk(2), 5), message("c", chunk(1, "beta_1")), message("d", "{")]
    )
    found = peek(shelf, 4, source=QUEUE)
    assert found == DeadLetters(
        DEAD,
        QUEUE,
        (
            DeadLetter("acme_1", 2, "s3://bucket/in/acme_1-2-9.csv", 5),
            DeadLetter("acme_1", 7, "s3://bucket/in/acme_1-7-9.csv", 4),
            DeadLetter("beta_1", 1, "s3://bucket/in/beta_1-1-9.csv", 4),
        ),
        others=1,
        more=0,
    )
    assert shelf.hidden == [(4, 0)]


def test_an_empty_answer_is_not_the_end() -> None:
    """SQS may have more."""
    shelf = Shelf([message(str(number), chunk(number % 9 + 1)) for number in range(35)], empty_every=2)
    assert len(peek(shelf, 35, source=None).letters) == 35


def test_it_looks_at_no_more_than_so_many() -> None:
    """And says how many are left."""
    shelf = Shelf([message(str(number), chunk(1)) for number in range(MOST + 250)])
    found = peek(shelf, MOST + 250, source=None)
    assert (len(found.letters), found.more) == (MOST, 250)


def test_what_was_taken_is_given_back_whatever_happens() -> None:
    """An error in the middle hides nothing for longer."""
    shelf = Shelf([message(str(number), chunk(1)) for number in range(30)], fails_after=2)
    with pytest.raises(StoreError):
        peek(shelf, 30, source=None)
    assert shelf.hidden == [(20, 0)]


@pytest.fixture
def status() -> JobStatus:
    """Nine chunks on S3, of which 1 and 2 are counted; 2 and 7 are dead letters."""
    tracker, run = MemoryTracker(), Run("acme_1", "r")
    tracker.open_job(JobSpec(run, 9, destination="s3://bucket/in/"))
    for number in (1, 2):
        tracker.mark_done(run, number, total_parts=9, rows=1)
    letters = tuple(DeadLetter("acme_1", number, f"s3://bucket/in/acme_1-{number}-9.csv", 4) for number in (2, 7))
    progress = tracker.progress("acme_1")
    job = job_status(progress, now=(progress.created_at or 0) + 3600, stuck_seconds=900)
    return replace(job, dead_letters=DeadLetters(DEAD, QUEUE, letters, others=1, more=20))


def test_the_report_names_them_and_what_to_type(status: JobStatus) -> None:
    """Those that are counted need nothing; the others are why, and go to the queue that was named."""
    assert status.given_up == (7,)
    lines = [line.text for line in report(replace(status, advice=advise(status, "dynamodb:jobs")))]
    assert "dead letter chunk 7, received 4 times: s3://bucket/in/acme_1-7-9.csv" in lines
    assert f"{'':12}1 message there names no chunk; about 20 more were not looked at" in lines
    assert "why         the queue gave chunk 7 up; mend what failed, then send what is missing through again" in lines
    assert lines[-1] == f"next        splitjoin retry acme_1 --tracker dynamodb:jobs --to sqs:{QUEUE}"
    assert status.to_json()["dead_letters"] == [
        {"number": 2, "uri": "s3://bucket/in/acme_1-2-9.csv", "receives": 4},
        {"number": 7, "uri": "s3://bucket/in/acme_1-7-9.csv", "receives": 4},
    ]


def test_a_dead_letter_queue_by_its_own_url(status: JobStatus) -> None:
    """Where the chunks are to go is then not known."""
    assert status.dead_letters is not None
    job = replace(status, dead_letters=replace(status.dead_letters, source=None))
    (step,) = advise(job, "dynamodb:jobs").steps
    assert step.text == "splitjoin retry acme_1 --tracker dynamodb:jobs --to sqs:QUEUE_URL"


def test_none_of_this_job(status: JobStatus) -> None:
    """It is said; where no queue was named nothing is, and the document has null."""
    none = replace(status, dead_letters=DeadLetters(DEAD, QUEUE, ()))
    assert f"dead letter none of this job in {DEAD}" in {line.text for line in report(none)}
    assert none.to_json()["dead_letters"] == []
    unasked = replace(status, dead_letters=None)
    assert "dead letter" not in "".join(line.text for line in report(unasked))
    assert unasked.to_json()["dead_letters"] is None


def test_the_list_counts_them(status: JobStatus) -> None:
    """In a column that is there where a queue was named."""
    head, line = [line.text for line in table([status])]
    assert (head.split()[-2:], line.split()[-1]) == (["dead", "letters"], "2")
    assert "dead" not in "".join(line.text for line in table([replace(status, dead_letters=None)]))
