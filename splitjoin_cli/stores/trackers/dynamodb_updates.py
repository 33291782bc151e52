"""The tracker's writes as DynamoDB's update and condition expressions; nothing here talks to a table.

Those of the join are in dynamodb_join_updates.py.

Each condition is a named part. The time-line that the guard of a count is for:

    worker 1: ADD chunk 7 -> applied, answer lost          worker 2: (the same event, delivered twice)
    worker 1: ADD chunk 7 again -> NOT contains fails      worker 2: ADD chunk 7 -> NOT contains fails
    => counted once, and both are told which chunks stand: whoever sees the total goes on

Unconditionally (the published pattern) each of them would have added one: the join fires with a chunk missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.stores.trackers import rules
from splitjoin_cli.stores.trackers.dynamodb_calls import Update
from splitjoin_cli.stores.trackers.dynamodb_items import (
    EXPIRES,
    JOIN_ATTRIBUTES,
    KEY,
    MARKER,
    ROUND,
    expected_name,
    failed_job,
    number,
    number_set,
    text,
)
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from splitjoin_cli.stores.trackers.dynamodb_items import Item
    from splitjoin_cli.stores.trackers.jobs import Failure, Job, JobSpec, Run

# The published counter writes neither run nor generation, and may be first: what is absent is nobody's yet.
SAME_OR_NO_RUN = "attribute_not_exists(run_id) OR run_id = :run"
SAME_OR_NO_GENERATION = "attribute_not_exists(generation) OR generation = :generation"
SAME_OR_NO_TOTAL = "attribute_not_exists(total_parts) OR total_parts = :total"
# Who claims, renews, finishes must be of the run that stands, written out, and in its round.
SAME_RUN = ("run_id = :run", "generation = :generation")
FIRST_ROUND = f"attribute_not_exists({ROUND})"
SAME_ROUND = f"{ROUND} = :round"
NOT_CLEARING = "attribute_not_exists(join_state) OR join_state <> :clearing"
NOT_JOINED = "attribute_not_exists(join_state) OR join_state <> :joined"
IS_THERE = f"attribute_exists({KEY})"
# What a job begins with, whoever is first; the rest of the upsert depends on who that is.
MAKES_A_JOB = (
    "total_parts = if_not_exists(total_parts, :total)",
    "run_id = if_not_exists(run_id, :run)",
    "generation = if_not_exists(generation, :generation)",
    "created_at = if_not_exists(created_at, :now)",
    f"{MARKER} = if_not_exists({MARKER}, :total)",
)
# What a newer run does not take over. ``fence`` is not here: it never starts again.
OF_ONE_RUN = (
    "done",
    "shards",
    "loaded_rows",
    "duplicates",
    "shard_duplicates",
    "unnumbered",
    "counted_at",
    ROUND,
    EXPIRES,
    *(attribute for field, attribute in JOIN_ATTRIBUTES.items() if field != "fence"),
)


def of_run(run: Run) -> dict[str, Item]:
    """The values of SAME_RUN."""
    return {"run": text(run.run_id), "generation": number(run.generation)}


def of_round(run: Run) -> dict[str, Item]:
    """The value of SAME_ROUND. A job that was never cleared, or that nobody opened, is in its first round."""
    return {"round": number(run.round)} if run.round else {}


def _checksum_of(checksum: str | None) -> dict[str, Item]:
    return {} if checksum is None else {"checksum": text(checksum)}


def open_job(spec: JobSpec, now: float) -> Update:
    """The upsert: what is there stays. Refused for a joined job, which has all it needs."""
    optional = {"rows_expected": spec.rows_expected, "destination": spec.destination}
    known = {name: value for name, value in optional.items() if value is not None}
    nobodys = "attribute_not_exists(run_id) AND (attribute_not_exists(processed_parts) OR processed_parts = :zero)"
    values = {name: text(value) if isinstance(value, str) else number(value) for name, value in known.items()}
    return Update(
        sets=(*MAKES_A_JOB, *(f"{name} = if_not_exists({name}, :{name})" for name in known)),
        adds=("processed_parts :zero",),
        condition=(
            f"({nobodys}) OR run_id = :run",
            SAME_OR_NO_TOTAL,
            "attribute_not_exists(join_state) OR join_state <> :joined",
        ),
        values={
            **values,
            **of_run(spec.run),
            "total": number(spec.total_parts),
            "now": number(rules.stamp(now)),
            "zero": number(0),
            "joined": text(JoinState.JOINED),
        },
    )


def replace_job(before: Job, after: Job) -> Update:
    """Make a job another run's; ``before`` is what was seen, and must still stand."""
    run, seen = after.run, before.run_id
    if run is None:
        raise ValueError("a job is replaced by a run")
    optional = {"rows_expected": after.rows_expected, "destination": after.destination}
    known = {name: value for name, value in optional.items() if value is not None}
    values = {name: text(value) if isinstance(value, str) else number(value) for name, value in known.items()}
    head = {"total_parts": "total", "run_id": "run", "generation": "generation", "created_at": "now"}
    return Update(
        sets=(
            *(f"{attribute} = :{value}" for attribute, value in head.items()),
            f"{MARKER} = :total",
            "processed_parts = :zero",
            *(f"{name} = :{name}" for name in known),
        ),
        removes=(*OF_ONE_RUN, *(name for name in optional if name not in known)),
        condition=(
            "attribute_not_exists(run_id)" if seen is None else "run_id = :seen",
            "attribute_not_exists(generation) OR generation = :before",
        ),
        values={
            **values,
            **of_run(run),
            **({} if seen is None else {"seen": text(seen)}),
            "before": number(before.generation),
            "total": number(after.total_parts),
            "now": number(after.created_at or 0.0),
            "zero": number(0),
        },
    )


