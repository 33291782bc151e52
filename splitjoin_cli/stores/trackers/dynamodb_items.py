"""What the DynamoDB tracker's items look like, and their way to and from our values.

Three kinds of item lie in one table whose only key is ``file_name``:

- a job, under its own name. ``total_parts`` and ``processed_parts`` are the published pattern's; ``done`` is the set of
  counted chunks of a job of one shard, ``shards`` that of the counted shards of a larger one. Only jobs have
  ``total_parts``, so that the sparse index on it lists jobs and nothing else.
- a shard, under ``file_name#generation#index`` (once the run was cleared: ``file_name#generation.round#index``): the
counted chunks of 256, numbered from 0 inside the shard, because
  small numbers are short and a full shard then stays about 1 KB, one write unit.
- a failure, under ``file_name#generation#failure#number`` (the same), found by a sparse index on ``failed_job``.

No client and no file name holds a ``#``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from splitjoin_cli.stores.trackers.jobs import Failure, Job, Join, JoinState
from splitjoin_cli.stores.trackers.rules import state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from splitjoin_cli.stores.trackers.jobs import Run

Item = dict[str, Any]
"""As DynamoDB has it: attribute name to ``{"N": "1"}`` and the like."""

KEY = "file_name"
MARKER = "unfinished"
ROUND = "times_cleared"
"""Absent in the first round. Not ``round``: words that are reserved one day are no names."""
EXPIRES = "expires_at"
# The attribute of each of Join's fields. ``fence`` is only ever added to, never set.
JOIN_ATTRIBUTES = {
    "state": "join_state",
    "owner": "join_owner",
    "token": "claim_by",
    "fence": "fence",
    "lease_until": "lease_until",
    "attempts": "join_attempts",
    "error": "join_error",
    "joined_at": "joined_at",
    "finished_at": "finished_at",
    "changed_at": "join_at",
}


def number(value: float) -> Item:
    """A number. Times have whole milliseconds: 13 digits are 8 bytes."""
    text = str(value) if isinstance(value, int) else f"{value:.3f}"
    return {"N": text}


def text(value: str) -> Item:
    """A string."""
    return {"S": value}


def number_set(values: Iterable[int]) -> Item:
    """A set of whole numbers, never empty."""
    return {"NS": [str(value) for value in values]}


def encode(value: float | str) -> Item:
    """A number or a string."""
    return text(value) if isinstance(value, str) else number(value)


def key_of_job(file_name: str) -> Item:
    """The key of a job's item."""
    return {KEY: text(file_name)}


def key_of_shard(run: Run, index: int) -> Item:
    """The key of a shard's item; ``index`` from 0."""
    return {KEY: text(f"{failed_job(run)}#{index}")}


def failed_job(run: Run) -> str:
    """What the failures of one run, and of one of its rounds, have in common."""
    return f"{run.file_name}#{run.generation}" + (f".{run.round}" if run.round else "")


def job_name(failed: str) -> str:
    """The file name in what ``failed_job`` made."""
    return failed.rpartition("#")[0]


def expected_name(run: Run, member: int) -> str:
    """The attribute that holds the checksum which a chunk must be counted with, in the item that counts it.

    It names the generation: that of an older run, which stays in a job's item, means nothing to a newer one.
    """
    return f"expected_{run.generation}_{member}"


def expected_text(item: Mapping[str, Any], run: Run, member: int) -> str | None:
    """The checksum that a chunk must be counted with; None where none was written down."""
    return _text(item, expected_name(run, member))


def expected_in(item: Mapping[str, Any], run: Run) -> dict[str, Item]:
    """All such attributes of the run that an item has."""
    return {name: value for name, value in item.items() if name.startswith(f"expected_{run.generation}_")}


def key_of_failure(run: Run, chunk: int) -> Item:
    """The key of a failure's item."""
    return {KEY: text(f"{failed_job(run)}#failure#{chunk}")}


def expected_numbers(item: Mapping[str, Any], run: Run) -> dict[int, str]:
    """What an item expects its chunks as, by their numbers in it."""
    found = expected_in(item, run)
    return {int(name.rpartition("_")[2]): str(value["S"]) for name, value in found.items()}


