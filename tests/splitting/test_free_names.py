"""A name that was free when a call began is claimed without a listing, and whoever took it since is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import NameTakenError
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.splitting import claim as claims
from splitjoin_cli.splitting.claim import Attempt, claim
from splitjoin_cli.splitting.free_names import FreeNames
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.directory_batches import DirectoryBatches
from splitjoin_cli.stores.sinks.documents import put_document
from splitjoin_cli.stores.sinks.memory import MemorySink
from tests.splitting.runs import JOB, MANIFEST, PLAN, request, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.core.format.plan_file import PlanFile

EXPORT = b"id,name\n1,a\n2,b\n3,c\n"
OTHER = b"id,name\n1,A\n2,B\n3,C\n"
OWN = f"{JOB.file_name}-1-2.csv"


def free_in(place: Path) -> FreeNames:
    """What is free in a place now: the listing is old from here on."""
    free = FreeNames([JOB.file_name])
    free.has(DirectorySink(place), JOB.file_name)
    return free


def plan_of(data: bytes) -> PlanFile:
    """Of a split of ``data``."""
    return split(data, MemorySink()).plan


@pytest.mark.parametrize("name", [OWN, f"{JOB.file_name}-10-12.csv.gz", PLAN, MANIFEST])
def test_a_name_is_free_where_nothing_is_called_so(name: str, tmp_path: Path) -> None:
    """Other jobs' chunks and documents, and names that are longer, are not its own."""
    wanted = [JOB.file_name, "b_1", "b_1-2"]
    for other in ("old_1-1-1.csv", f"x{OWN}", "b_1-2-1-1.csv", ".splitjoin-x", name):
        (tmp_path / other).write_bytes(b"id\n")
    free, sink = FreeNames(wanted), DirectorySink(tmp_path)
    assert [free.has(sink, one) for one in (*wanted, "c_1")] == [False, True, False, False]  # c_1 was not asked for


def test_nothing_is_told_of_a_store_that_lists_one_job_as_quickly() -> None:
    """S3 lists a prefix: there is nothing to spare."""
    assert not FreeNames([JOB.file_name]).has(MemorySink(), JOB.file_name)


def finished(place: Path) -> None:
    """Other content was split."""
    split(OTHER, DirectorySink(place))


def under_way(place: Path) -> None:
    """Other content is being split."""
    put_document(DirectorySink(place), PLAN, plan_of(OTHER), 2, when=ABSENT)


def removed(place: Path) -> None:
    """``rm`` has the name."""
    DirectorySink(place).put_small(PLAN, Removal(JOB.file_name, "0" * 32).to_bytes())


def strangers(place: Path) -> None:
    """A chunk is there, and nothing that says whose."""
    (place / OWN).write_bytes(b"id,name\n9,x\n")


@pytest.mark.parametrize("came", [finished, under_way, removed, strangers])
@pytest.mark.parametrize("force", [False, True])
def test_who_came_after_the_listing_is_found(came: Callable[[Path], None], force: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """As by a split that lists for itself: the same error, or with --force the same objects."""

    def ended(place: Path, free: FreeNames | None) -> tuple[str | None, dict[str, bytes]]:
        said = None
        try:
            split(EXPORT, DirectorySink(place), request(force=force), free=free)
        except NameTakenError as exc:
            said = exc.message.replace(str(place), "PLACE")
        return said, {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}

    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old = free_in(tmp_path / "old")
    came(tmp_path / "old")
    came(tmp_path / "new")
    with_listing, without = ended(tmp_path / "old", old), ended(tmp_path / "new", None)
    assert with_listing[0] == without[0]
    assert with_listing[1].keys() == without[1].keys()
    assert (without[0] is None) == (force and came is not removed)


def test_the_same_split_that_came_meanwhile_is_resumed(tmp_path: Path) -> None:
    """Nothing is stored again."""
    free = free_in(tmp_path)
    split(EXPORT, DirectorySink(tmp_path))
    assert split(EXPORT, DirectorySink(tmp_path), free=free).progress.count(ChunkState.SKIPPED) == 2


@pytest.mark.parametrize("came", [finished, under_way, removed])
def test_who_is_faster_by_a_step_is_found(came: Callable[[Path], None], tmp_path: Path) -> None:
    """Between the last look and the claim: the plan is not stored over another's, nor beside another's manifest."""
    came(tmp_path)
    plan, sink = plan_of(EXPORT), DirectorySink(tmp_path)
    with pytest.raises(NameTakenError):
        claim(sink, JOB, plan, Attempt(), force=False, free=True)
    assert (tmp_path / PLAN).exists() == (came is not finished)


def test_a_free_name_is_claimed_without_a_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of however many splits, one lists; and more chunks than are asked for one by one are listed."""
    listings: list[str] = []

    def all_names(self: DirectoryBatches) -> Iterator[str]:
        listings.append("all")
        return iter([path.name for path in self._sink.path.iterdir()])

    monkeypatch.setattr(DirectoryBatches, "all_names", all_names)
    monkeypatch.setattr(claims, "look", lambda *_, **__: listings.append("claim"))
    free = FreeNames([JOB.file_name])
    split(EXPORT, DirectorySink(tmp_path), free=free)
    assert listings == ["all"]
