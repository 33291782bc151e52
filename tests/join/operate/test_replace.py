"""A mended chunk is stored under its name, whatever is killed when, and never over what somebody else stored."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.errors import NoSuchJobError, SplitjoinError, UsageError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import decode_metadata
from splitjoin_cli.core.names import manifest_name, plan_name
from splitjoin_cli.stores.sinks import documents
from splitjoin_cli.stores.sinks.s3_body import BytesBody
from tests.join.memory import FILE_NAME, HEADER, RUN_ID
from tests.join.operate.repairs import BODIES, MENDED, RUN, DiedError, Life, World, lives, manifest, world
from tests.schemas import hold

if TYPE_CHECKING:
    from splitjoin_cli.join.operate.replace import ReplaceReport

NAME = manifest().name(2)
CLEAR = f"take the run out of the database first: splitjoin clear {FILE_NAME} --into DATABASE_URL --tracker URL"


def stored_manifest(made: World) -> Manifest:
    """As it is now."""
    data = made.sink().get_small(manifest_name(FILE_NAME))
    assert data is not None
    return Manifest.from_bytes(data)


def state(made: World) -> tuple[object, ...]:
    """All that a replace leaves, less how often the event was sent."""
    progress = made.tracker().progress(FILE_NAME)
    failures = [(failure.number, failure.final, failure.retried) for failure in progress.failures]
    return (made.objects(), made.database.expected, made.table.expected, failures, set(made.events.sent))


def refused(made: World, message: str, hint: str, **how: bool) -> None:
    """A replace ends with this error, and changes nothing."""
    before = state(made)
    with pytest.raises(SplitjoinError, match=f"^{re.escape(message)}$") as error:
        made.replace(Life(), **how)  # type: ignore[arg-type]  # switches alone
    assert (error.value.hint, error.value.exit_code) == (hint, 1)
    assert state(made) == before


def test_a_mended_chunk_is_stored_listed_and_sent() -> None:
    """Its bytes, rows and checksum are the file's; run, generation and range stay; both documents say mended."""
    made = world()
    report = made.replace(Life())
    document = report.to_json()
    hold("replace", document)
    assert document == {
        "file_name": FILE_NAME,
        "run_id": RUN_ID,
        "number": 2,
        "uri": f"s3://bucket/in/{NAME}",
        "rows_before": 2,
        "rows": 2,
        "checksum": tagged(crc64(MENDED)),
        "mended": True,
        "sent_to": "sqs:events",
        "dry_run": False,
    }
    data, text = made.objects()[NAME]
    assert data == MENDED
    assert text is not None
    said, old = decode_metadata(text), manifest()
    assert (said.mended, said.rows, said.range, said.run_id) == (len(MENDED), 2, old.chunks[2].range, RUN_ID)
    new = stored_manifest(made)
    assert dict(new.mended) == {2: len(MENDED)}
    assert (new.rows, new.total_bytes) == (4, old.total_bytes + len(MENDED) - len(HEADER + BODIES[1]))
    assert new.chunks[2].checksum == crc64(MENDED)
    hold("manifest", json.loads(new.to_bytes()))
    hold("metadata", json.loads(text))
    assert made.tracker().all_expected(RUN).get(2) == tagged(crc64(MENDED))
    (failure,) = made.tracker().progress(FILE_NAME).failures
    assert (failure.final, failure.retried) == (False, True)
    (event,) = made.events.sent
    assert json.loads(event)["Records"][0]["s3"]["object"]["key"] == f"in/{NAME}"