def _int(item: Mapping[str, Any], name: str, default: int = 0) -> int:
    return int(float(item[name]["N"])) if name in item else default


def _optional_int(item: Mapping[str, Any], name: str) -> int | None:
    return _int(item, name) if name in item else None


def _time(item: Mapping[str, Any], name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None


def _text(item: Mapping[str, Any], name: str) -> str | None:
    return str(item[name]["S"]) if name in item else None


def numbers(item: Mapping[str, Any], name: str) -> frozenset[int]:
    """A set of whole numbers; empty where there is none."""
    return frozenset(int(value) for value in item.get(name, {}).get("NS", ()))


def job_of(item: Mapping[str, Any]) -> Job:
    """A job's item as a value; one that only the published counter wrote has no run."""
    read: dict[str, Any] = {"fence": _int(item, "fence"), "attempts": _int(item, "join_attempts")}
    read["state"] = state_of(_text(item, "join_state") or JoinState.NONE, item["file_name"]["S"])
    for field in fields(Join):
        if field.name not in read:
            take = _text if field.name in {"owner", "token", "error"} else _time
            read[field.name] = take(item, JOIN_ATTRIBUTES[field.name])
    return Job(
        file_name=str(item[KEY]["S"]),
        total_parts=_int(item, "total_parts"),
        processed_parts=_int(item, "processed_parts"),
        run_id=_text(item, "run_id"),
        generation=_int(item, "generation", 1),
        rows=_int(item, "loaded_rows"),
        rows_expected=_optional_int(item, "rows_expected"),
        destination=_text(item, "destination"),
        duplicates=_int(item, "duplicates") + _int(item, "shard_duplicates"),
        created_at=_time(item, "created_at"),
        counted_at=_time(item, "counted_at"),
        round=_int(item, ROUND),
        join=Join(**read),
    )


def job_or_none(item: Mapping[str, Any] | None) -> Job | None:
    """The same for an item that may be absent."""
    return None if item is None else job_of(item)


def head_of_shard(item: Mapping[str, Any], run: Run) -> Job:
    """A shard's run and total, in the shape in which the rules look at them."""
    return Job(
        run.file_name,
        _int(item, "shard_total"),
        run_id=_text(item, "run_id"),
        generation=run.generation,
        round=run.round,
    )


def is_shard_of(item: Mapping[str, Any], run: Run, total_parts: int) -> bool:
    """Whether a shard is this run's: another run or total may have counted where this one has nothing yet."""
    return _text(item, "run_id") in {None, run.run_id} and _int(item, "shard_total", total_parts) == total_parts


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard's item as a value; ``done`` holds numbers from 0 inside the shard."""

    done: frozenset[int]
    rows: int
    duplicates: int
    counted_at: float | None


def shard_of(item: Mapping[str, Any]) -> Shard:
    """A shard's item as a value."""
    return Shard(numbers(item, "done"), _int(item, "loaded_rows"), _int(item, "duplicates"), _time(item, "counted_at"))


def failure_of(item: Mapping[str, Any]) -> Failure:
    """A failure's item as a value."""
    return Failure(
        number=_int(item, "chunk"),
        error=_text(item, "failure") or "",
        attempts=_int(item, "tries"),
        at=_time(item, "failed_at") or 0.0,
        final=bool(item.get("is_final", {}).get("BOOL", False)),
        retried=bool(item.get("retried", {}).get("BOOL", False)),
    )


def changed_join(before: Join, after: Join) -> tuple[dict[str, Item], list[str]]:
    """The attributes to set, and those to remove, that make one join of the other."""
    to_set: dict[str, Item] = {}
    to_remove: list[str] = []
    for name, attribute in JOIN_ATTRIBUTES.items():
        value = getattr(after, name)
        if value == getattr(before, name) or name == "fence":
            continue
        if value is None or (name == "state" and value == JoinState.NONE):
            to_remove.append(attribute)
        else:
            to_set[attribute] = encode(value)
    return to_set, to_remove
