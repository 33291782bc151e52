"""Units handed out, sent again and given up: by a clock that a test turns, and engines that answer as it says."""

from __future__ import annotations

import gc
import heapq
import itertools
from collections import deque
from concurrent.futures import Future
from queue import Empty
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import EngineError, NameTakenError, StoreError
from splitjoin_cli.core.model import ByteRange, Dialect
from splitjoin_cli.splitting.engines import dispatch
from splitjoin_cli.splitting.engines.base import Failed, Scanned, ScanUnit
from splitjoin_cli.splitting.engines.dispatch import (
    TRIES,
    Dispatcher,
    Work,
    deadline_seconds,
    error_of,
    pause_seconds,
)
from splitjoin_cli.splitting.engines.not_now import NotNowError
from splitjoin_cli.splitting.engines.pace import Pace
from splitjoin_cli.splitting.engines.specs import Reach, SourceSpec
from splitjoin_cli.splitting.engines.wire import answer_text, release
from splitjoin_cli.splitting.engines.words import CLUSTER, FUNCTION
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.survey import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.splitting.engines.base import Answer

NOTHING = Scanned(None, 0, Found(), Found(), -1, (Found(), Found(), Found()))
TROUBLE = Failed("StoreError", "the store is away", None, fatal=False, again=True)


class Scripted:
    """An engine that answers a unit as its script says; without a word it says nothing for ever."""

    name, words = "scripted", CLUSTER
    in_flight, lost_work = 3, False

    def __init__(self, script: Callable[[str, int], object]) -> None:
        self.script, self.sent, self.cancelled, self.most = script, list[str](), 0, 0

    def submit(self, unit: str) -> Future[str]:
        future: Future[str] = Future()
        self.sent.append(unit)
        said = self.script(unit, self.sent.count(unit))
        if isinstance(said, Exception):
            future.set_exception(said)
        elif isinstance(said, str):
            future.set_result(said)
        elif said is not None:
            future.set_result(answer_text(said, unit))  # type: ignore[arg-type]  # an answer
        return future

    def cancel(self, _future: Future[str]) -> None:
        self.cancelled += 1

    def close(self) -> None:
        pass


class Clock:
    """Each look at it is a quarter of an hour after the one before: what does not answer at once is overdue."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 900
        return self.now


class Turning:
    """A Pace whose clock goes on when something is waited for, and an engine whose answers take as long as is said.

    ``takes``: seconds, by the unit and which time it is sent; None: it is never answered.
    """

    name, words = "turning", CLUSTER
    in_flight, lost_work = 3, False

    def __init__(self, takes: Callable[[str, int], float | None]) -> None:
        self.takes, self.now, self.sent = takes, 0.0, list[tuple[float, str]]()
        self.coming, self.came = list[tuple[float, int, Future[str], str]](), deque[object]()
        self.pace = Pace(now=lambda: self.now, inbox=lambda: self)

    def submit(self, unit: str) -> Future[str]:
        future: Future[str] = Future()
        self.sent.append((self.now, unit))
        seconds = self.takes(unit, sum(unit == one for _, one in self.sent))
        if seconds is not None:
            heapq.heappush(self.coming, (self.now + seconds, len(self.sent), future, unit))
        return future

    def put(self, item: object) -> None:
        self.came.append(item)

    def get(self, *, timeout: float) -> object:
        until = self.now + timeout
        while not self.came and self.coming and self.coming[0][0] <= until:
            self.now, _, future, unit = heapq.heappop(self.coming)
            future.set_result(answer_text(NOTHING, unit))
        if self.came:
            return self.came.popleft()
        self.now = until
        raise Empty

    def cancel(self, _future: Future[str]) -> None:
        pass

    def close(self) -> None:
        pass


def works(count: int, done: Callable[[Answer], Work | None]) -> Iterator[Work]:
    """Work for so many chunks."""
    source = SourceSpec("s3://bucket/a.csv", '"1"', 100, Reach())
    for number in range(1, count + 1):
        alphabet = Alphabet.of(Dialect())
        unit = ScanUnit(release(), source, number, ByteRange(0, 9), alphabet, 1, False, b"", None, None)  # noqa: FBT003
        yield Work(unit, done)


def outcome(engine: Scripted, count: int = 1, clock: Callable[[], float] | None = None) -> list[Answer]:
    """What each of so many chunks ends with."""
    answers: list[Answer] = []
    Dispatcher(engine, pace=Pace(now=clock or (lambda: 0.0))).run(works(count, answers.append))
    return answers


def test_no_more_units_are_under_way_than_the_engine_wants() -> None:
    """And a generator of work is asked only when there is room."""
    asked, most = 0, 0

    def coming() -> Iterator[Work]:
        nonlocal asked, most
        for work in works(50, lambda _: taken.append(1)):
            asked += 1
            most = max(most, asked - len(taken))
            yield work

    taken: list[int] = []
    Dispatcher(Scripted(lambda _, __: NOTHING)).run(coming())
    assert (len(taken), most) == (50, 3)


@pytest.mark.parametrize("trouble", [TROUBLE, RuntimeError("the worker died"), "no answer", ""], ids=repr)
def test_trouble_is_tried_again(trouble: object) -> None:
    """Whatever it was, until it ends."""
    engine = Scripted(lambda _, times: trouble if times < TRIES else NOTHING)
    assert outcome(engine) == [NOTHING]
    assert len(engine.sent) == TRIES


def test_trouble_without_end_fails_the_unit_with_its_last_word() -> None:
    """After four tries; a Failed of the worker's is the answer itself."""
    assert outcome(Scripted(lambda _, __: TROUBLE)) == [TROUBLE]
    [found] = outcome(Scripted(lambda _, __: RuntimeError("the worker died")))
    said = "scripted: cannot scan chunk 1: sent 4 times; the last one: RuntimeError: the worker died"
    assert found == Failed("EngineError", said, "see the workers' logs", fatal=False, again=False)


