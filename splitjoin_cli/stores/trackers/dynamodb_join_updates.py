"""The writes that claim, change and end a join, or clear its run, as DynamoDB's update and condition expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.stores.trackers import rules
from splitjoin_cli.stores.trackers.base import CLEAR, MAX_CLAIMS
from splitjoin_cli.stores.trackers.dynamodb_calls import Update
from splitjoin_cli.stores.trackers.dynamodb_items import MARKER, ROUND, changed_join, number, text
from splitjoin_cli.stores.trackers.dynamodb_updates import (
    FIRST_ROUND,
    NOT_CLEARING,
    OF_ONE_RUN,
    SAME_ROUND,
    SAME_RUN,
    of_round,
    of_run,
)
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.answers import ClearClaim
    from splitjoin_cli.stores.trackers.jobs import Job, Run

IS_COMPLETE = "processed_parts = total_parts"
MAY_BE_JOINED = (
    "attribute_not_exists(join_state) OR (join_state <> :joined AND join_state <> :failed AND join_state <> :clearing)"
)
NO_LEASE_IS_ALIVE = "attribute_not_exists(join_state) OR join_state <> :claimed OR lease_until < :now"
NOBODY_HOLDS_IT = "attribute_not_exists(lease_until) OR lease_until < :now"
ATTEMPTS_ARE_LEFT = "attribute_not_exists(join_attempts) OR join_attempts < :most"


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
        condition=(
            *SAME_RUN,
            SAME_ROUND if run.round else FIRST_ROUND,
            IS_COMPLETE,
            MAY_BE_JOINED,
            NOBODY_HOLDS_IT,
            ATTEMPTS_ARE_LEFT,
        ),
        values={
            **of_run(run),
            **of_round(run),
            "clearing": text(JoinState.CLEARING),
            "claimed": text(JoinState.CLAIMED),
            "joined": text(JoinState.JOINED),
            "failed": text(JoinState.FAILED),
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

    A finish comes without: a success of any owner of this run and round counts, unless it is being cleared.
    """
    to_set, to_remove = changed_join(before.join, after.join)
    values = {**of_run(run), **of_round(run), **{f"to_{name}": value for name, value in to_set.items()}}
    condition = [*SAME_RUN, SAME_ROUND if run.round else FIRST_ROUND, "attribute_exists(joined_at)"]
    if not needs_fence:
        condition.append(NOT_CLEARING)
        values["clearing"] = text(JoinState.CLEARING)
    if needs_fence:
        condition.append("fence = :fence")
        values["fence"] = number(before.join.fence)
        for name, value in (("claim_by", before.join.token), ("join_state", before.join.state)):
            if value is None or value == JoinState.NONE:
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


def leave_unfinished(run: Run, *, shard_duplicates: int) -> Update:
    """Take a joined job from the index of unfinished ones, and keep what its shards knew of duplicates."""
    return Update(
        sets=("shard_duplicates = :duplicates",),
        removes=(MARKER,),
        condition=(*SAME_RUN, "join_state = :joined", f"attribute_exists({MARKER})"),
        values={**of_run(run), "joined": text(JoinState.JOINED), "duplicates": number(shard_duplicates)},
    )


def claim_clear(before: Job, after: Job) -> Update:
    """Take the join to clear the run; ``before`` is what was seen, whose round must still stand."""
    run = after.run
    if run is None or after.join.token is None or after.join.changed_at is None:
        raise ValueError("a run is cleared, by a claim")
    return Update(
        sets=("join_state = :clearing", "join_owner = :owner", "claim_by = :token", "join_at = :now"),
        adds=("fence :one",),
        removes=("lease_until", "join_error", "finished_at"),
        condition=(
            *SAME_RUN,
            SAME_ROUND if run.round else FIRST_ROUND,
            "attribute_not_exists(fence) OR fence = :fence",
            NO_LEASE_IS_ALIVE,
        ),
        values={
            **of_run(run),
            **of_round(run),
            "clearing": text(JoinState.CLEARING),
            "claimed": text(JoinState.CLAIMED),
            "owner": text(CLEAR),
            "token": text(after.join.token),
            "now": number(after.join.changed_at),
            "fence": number(before.join.fence),
            "one": number(1),
        },
    )


def finish_clear(claim: ClearClaim) -> Update:
    """Begin the next round: nothing is counted, nobody has joined. On condition of the claim itself."""
    run = claim.run
    return Update(
        sets=(f"{ROUND} = :next", "processed_parts = :zero", f"{MARKER} = total_parts"),
        removes=tuple(name for name in OF_ONE_RUN if name != ROUND),
        condition=(
            *SAME_RUN,
            SAME_ROUND if run.round else FIRST_ROUND,
            "join_state = :clearing",
            "claim_by = :token",
            "fence = :fence",
        ),
        values={
            **of_run(run),
            **of_round(run),
            "next": number(run.round + 1),
            "zero": number(0),
            "clearing": text(JoinState.CLEARING),
            "token": text(claim.token),
            "fence": number(claim.fence),
        },
    )