@pytest.mark.parametrize(("asked", "most"), [("ledger", 9), ("tracker", 9), ("both", 9), ("both", 0)])
def test_killed_anywhere_the_same_command_goes_on(asked: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after every call: the same command then leaves what an undisturbed one leaves.

    ``most``: a manifest of more chunks is stored as it is made.
    """
    monkeypatch.setattr(documents, "SMALL_CHUNKS", most)
    ledger, tracker = asked != "tracker", asked != "ledger"
    start, undisturbed = world(), world()
    undisturbed.replace(Life(), ledger=ledger, tracker=tracker)
    died = 0
    for life in lives():
        made = start.copy()
        try:
            made.replace(life, ledger=ledger, tracker=tracker)
        except DiedError:
            died += 1
        made.replace(Life(), ledger=ledger, tracker=tracker)
        assert state(made) == state(undisturbed)
    assert died >= 14


def test_nothing_is_visible_before_it_is_written_down() -> None:
    """While the object can be seen, ledger and tracker refuse the old bytes."""
    start = world()
    for life in lives():
        made = start.copy()
        with contextlib.suppress(DiedError):
            made.replace(life)
        if made.objects()[NAME][0] == MENDED:
            assert made.database.expected == {(FILE_NAME, RUN_ID, 2): tagged(crc64(MENDED))}
            assert made.tracker().all_expected(RUN).get(2) == tagged(crc64(MENDED))


def test_what_is_loaded_or_counted_is_not_replaced() -> None:
    """With other bytes; the error says the way out; what is loaded with the file's own bytes goes on."""
    made = world()
    made.database.ledger[FILE_NAME, RUN_ID, 2] = (2, None)
    text = f"chunk 2 of {FILE_NAME} cannot be replaced: "
    refused(made, f"{text}it is loaded already, with other bytes", CLEAR)
    refused(made, f"{text}it is loaded already, with other bytes", CLEAR, dry_run=True)
    made.tracker().mark_done(RUN, 2, total_parts=3, rows=2)
    refused(made, f"{text}it is counted already", CLEAR, ledger=False)
    refused(made, f"{text}it is counted already", CLEAR, ledger=False, dry_run=True)
    made.database.ledger[FILE_NAME, RUN_ID, 2] = (2, tagged(crc64(MENDED)))
    assert made.replace(Life()).mended


@pytest.mark.parametrize("ledger", [True, False])
def test_a_joined_run_is_not_replaced(*, ledger: bool) -> None:
    """Nothing would load the chunk, also where the database has lost it."""
    made = world()
    tracker = made.tracker()
    for number in (1, 2, 3):
        tracker.mark_done(RUN, number, total_parts=3, rows=1)
    tracker.claim_join(RUN, owner="w", lease_seconds=60)
    tracker.finish_join(RUN)
    refused(made, f"chunk 2 of {FILE_NAME} cannot be replaced: the run is joined", CLEAR, ledger=ledger)


def test_a_joined_run_goes_on_where_the_object_is_the_file() -> None:
    """A killed replace whose chunk was loaded, counted and joined meanwhile: the manifest is still to be written."""
    start = world()
    made = start.copy()
    for life in lives():
        made = start.copy()
        try:
            made.replace(life)
        except DiedError:
            if made.objects()[NAME][0] == MENDED and not stored_manifest(made).mended:
                break
    tracker = made.tracker()
    made.database.ledger[FILE_NAME, RUN_ID, 2] = (2, tagged(crc64(MENDED)))
    for number in (1, 2, 3):
        tracker.mark_done(RUN, number, total_parts=3, rows=2, checksum=lambda: tagged(crc64(MENDED)))
    tracker.claim_join(RUN, owner="w", lease_seconds=60)
    tracker.finish_join(RUN)
    made.replace(Life())
    assert dict(stored_manifest(made).mended) == {2: len(MENDED)}


def test_the_splits_own_bytes_restore_the_chunk_and_mark_nothing() -> None:
    """An object that was lost, or that another tool stored without its metadata."""
    made, own = world(), HEADER + BODIES[1]
    before = made.objects()
    made.sink().put(NAME, BytesBody(b"else"), checksum=None)
    report: ReplaceReport = made.replace(Life(), data=own)
    assert not report.mended
    assert made.objects() == before
    made.sink().put(NAME, BytesBody(own), checksum=None)
    made.replace(Life(), data=own)
    assert made.objects() == before
    made.sink().delete(NAME)
    made.replace(Life(), data=own)
    assert made.objects() == before


def test_a_mended_chunk_is_mended_again_and_restored_as_mended() -> None:
    """Each file is what is expected from then on; the manifest's own mended bytes come back as mended."""
    made = world()
    made.replace(Life())
    after = made.objects()
    made.sink().delete(NAME)
    assert made.replace(Life()).mended
    assert made.objects() == after
    other = HEADER + b"2,Bo\n3,Ida\n9,Zoe\n"
    assert made.replace(Life(), data=other).rows_before == 2
    assert stored_manifest(made).rows == 5
    assert made.tracker().all_expected(RUN).get(2) == tagged(crc64(other))


@pytest.mark.parametrize(("name", "most"), [(NAME, 9), (manifest_name(FILE_NAME), 9), (manifest_name(FILE_NAME), 0)])
def test_what_changes_meanwhile_is_left_alone(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was stored after the look stays, and the command says so."""
    monkeypatch.setattr(documents, "SMALL_CHUNKS", most)
    made = world()
    kind = type(made.sink())
    method = "put" if name == NAME else "put_small" if most else "writer"
    store = getattr(kind, method)

    def late(sink: object, *values: object, **named: object) -> object:
        monkeypatch.setattr(kind, method, store)
        made.sink().put_small(name, b"newer")
        return store(sink, *values, **named)

    monkeypatch.setattr(kind, method, late)
    with pytest.raises(SplitjoinError, match=r"by something else meanwhile; it was left alone$") as error:
        made.replace(Life())
    assert error.value.hint == "run the same command again, if the chunk is still to be replaced"
    assert made.objects()[name][0] == b"newer"


def test_a_split_under_way_and_a_place_without_it_are_refused() -> None:
    """Any plan stops it; chunks without a manifest too; nothing there is exit 10; no such number is usage."""
    made = world()
    with pytest.raises(UsageError, match=f"^{FILE_NAME} has no chunk 4$"):
        made.replace(Life(), number=4)
    made.sink().put_small(plan_name(FILE_NAME), b"{}")
    with pytest.raises(SplitjoinError, match=r"the split is under way, or was interrupted$"):
        made.replace(Life())
    made.sink().delete(plan_name(FILE_NAME))
    made.sink().delete(manifest_name(FILE_NAME))
    with pytest.raises(SplitjoinError, match=f"^{re.escape('s3://bucket/in/')} has chunks of .*, and no manifest$"):
        made.replace(Life())
    made.store.objects.clear()
    with pytest.raises(NoSuchJobError, match=f"^no split of {FILE_NAME} is in"):
        made.replace(Life())


def test_a_dry_run_does_nothing() -> None:
    """It says what would be done."""
    made = world()
    before = state(made)
    assert made.replace(Life(), dry_run=True).dry_run
    assert state(made) == before