def test_what_cannot_help_is_not_tried_again() -> None:
    """A source that changed is the same on every worker."""
    changed = Failed("SourceChangedError", "it changed", None, fatal=True, again=False)
    engine = Scripted(lambda _, __: changed)
    assert outcome(engine) == [changed]
    assert len(engine.sent) == 1


def test_a_unit_that_is_overdue_is_sent_beside_the_first() -> None:
    """The answer to the second is taken, and the first is nobody's any more."""
    engine = Scripted(lambda _, times: NOTHING if times == 2 else None)
    dispatcher, answers = Dispatcher(engine, pace=Pace(now=Clock())), list[object]()
    dispatcher.run(works(1, answers.append))
    assert answers == [NOTHING]
    assert (len(engine.sent), engine.cancelled, dispatcher.abandoned) == (2, 1, True)


def test_a_unit_that_many_others_overtook_is_sent_beside_itself() -> None:
    """It is lost, most likely, and its deadline is far; the last try is left to the deadline."""
    silent = Scripted(lambda unit, times: None if '"number":2,' in unit and times == 1 else NOTHING)
    assert outcome(silent, 100) == [NOTHING] * 100
    assert len(silent.sent) == 101
    place = next(place for place, unit in enumerate(silent.sent) if silent.sent.index(unit) < place)
    assert '"number":2,' in silent.sent[place]
    assert dispatch.OVERTAKEN * 3 < place < (dispatch.OVERTAKEN + 2) * 3
    answers: list[Answer] = []
    deaf = Scripted(lambda unit, _: None if '"number":2,' in unit else NOTHING)
    clock = Clock()
    Dispatcher(deaf, pace=Pace(now=lambda: clock() if len(answers) == 99 else 0.0)).run(works(100, answers.append))
    assert [isinstance(answer, Failed) for answer in answers].count(True) == 1
    assert len(deaf.sent) == 99 + TRIES


def test_the_last_unit_has_a_backup_long_before_its_deadline() -> None:
    """When it takes three times what its slowest peer took; one alone, and no more for those that came in time."""
    lost = Turning(lambda unit, times: None if '"number":8,' in unit and times == 1 else 4.0 if times == 1 else 1.0)
    answers: list[Answer] = []
    Dispatcher(lost, pace=lost.pace).run(works(8, answers.append))
    assert answers == [NOTHING] * 8
    assert len(lost.sent) == 9
    sent, unit = lost.sent[-1]
    assert '"number":8,' in unit
    assert 8 + 3 * 4 < sent <= 8 + 3 * 4 + 2 * dispatch.CHECK_SECONDS
    assert lost.now == sent + 1
    slow = Turning(lambda unit, _: 11.0 if '"number":8,' in unit else 4.0)
    Dispatcher(slow, pace=slow.pace).run(works(8, answers.append))
    assert len(slow.sent) == 8