def count(
    run: Run, total_parts: int, *, into: str, member: int, parts: int, rows: int, now: float,
    checksum: str | None = None,
) -> Update:  # fmt: skip
    """Add ``parts`` chunks to the job's item, on condition that ``member`` is not in its set ``into`` yet.

    The published ``SET total_parts = if_not_exists(total_parts, :total) ADD processed_parts :n``, with a guard:
    ``into`` is ``done`` for one chunk, ``shards`` for a full shard, which says itself what its chunks are expected as.
    """
    expected = expected_name(run, member)
    return Update(
        sets=(*MAKES_A_JOB, "counted_at = :now"),
        adds=("processed_parts :parts", f"{into} :set", "loaded_rows :rows"),
        condition=(
            SAME_OR_NO_TOTAL,
            SAME_OR_NO_RUN,
            SAME_OR_NO_GENERATION,
            SAME_ROUND if run.round else FIRST_ROUND,
            f"attribute_not_exists({expected})"
            if checksum is None
            else f"attribute_not_exists({expected}) OR {expected} = :checksum",
            f"NOT contains({into}, :member)",
        ),
        values={
            **of_run(run),
            **of_round(run),
            **_checksum_of(checksum),
            "total": number(total_parts),
            "now": number(rules.stamp(now)),
            "parts": number(parts),
            "rows": number(rows),
            "set": number_set([member]),
            "member": number(member),
        },
    )


def count_in_shard(
    run: Run, total_parts: int, *, member: int, rows: int, now: float, checksum: str | None = None
) -> Update:
    """Add a chunk to its shard; ``member`` is its number inside it, from 0. Generation and round are in the key."""
    expected = expected_name(run, member)
    return Update(
        sets=(
            "shard_total = if_not_exists(shard_total, :total)",
            "run_id = if_not_exists(run_id, :run)",
            "counted_at = :now",
        ),
        adds=("done :set", "loaded_rows :rows"),
        condition=(
            "attribute_not_exists(shard_total) OR shard_total = :total",
            SAME_OR_NO_RUN,
            f"attribute_not_exists({expected})"
            if checksum is None
            else f"attribute_not_exists({expected}) OR {expected} = :checksum",
            "NOT contains(done, :member)",
        ),
        values={
            **_checksum_of(checksum),
            "run": text(run.run_id),
            "total": number(total_parts),
            "now": number(rules.stamp(now)),
            "rows": number(rows),
            "set": number_set([member]),
            "member": number(member),
        },
    )


