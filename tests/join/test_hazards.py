"""The twelve hazards of the published pattern, each met by real splits, the real worker, SQLite and DynamoDB."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.api.one_split import run_split
from splitjoin_cli.core import names
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.errors import BadInputError, NameTakenError, PartialError, StoreError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.places import DirectoryPlace
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.join.continuation import MemoryContinuation
from splitjoin_cli.join.events import ChunkArrived, notification, read_lambda_event
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.sweep import sweep
from splitjoin_cli.join.worker import ChunkWorker, Handled
from splitjoin_cli.splitting.request import RowCount, SplitRequest
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.trackers.answers import Refused
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.join.rig import LEASE_SECONDS, Time
from tests.stores.trackers.faults import LosesResponses, Refuses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.stores.sinks.base import StagedObject
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Job, Run
    from tests.servers.dynamodb import DynamoDbServer

FILE_NAME = "acme_20240131"


class DiesError(BaseException):
    """The process is gone: no handler sees it."""


class DiesBefore:
    """A tracker, or any part of a worker, whose process dies before one method is called for the first time."""

    def __init__(self, target: object, method: str) -> None:
        self._target = target
        self._method = method
        self._died = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the target has
        if name == self._method and not self._died:
            self._died = True

            def die(*_args: object, **_options: object) -> object:
                raise DiesError

            return die
        return getattr(self._target, name)


@dataclass(slots=True)
class Flow:
    """Both flows in one directory. ``published``: files copied by something that makes no manifest."""

    place: Path
    tracker: Tracker
    clock: Time
    database: SqliteLoader = field(init=False)
    continuation: MemoryContinuation = field(default_factory=MemoryContinuation)
    chunks: Chunks = field(default_factory=Chunks)

    def __post_init__(self) -> None:
        target = LoadTarget("acme", create_table=True, run_column="run")
        self.database = SqliteLoader(str(self.place / "load.db"), target)

    @property
    def out(self) -> Path:
        return self.place / "out"

    def split(self, text: str, *, rows: int = 2, client: str = "acme", **options: Any) -> SplitResult:  # noqa: ANN401
        source = self.place / "source.csv"
        source.write_text(text, newline="")
        request = SplitRequest(
            source=str(source),
            destination=DirectoryPlace(str(self.out)),
            client=client,
            date="20240131",
            size=RowCount(rows),
            **options,
        )
        return run_split(request, Silent(), tracker=self.tracker)

    def uris(self) -> list[str]:
        return sorted(str(path) for path in self.out.iterdir() if names.parse(path.name) is not None)

    def handle(self, uri: str, *, tracker: Any = None, loader: Any = None) -> Handled:  # noqa: ANN401 -- one that dies
        worker = ChunkWorker(
            chunks=self.chunks,
            loader=loader or self.database,
            tracker=tracker or self.tracker,
            joiner=self.joiner(tracker),
            sweep_runs=True,
        )
        return worker.handle(ChunkArrived.at(uri))

    def joiner(self, tracker: Any = None) -> Joiner:  # noqa: ANN401 -- one that dies
        return Joiner(
            tracker=tracker or self.tracker,
            loader=self.database,
            continuation=self.continuation,
            owner="w1",
            lease_seconds=LEASE_SECONDS,
        )

    def sweep(self) -> tuple[str, ...]:
        report = sweep(tracker=self.tracker, loader=self.database, joiner=self.joiner(), clock=self.clock)
        assert report.errors == ()
        return report.joined

    def table(self) -> list[str]:
        with closing(sqlite3.connect(self.place / "load.db")) as db:
            return [str(row[0]) for row in db.execute("SELECT id FROM acme ORDER BY CAST(id AS INTEGER), id")]

    def head(self, file_name: str = FILE_NAME) -> Job:
        job = self.tracker.job(file_name)
        assert job is not None
        return job


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    """Embedded: an SQLite file for the tracker and one for the rows."""
    clock = Time()
    tracker = SqliteTracker(tmp_path / "tracker.db", clock=clock)
    made = Flow(tmp_path, tracker, clock)
    yield made
    made.database.close()
    tracker.close()


def export(rows: int) -> str:
    """A file of so many records."""
    return "id,name\n" + "".join(f"{number},n\n" for number in range(1, rows + 1))


def numbers(rows: int) -> list[str]:
    """The first column of it."""
    return [str(number) for number in range(1, rows + 1)]


def test_h1_a_duplicate_event_is_neither_an_early_join_nor_none(flow: Flow) -> None:
    """Every event twice, the last chunk's late: the join waits for it, and comes once."""
    flow.split(export(6))
    first, second, third = flow.uris()
    for uri in (first, first, second, second, first):
        assert flow.handle(uri).end == "counted"
    assert flow.continuation.runs == []
    assert [flow.handle(uri).joined for uri in (third, third, first)] == [True, False, False]
    assert (len(flow.continuation.runs), flow.table()) == (1, numbers(6))