def test_a_backup_waits_some_seconds_and_has_one_of_the_tries() -> None:
    """Peers of a moment say little. The backup has one, too; the last try, and a unit alone, wait for the deadline."""
    deaf = Turning(lambda unit, times: None if '"number":8,' in unit and times < TRIES else 0.01)
    Dispatcher(deaf, pace=deaf.pace).run(works(8, lambda _: None))
    times = [sent for sent, unit in deaf.sent if '"number":8,' in unit]
    *waits, last = (later - sooner for sooner, later in itertools.pairwise(times))
    assert len(waits) == 2
    assert all(dispatch.BACKUP_SECONDS < wait <= dispatch.BACKUP_SECONDS + 2 * dispatch.CHECK_SECONDS for wait in waits)
    assert round(last) == round(deadline_seconds(9))
    alone = Turning(lambda _, times: None if times == 1 else 0.01)
    Dispatcher(alone, pace=alone.pace).run(works(1, lambda _: None))
    assert round(alone.now) == round(deadline_seconds(9))


def test_a_unit_is_compared_with_peers_of_its_weight() -> None:
    """A small one beside large ones has their time; a large one the time that its bytes take at the largest's pace."""
    dispatcher = Dispatcher(Scripted(lambda _, __: NOTHING))
    dispatcher._peers.extend([(10, 2.0), (900, 50.0), (1000, 30.0)])
    expected = {1: 50.0, 1000: 50.0 * 1000 / 900, 4000: 120.0}
    assert {weight: dispatcher._slowest(weight) for weight in expected} == expected


def test_what_was_answered_is_forgotten_before_it_was_due() -> None:
    """With a deadline of minutes, and a thousand units a second, that is where memory would go."""
    counts: list[int] = []

    def done(_: Answer) -> None:
        if len(counts) % 500 == 0:
            gc.collect()
        counts.append(sum(type(one) is Work for one in gc.get_objects()) if len(counts) % 500 == 0 else 0)

    Dispatcher(Scripted(lambda _, __: NOTHING)).run(works(1501, done))
    assert max(counts) < 3 * dispatch.LEAST_DUE


def test_silence_without_end_fails_the_unit() -> None:
    """After as many tries, each with its own deadline."""
    engine = Scripted(lambda _, __: None)
    [found] = outcome(engine, clock=Clock())
    assert isinstance(found, Failed)
    assert found.message == "scripted: no worker answered to scan chunk 1, sent 4 times"
    assert engine.cancelled == TRIES


def test_an_engine_has_words_of_its_own() -> None:
    """A function of Lambda is no cluster, and has no workers that its user could look at."""
    texts = list[str]()
    for script in (lambda _, __: None, lambda _, __: RuntimeError("502"), lambda unit, _: other_release(unit)):
        engine = Scripted(script)
        engine.words = FUNCTION
        try:
            [found] = outcome(engine, clock=Clock())
            assert isinstance(found, Failed)
            texts += [found.message, str(found.hint)]
        except EngineError as exc:
            texts += [exc.message, str(exc.hint)]
    assert texts[::2] == [
        "scripted: the function did not answer to scan chunk 1, sent 4 times",
        "scripted: cannot scan chunk 1: sent 4 times; the last one: RuntimeError: 502",
        f"the function has splitjoin 9.9.9, and this command is splitjoin {release()}",
    ]
    assert not any("worker" in text or "cluster" in text for text in texts)


def test_a_unit_that_is_refused_waits_and_is_sent_any_number_of_times() -> None:
    """Nothing was run: a refusal is no try."""
    engine = Scripted(lambda _, times: NotNowError("Rate Exceeded") if times <= 5 * TRIES else NOTHING)
    dispatcher, answers = Dispatcher(engine, pace=Pace(now=Clock())), list[object]()
    dispatcher.run(works(2, answers.append))
    assert answers == [NOTHING, NOTHING]
    assert (len(engine.sent), dispatcher.abandoned) == (2 * (5 * TRIES + 1), False)


def test_a_refused_unit_that_may_have_run_is_tried_as_often_as_others() -> None:
    """After a while each time; and it may still run."""
    engine = Scripted(lambda _, __: NotNowError("502", may_have_run=True))
    dispatcher, answers = Dispatcher(engine, pace=Pace(now=Clock())), list[object]()
    dispatcher.run(works(1, answers.append))
    [found] = answers
    assert isinstance(found, Failed)
    assert found.message == "scripted: cannot scan chunk 1: sent 4 times; the last one: 502"
    assert (len(engine.sent), dispatcher.abandoned) == (TRIES, True)