def expect(run: Run, total_parts: int, *, member: int, checksum: str | None, asked: bool) -> Update:
    """Write down in the job's item what a chunk must be counted with; None removes it.

    ``asked``: only while the chunk is not counted, and the run not joined.
    """
    name = expected_name(run, member)
    condition = [*SAME_RUN, SAME_ROUND if run.round else FIRST_ROUND, "total_parts = :total", NOT_CLEARING]
    values = {**of_run(run), **of_round(run), "total": number(total_parts), "clearing": text(JoinState.CLEARING)}
    if asked:
        condition.append("NOT contains(done, :member)")
        condition.append(NOT_JOINED)
        values |= {"member": number(member), "joined": text(JoinState.JOINED)}
    sets = () if checksum is None else (f"{name} = :checksum",)
    removes = (name,) if checksum is None else ()
    return Update(sets=sets, removes=removes, condition=tuple(condition), values={**values, **_checksum_of(checksum)})


def expect_in_shard(run: Run, total_parts: int, *, member: int, checksum: str | None, asked: bool) -> Update:
    """The same in a shard, whose key has generation and round. A joined run has counted all its chunks."""
    name = expected_name(run, member)
    condition = ["attribute_not_exists(shard_total) OR shard_total = :total", SAME_OR_NO_RUN]
    values = {"run": text(run.run_id), "total": number(total_parts)}
    if asked:
        condition.append("NOT contains(done, :member)")
        values["member"] = number(member)
    made = ("shard_total = if_not_exists(shard_total, :total)", "run_id = if_not_exists(run_id, :run)")
    sets = made if checksum is None else (*made, f"{name} = :checksum")
    removes = (name,) if checksum is None else ()
    return Update(sets=sets, removes=removes, condition=tuple(condition), values={**values, **_checksum_of(checksum)})


def keep_expected(run: Run, total_parts: int, expected: Mapping[str, Item]) -> Update:
    """Carry what is expected of a shard's chunks into the next round's; ``expected`` by attribute, never empty."""
    names = sorted(expected)
    return Update(
        sets=(
            "shard_total = if_not_exists(shard_total, :total)",
            "run_id = if_not_exists(run_id, :run)",
            *(f"{name} = :value{place}" for place, name in enumerate(names)),
        ),
        values={
            "run": text(run.run_id),
            "total": number(total_parts),
            **{f"value{place}": expected[name] for place, name in enumerate(names)},
        },
    )


def duplicate() -> Update:
    """One more duplicate of a chunk whose item is there."""
    return Update(adds=("duplicates :one",), condition=(IS_THERE,), values={"one": number(1)})


def failure(run: Run, chunk: int, *, error: str, final: bool, now: float) -> Update:
    """One more failed try of a chunk."""
    return Update(
        sets=(
            "failed_job = :job",
            "chunk = :chunk",
            "failure = :failure",
            "is_final = :final",
            "failed_at = :now",
            "retried = :no",
        ),
        adds=("tries :one",),
        values={
            "job": text(failed_job(run)),
            "chunk": number(chunk),
            "failure": text(rules.cut(error) or " "),
            "final": {"BOOL": final},
            "now": number(rules.stamp(now)),
            "no": {"BOOL": False},
            "one": number(1),
        },
    )


def retried(failure: Failure) -> Update:
    """A chunk that had failed for good was sent through again. Its tries tell whether it failed once more since."""
    return Update(
        sets=("is_final = :no", "retried = :yes"),
        condition=("tries = :tries", "is_final = :yes"),
        values={"tries": number(failure.attempts), "no": {"BOOL": False}, "yes": {"BOOL": True}},
    )


def make_complete(seen: Job, run: Run, *, into: str, members: Iterable[int], unnumbered: int) -> Update:
    """Write down that a job is complete which a published counter helped to count; ``seen`` must still stand.

    ``unnumbered``: how many counts came without a number, which nothing else would tell any more.
    """
    shards = tuple(members)
    return Update(
        sets=("processed_parts = total_parts", "unnumbered = :unnumbered"),
        adds=(f"{into} :set",) if shards else (),
        condition=(
            *SAME_RUN,
            SAME_ROUND if run.round else FIRST_ROUND,
            "processed_parts = :seen",
            "attribute_not_exists(join_state) OR join_state <> :joined",
        ),
        values={
            **of_run(run),
            **of_round(run),
            "seen": number(seen.processed_parts),
            "unnumbered": number(unnumbered),
            "joined": text(JoinState.JOINED),
            **({"set": number_set(shards)} if shards else {}),
        },
    )


def expire(at: float) -> Update:
    """Let an item that is there go, some day after ``at``."""
    return Update(sets=(f"{EXPIRES} = :at",), condition=(IS_THERE,), values={"at": number(int(at))})