def test_h2_a_crash_between_load_and_count_loads_nothing_twice(flow: Flow) -> None:
    """The redelivery finds the ledger's row, skips the load, and counts."""
    flow.split(export(4))
    first, second = flow.uris()
    with pytest.raises(DiesError):
        flow.handle(first, tracker=DiesBefore(flow.tracker, "mark_done"))
    again = flow.handle(first)
    assert (again.loaded, again.counted, again.end) == (False, True, "counted")
    assert flow.handle(second).joined
    assert flow.table() == numbers(4)


@pytest.mark.parametrize("step", ["claim_join", "finish_join"])
def test_h3_a_crash_after_the_last_count_loses_no_join(flow: Flow, step: str) -> None:
    """The event was not acknowledged: its redelivery joins; and so does a sweep, if it is never delivered again."""
    for client, repair in (("acme", "event"), ("zeta", "sweep")):
        flow.split(export(2), client=client)
        (uri,) = [uri for uri in flow.uris() if Path(uri).name.startswith(client)]
        with pytest.raises(DiesError):
            flow.handle(uri, tracker=DiesBefore(flow.tracker, step))
        flow.clock.now += LEASE_SECONDS + 1
        if repair == "event":
            assert flow.handle(uri).joined
        else:
            assert flow.sweep() == ("zeta_20240131",)
    assert len({payload.run_id for payload in flow.continuation.runs}) == 2
    assert len(flow.continuation.effects) == 2