def test_pauses_grow_and_are_not_all_the_same() -> None:
    """To 20 seconds; none is shorter than half of the longest."""
    assert [pause_seconds(times, 0) for times in (1, 2, 3, 6, 7, 10_000)] == [0.5, 1, 2, 16, 20, 20]
    assert pause_seconds(1, 1) == 0.25


def test_an_engine_that_is_gone_is_noticed_when_no_unit_is_left_to_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked while the last ones are waited for."""
    monkeypatch.setattr(dispatch, "CHECK_SECONDS", 0.01)

    class Leaves(Scripted):
        @property
        def in_flight(self) -> int:  # type: ignore[override]  # of a class attribute
            if self.sent:
                raise EngineError("the engine is gone")
            return 3

    with pytest.raises(EngineError, match="the engine is gone"):
        outcome(Leaves(lambda _, __: None))


def test_a_deadline_grows_with_the_range() -> None:
    """128 MiB take six minutes at most, before they are sent again."""
    assert (deadline_seconds(0), round(deadline_seconds(128 * 1024 * 1024))) == (120.0, 388)


def test_a_lost_engine_ends_all_and_takes_back_the_others() -> None:
    """Nothing more is sent to it."""
    engine = Scripted(lambda _, __: EngineError("the scheduler is gone") if len(engine.sent) == 3 else None)
    with pytest.raises(EngineError, match="the scheduler is gone"):
        outcome(engine, 10)
    assert (len(engine.sent), engine.cancelled) == (3, 2)


def test_what_an_answer_raises_ends_all() -> None:
    """As for a fatal error."""

    def done(_: Answer) -> None:
        raise NameTakenError("another split has the name")

    engine = Scripted(lambda _, __: NOTHING if len(engine.sent) == 2 else None)
    dispatcher = Dispatcher(engine)
    with pytest.raises(NameTakenError):
        dispatcher.run(works(10, done))
    assert (len(engine.sent), dispatcher.abandoned) == (3, True)


def test_what_is_asked_meanwhile_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that reaches another thread, while units run."""

    def check() -> None:
        raise StoreError("stopped")

    monkeypatch.setattr(dispatch, "CHECK_SECONDS", 0.01)
    with pytest.raises(StoreError, match="stopped"):
        Dispatcher(Scripted(lambda _, __: None), check=check).run(works(1, lambda _: None))


def other_release(unit: str) -> str:
    """An answer of another release."""
    return answer_text(NOTHING, unit).replace(f'"version":"{release()}"', '"version":"9.9.9"')


def test_another_release_ends_all() -> None:
    """Its answers mean something else."""
    with pytest.raises(EngineError) as error:
        outcome(Scripted(lambda unit, _: other_release(unit)))
    assert error.value.message == f"a worker has splitjoin 9.9.9, and this command is splitjoin {release()}"
    assert error.value.hint == "install the same splitjoin, on the same Python, on all workers"


def test_an_answer_may_ask_for_more() -> None:
    """Which comes before what has not begun."""
    order: list[int] = []

    def done(number: int) -> Work | None:
        order.append(number)
        return next(works(1, lambda _: order.append(100))) if number == 0 else None

    def coming() -> Iterator[Work]:
        for number, work in enumerate(works(9, lambda _: None)):
            work.done = lambda _, number=number: done(number)  # type: ignore[misc]
            yield work

    Dispatcher(Scripted(lambda _, __: NOTHING)).run(coming())
    assert sorted(order) == [*range(9), 100]
    assert order.index(100) < order.index(8)


@pytest.mark.parametrize("code", ["AccessError", "NoneSuch", "StoppedError", "annotations", "SourceChangedError"])
def test_a_workers_error_is_raised_as_what_it_is(code: str) -> None:
    """Message and hint stay; what is no error of ours becomes a StoreError."""
    error = error_of(Failed(code, "denied", "ask", fatal=False, again=False))
    known = {"AccessError", "SourceChangedError"}
    assert type(error).__name__ == (code if code in known else "StoreError")
    assert (error.message, error.hint) == ("denied", "ask")
