"""The tracker's writes as DynamoDB's update and condition expressions; nothing here talks to a table.

Each condition is a named part. The time-line that the guard of a count is for:

    worker 1: ADD chunk 7 -> applied, answer lost          worker 2: (the same event, delivered twice)
    worker 1: ADD chunk 7 again -> NOT contains fails      worker 2: ADD chunk 7 -> NOT contains fails
    => counted once, and both are told which chunks stand: whoever sees the total goes on

Unconditionally (the published pattern) each of them would have added one: the join fires with a chunk missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.stores.trackers import rules
from splitjoin_cli.stores.trackers.base import MAX_CLAIMS
from splitjoin_cli.stores.trackers.dynamodb_calls import Update
from splitjoin_cli.stores.trackers.dynamodb_items import (
    EXPIRES,
    JOIN_ATTRIBUTES,
    KEY,
    MARKER,
    changed_join,
    failed_job,
    number,
    number_set,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from splitjoin_cli.stores.trackers.base import Failure, Job, JobSpec, Run
    from splitjoin_cli.stores.trackers.dynamodb_items import Item

# The published counter writes neither run nor generation, and may be first: what is absent is nobody's yet.
SAME_OR_NO_RUN = "attribute_not_exists(run_id) OR run_id = :run"
SAME_OR_NO_GENERATION = "attribute_not_exists(generation) OR generation = :generation"
SAME_OR_NO_TOTAL = "attribute_not_exists(total_parts) OR total_parts = :total"
# Who claims, renews, finishes must be of the run that stands, written out.
SAME_RUN = ("run_id = :run", "generation = :generation")
IS_COMPLETE = "processed_parts = total_parts"
MAY_BE_JOINED = "attribute_not_exists(join_state) OR (join_state <> :joined AND join_state <> :failed)"
NOBODY_HOLDS_IT = "attribute_not_exists(lease_until) OR lease_until < :now"
ATTEMPTS_ARE_LEFT = "attribute_not_exists(join_attempts) OR join_attempts < :most"
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
    EXPIRES,
    *(attribute for field, attribute in JOIN_ATTRIBUTES.items() if field != "fence"),
)


def _of(run: Run) -> dict[str, Item]:
    return {"run": text(run.run_id), "generation": number(run.generation)}


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
            **_of(spec.run),
            "total": number(spec.total_parts),
            "now": number(rules.stamp(now)),
            "zero": number(0),
            "joined": text("joined"),
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
            **_of(run),
            **({} if seen is None else {"seen": text(seen)}),
            "before": number(before.generation),
            "total": number(after.total_parts),
            "now": number(after.created_at or 0.0),
            "zero": number(0),
        },
    )


def count(run: Run, total_parts: int, *, into: str, member: int, parts: int, rows: int, now: float) -> Update:
    """Add ``parts`` chunks to the job's item, on condition that ``member`` is not in its set ``into`` yet.

    The published ``SET total_parts = if_not_exists(total_parts, :total) ADD processed_parts :n``, with a guard:
    ``into`` is ``done`` for one chunk, ``shards`` for a full shard.
    """
    return Update(
        sets=(*MAKES_A_JOB, "counted_at = :now"),
        adds=("processed_parts :parts", f"{into} :set", "loaded_rows :rows"),
        condition=(SAME_OR_NO_TOTAL, SAME_OR_NO_RUN, SAME_OR_NO_GENERATION, f"NOT contains({into}, :member)"),
        values={
            **_of(run),
            "total": number(total_parts),
            "now": number(rules.stamp(now)),
            "parts": number(parts),
            "rows": number(rows),
            "set": number_set([member]),
            "member": number(member),
        },
    )


def count_in_shard(run: Run, total_parts: int, *, member: int, rows: int, now: float) -> Update:
    """Add a chunk to its shard; ``member`` is its number inside the shard, from 0. The generation is in the key."""
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
            "NOT contains(done, :member)",
        ),
        values={
            "run": text(run.run_id),
            "total": number(total_parts),
            "now": number(rules.stamp(now)),
            "rows": number(rows),
            "set": number_set([member]),
            "member": number(member),
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


def claim_join(run: Run, *, owner: str, token: str, lease_seconds: float, now: float) -> Update:
    """Take the join. Its own repeat fails on the live lease, and is known there by its token."""
    return Update(
        sets=(
            "join_state = :claimed",
            "join_owner = :owner",
            "claim_by = :token",
            "lease_until = :until",
            "joined_at = if_not_exists(joined_at, :now)",
            "join_at = :now",
        ),
        adds=("fence :one", "join_attempts :one"),
        condition=(*SAME_RUN, IS_COMPLETE, MAY_BE_JOINED, NOBODY_HOLDS_IT, ATTEMPTS_ARE_LEFT),
        values={
            **_of(run),
            "claimed": text("claimed"),
            "joined": text("joined"),
            "failed": text("failed"),
            "owner": text(owner),
            "token": text(token),
            "until": number(rules.stamp(now + lease_seconds)),
            "now": number(rules.stamp(now)),
            "one": number(1),
            "most": number(MAX_CLAIMS),
        },
    )


def change_join(before: Job, after: Job, run: Run, *, needs_fence: bool) -> Update:
    """From one join to another. ``needs_fence``: only while nobody claimed, gave back or finished since ``before``.

    A finish comes without: a success of any owner of this run counts.
    """
    to_set, to_remove = changed_join(before.join, after.join)
    values = {**_of(run), **{f"to_{name}": value for name, value in to_set.items()}}
    condition = [*SAME_RUN, "attribute_exists(joined_at)"]
    if needs_fence:
        condition.append("fence = :fence")
        values["fence"] = number(before.join.fence)
        for name, value in (("claim_by", before.join.token), ("join_state", before.join.state)):
            if value is None or value == "none":
                condition.append(f"attribute_not_exists({name})")
            else:
                condition.append(f"{name} = :was_{name}")
                values[f"was_{name}"] = text(value)
    return Update(
        sets=tuple(f"{name} = :to_{name}" for name in to_set),
        removes=tuple(to_remove),
        condition=tuple(condition),
        values=values,
    )


def make_complete(seen: Job, run: Run, *, into: str, members: Iterable[int], unnumbered: int) -> Update:
    """Write down that a job is complete which a published counter helped to count; ``seen`` must still stand.

    ``unnumbered``: how many counts came without a number, which nothing else would tell any more.
    """
    shards = tuple(members)
    return Update(
        sets=("processed_parts = total_parts", "unnumbered = :unnumbered"),
        adds=(f"{into} :set",) if shards else (),
        condition=(*SAME_RUN, "processed_parts = :seen", "attribute_not_exists(join_state) OR join_state <> :joined"),
        values={
            **_of(run),
            "seen": number(seen.processed_parts),
            "unnumbered": number(unnumbered),
            "joined": text("joined"),
            **({"set": number_set(shards)} if shards else {}),
        },
    )


def expire(at: float) -> Update:
    """Let an item that is there go, some day after ``at``."""
    return Update(sets=(f"{EXPIRES} = :at",), condition=(IS_THERE,), values={"at": number(int(at))})


def leave_unfinished(run: Run, *, shard_duplicates: int) -> Update:
    """Take a joined job from the index of unfinished ones, and keep what its shards knew of duplicates."""
    return Update(
        sets=("shard_duplicates = :duplicates",),
        removes=(MARKER,),
        condition=(*SAME_RUN, "join_state = :joined", f"attribute_exists({MARKER})"),
        values={**_of(run), "joined": text("joined"), "duplicates": number(shard_duplicates)},
    )