def test_h4_a_lost_response_counts_once(
    tmp_path: Path, dynalite_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server applied it, and the SDK asks again: every other answer of the counter is lost here."""
    dynalite_server.use(monkeypatch)
    client = dynalite_server.client()
    flow = on_dynamodb(tmp_path, client)
    flow.split(export(6))
    lost = LosesResponses(client, "UpdateItem")
    outcomes = [flow.handle(uri) for uri in flow.uris()]
    assert lost.lost >= 3
    assert [(each.end, each.acknowledge) for each in outcomes] == [
        ("counted", True),
        ("counted", True),
        ("joined", True),
    ]
    assert (flow.head().processed_parts, len(flow.continuation.effects), flow.table()) == (3, 1, numbers(6))
    flow.database.close()


def on_dynamodb(place: Path, client: Any) -> Flow:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
    """The flow with its tracker on a real server, patient within milliseconds."""
    retry = Retry(attempts=8, first_delay_seconds=0.001, longest_delay_seconds=0.01)
    clock = Time()
    tracker = DynamoDbTracker(f"jobs-{uuid.uuid4().hex[:8]}", client=client, clock=clock, retry=retry)
    tracker.init()
    return Flow(place, tracker, clock)


def test_h5_the_same_name_split_again_is_refused_or_a_new_generation(flow: Flow) -> None:
    """Another chunk size is another run: without --force the name is taken, with it the rows are replaced."""
    flow.split(export(6))
    old = flow.uris()
    flow.handle(old[0])
    with pytest.raises(NameTakenError):
        flow.split(export(6), rows=3)
    late = {uri: Path(uri).read_bytes() for uri in old}
    flow.split(export(6), rows=3, force=True)
    assert (flow.head().generation, flow.head().total_parts, flow.head().processed_parts) == (2, 2, 0)
    assert len(flow.uris()) == 2
    replaced = flow.handle(old[1])  # its event was on the way; its object is gone
    assert (replaced.end, replaced.acknowledge, len(late)) == ("replaced", True, 3)
    assert [flow.handle(uri).joined for uri in flow.uris()] == [False, True]
    assert (flow.table(), [payload.total_parts for payload in flow.continuation.runs]) == (numbers(6), [2])


def test_h6_the_same_file_delivered_again_after_the_join_changes_nothing(flow: Flow) -> None:
    """Split again and sent again: it is the same run, and it is joined."""
    flow.split(export(4))
    for uri in flow.uris():
        flow.handle(uri)
    again = flow.split(export(4))
    assert again.progress.count(ChunkState.UPLOADED) == 0
    for uri in flow.uris():
        outcome = flow.handle(uri)
        assert (outcome.end, outcome.acknowledge, outcome.counted) == ("joined", True, False)
    assert (flow.head().processed_parts, len(flow.continuation.runs), flow.table()) == (2, 1, numbers(4))


def test_h7_the_total_is_known_before_the_first_chunk_is_there(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim with the whole plan, and the tracker's job, come before any name that holds the total."""
    seen: list[tuple[int, bool]] = []
    publish = DirectorySink.publish

    def noticed(sink: DirectorySink, staged: StagedObject, name: str, **options: Any) -> StoredObject:  # noqa: ANN401 -- the sink's
        if names.parse(name) is not None:
            seen.append((flow.head().total_parts, (flow.out / names.plan_name(FILE_NAME)).exists()))
        return publish(sink, staged, name, **options)

    monkeypatch.setattr(DirectorySink, "publish", noticed)
    flow.split(export(5))
    assert seen == [(3, True)] * 3


def test_h8_a_header_alone_is_one_chunk_of_no_rows_that_joins(flow: Flow) -> None:
    """And an empty file is bad input, before anything is stored or opened."""
    with pytest.raises(BadInputError):
        flow.split("")
    assert (flow.uris() if flow.out.exists() else [], flow.tracker.job(FILE_NAME)) == ([], None)
    flow.split("id,name\n")
    (uri,) = flow.uris()
    outcome = flow.handle(uri)
    assert (outcome.rows, outcome.joined, flow.table()) == (0, True, [])
    assert [(payload.total_parts, payload.rows) for payload in flow.continuation.runs] == [(1, 0)]


@pytest.mark.parametrize(
    "client", ["a_b-c", "_-_", "Zoë Söhne".replace(" ", "."), "日本-語_2", "x-1-2", "a.csv-1-1.csv_b"]
)
def test_h9_any_client_is_told_from_its_date_and_numbers(flow: Flow, client: str) -> None:
    """Names are parsed from the right, and an event's key is decoded once, whatever its prefix holds."""
    flow.split(export(4), client=client)
    job = f"{names.JobName(client, '20240131').file_name}"
    for uri in flow.uris():
        key = f"in +%2B ü/{Path(uri).name}"
        (delivery,) = read_lambda_event(notification("bucket", key)).deliveries
        (arrived,) = delivery.arrivals
        assert arrived.uri == f"s3://bucket/{key}"
        assert (arrived.name.file_name, arrived.name.total) == (job, 2)
        assert flow.handle(uri).acknowledge
    assert [payload.file_name for payload in flow.continuation.runs] == [job]


def test_h10_a_split_that_was_interrupted_is_seen_and_resumed(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named, the job is flagged as stuck, nothing joins; the same split again brings the rest."""
    publish = DirectorySink.publish

    def full_disk(sink: DirectorySink, staged: StagedObject, name: str, **options: Any) -> StoredObject:  # noqa: ANN401 -- the sink's
        if name.startswith(f"{FILE_NAME}-2-"):
            raise StoreError("no space left")
        return publish(sink, staged, name, **options)

    with monkeypatch.context() as patched:
        patched.setattr(DirectorySink, "publish", full_disk)
        interrupted(flow)
    for uri in flow.uris():
        flow.handle(uri)
    flow.clock.now += 10_000
    report = sweep(tracker=flow.tracker, loader=flow.database, joiner=flow.joiner(), clock=flow.clock)
    assert (report.joined, report.stuck) == ((), (FILE_NAME,))
    missing = flow.tracker.progress(FILE_NAME).missing
    assert missing is not None
    assert 2 in missing
    flow.split(export(6))
    ends = [flow.handle(uri) for uri in flow.uris()]
    assert [each.joined for each in ends].count(True) == 1
    assert (flow.table(), len(flow.continuation.runs)) == (numbers(6), 1)


def interrupted(flow: Flow) -> None:
    """A split of six rows into three chunks that does not come to its end."""
    try:
        result = flow.split(export(6))
    except (PartialError, StoreError):
        return
    assert result.progress.count(ChunkState.FAILED)


def test_h11_a_lease_that_ran_out_while_its_owner_works_makes_one_join(flow: Flow) -> None:
    """Two owners send the same payload under the same key; the older one's failure does not count any more."""
    flow.split(export(2))
    (uri,) = flow.uris()
    with pytest.raises(DiesError):
        flow.handle(uri, tracker=DiesBefore(flow.tracker, "finish_join"))  # it only seems to be dead
    run = flow.head().run
    assert run is not None
    old = replace(claim_of(flow, run))
    flow.clock.now += LEASE_SECONDS + 1
    assert flow.handle(uri).joined
    assert flow.tracker.renew_join(old, lease_seconds=LEASE_SECONDS) is None
    assert not flow.tracker.fail_join(old, error="late", backoff_seconds=1)
    assert flow.tracker.finish_join(run)
    first, second = flow.continuation.runs
    assert (first, len(flow.continuation.effects), flow.head().join.state) == (second, 1, "joined")


def claim_of(flow: Flow, run: Run) -> Any:  # noqa: ANN401 -- a Claim
    """The claim that stands, as its owner holds it."""
    from splitjoin_cli.stores.trackers import rules  # noqa: PLC0415 -- for this alone

    refused = flow.tracker.claim_join(run, owner="w2", lease_seconds=LEASE_SECONDS)
    assert isinstance(refused, Refused)
    return rules.claim_of(flow.head(), run)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ProvisionedThroughputExceededException"), (400, "TransactionConflictException")]
)
def test_h12_throttling_is_patience_and_no_answer(
    status: int, code: str, tmp_path: Path, dynalite_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A throttled count is asked again; when patience ends the event comes again: it is never taken for a duplicate."""
    dynalite_server.use(monkeypatch)
    client = dynalite_server.client()
    flow = on_dynamodb(tmp_path, client)
    flow.split(export(4))
    first, second = flow.uris()
    Refuses(client, "UpdateItem", status=status, code=code, times=5)
    assert (flow.handle(first).end, flow.head().processed_parts) == ("counted", 1)
    patience = Refuses(client, "UpdateItem", status=status, code=code, times=10_000)
    outcome = flow.handle(second)
    assert (outcome.end, outcome.acknowledge, patience.requests > 8) == ("failed", False, True)
    flow.database.close()
    with_new_client = replace_client(flow, dynalite_server)
    assert with_new_client.handle(second).joined
    assert (with_new_client.head().processed_parts, with_new_client.table()) == (2, numbers(4))
    with_new_client.database.close()


def replace_client(flow: Flow, server: DynamoDbServer) -> Flow:
    """The same table and database, nothing refused any more."""
    tracker = DynamoDbTracker(flow.tracker.uri.removeprefix("dynamodb:"), client=server.client(), clock=flow.clock)
    return Flow(flow.place, tracker, flow.clock, flow.continuation)
