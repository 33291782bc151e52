"""Takes a split out of a place: its manifest first, its chunks and open uploads, then the claim that kept others away.

``rm`` has the name by a claim of its own in the plan's place (core/format/removal.py), so that no split begins or ends
under the name meanwhile. Killed anywhere, the claim stays, and the same command goes on. A split that ran when the name
was claimed may store a chunk later still: it is removed too, and what comes after that is left to the split, which
finds its plan gone (docs/model/operate_model.py has each order of the steps).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import NotFoundError, StoreError
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.parallel import in_any_order
from splitjoin_cli.splitting.abilities import warn_before_removal
from splitjoin_cli.splitting.stored.seen import SeenObjects
from splitjoin_cli.stores.sinks.base import ABSENT, Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["RemoveReport", "Removing"]

ROUNDS = 20
"""How often what is there again is removed again: each is a split that still stores its last chunks."""
CLAIM_TRIES = 8
CONDITIONAL_ROUNDS = 2
"""In the first ones an object goes only as it was listed; a store may list other ETags than it compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveReport:
    """What was removed, or with ``dry_run`` would be: objects, their bytes as stored, and open uploads.

    ``tracker``: which one keeps what it knows of the job; None where none was asked, or it knows nothing.
    """

    file_name: str
    removed: int
    size_bytes: int
    uploads: int
    dry_run: bool
    tracker: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            "file_name": self.file_name,
            "removed": self.removed,
            "bytes": self.size_bytes,
            "uploads": self.uploads,
            "dry_run": self.dry_run,
        }


@dataclass(slots=True)
class Removing:
    """One removal. ``token``: 32 hexadecimal digits that no other has. ``jobs``: objects removed at once.

    ``unfinished``: only where no manifest stands.
    """

    sink: Sink
    file_name: str
    token: str
    executor: Executor
    jobs: int
    observer: Observer
    unfinished: bool = False
    _seen: SeenObjects = field(default_factory=SeenObjects)
    _uploads: int = 0

    def rehearse(self) -> RemoveReport:
        """What ``run`` would remove. Raises what it would raise for what is there."""
        self._look_first()
        return self._report(dry_run=True)

    def run(self) -> RemoveReport:
        """Remove it all. Raises NotFoundError where nothing is there, StoreError."""
        self._look_first()
        warn_before_removal(self.sink, self.observer)
        self._uploads = 0
        self._claim()
        self.observer.phase("removing", self._seen.size_bytes, None)
        for number in range(ROUNDS):
            if self.unfinished and self.sink.head(self._manifest) is not None:
                self._release()
                raise self._finished()
            self._remove_all(conditional=number < CONDITIONAL_ROUNDS)
            self._check_claim()
            if not any(True for _ in self._listed()):
                self._release()
                return self._report(dry_run=False)
        raise StoreError(
            f"{self._uri}: chunks come as fast as they are removed: a split runs under this name",
            hint="end it, then run the same command again",
        )

    def _claim(self) -> None:
        """Put the claim in the plan's place, whatever is there, each time on condition that it still is.

        A bucket's policy may demand that; without one a plain write would do (S3 user guide, "Enforce conditional
        writes").
        """
        claim = Removal(self.file_name, self.token).to_bytes()
        for _ in range(CLAIM_TRIES):
            seen = self.sink.head(self._plan)
            if self.sink.put_small(self._plan, claim, when=ABSENT if seen is None else Condition(seen.validator)):
                return
        raise StoreError(
            f"{self._uri}: other processes keep changing its plan", hint="end them, then run the same command again"
        )

    def _look_first(self) -> None:
        for stored in self._listed(plan=True):
            if self.unfinished and stored.name == self._manifest:
                raise self._finished()
            self._seen.add(stored)
        self._uploads = self._sweep(count=True)
        if not self._seen.count and not self._uploads:
            raise NotFoundError(f"there is nothing of {self.file_name} in {self.sink.properties.uri}")

    def _listed(self, *, plan: bool = False) -> Iterator[StoredObject]:
        """The job's manifest and chunks, found by parsed name, whatever their total; ``plan``: and its plan."""
        ours = {self._manifest, self._plan} if plan else {self._manifest}
        for stored in self.sink.list(self.file_name):
            if stored.name in ours or self._is_chunk(stored.name):
                yield stored

    def _is_chunk(self, name: str) -> bool:
        chunk = names.parse(name)
        return chunk is not None and chunk.file_name == self.file_name

    def _remove_all(self, *, conditional: bool) -> None:
        """The manifest before the chunks: a manifest without its chunks is a damaged split.

        They are removed as they are listed, so that a million of them are not held.
        """
        manifest = self.sink.head(self._manifest)
        if manifest is not None:
            self._remove((manifest,), conditional=conditional)
        self._remove(self._listed(), conditional=conditional)
        self._uploads += self._sweep(count=False)

    def _remove(self, group: Iterable[StoredObject], *, conditional: bool) -> None:
        def remove(stored: StoredObject) -> None:
            self.sink.delete(stored.name, when=Condition(stored.validator) if conditional else None)
            self.observer.advance(stored.size)

        def seen() -> Iterator[Callable[[], None]]:
            for stored in group:
                self._seen.add(stored)
                yield partial(remove, stored)

        in_any_order(self.executor, seen(), self.jobs, lambda: None)

    def _sweep(self, *, count: bool) -> int:
        def ours(name: str) -> bool:
            return name in (self._manifest, self._plan) or self._is_chunk(name)

        try:
            return self.sink.sweep(self.file_name, only=ours, count=count)
        except StoreError as exc:
            if not count:
                self.observer.warn(f"cannot remove what killed splits left: {exc.told}")
            return 0

    def _check_claim(self) -> None:
        """Raise StoreError where another ``rm`` has the name by now: what comes under it is that one's to remove."""
        if self._standing() is None:
            raise StoreError(
                f"{self._uri}: another splitjoin rm took over while this one ran", hint="wait for it, or run this again"
            )

    def _release(self) -> None:
        seen = self._standing()
        if seen is not None:
            self.sink.delete(self._plan, when=seen)

    def _standing(self) -> Condition | None:
        """The condition that this claim stands; None where it does not."""
        small = self.sink.read_small(self._plan)
        removal = None if small is None else Removal.of(small.data)
        if small is None or removal is None or removal.token != self.token:
            return None
        return Condition(small.validator)

    def _finished(self) -> StoreError:
        return StoreError(f"{self._uri} is finished: its manifest is there", hint="leave --unfinished out to remove it")

    def _report(self, *, dry_run: bool) -> RemoveReport:
        return RemoveReport(
            file_name=self.file_name,
            removed=self._seen.count,
            size_bytes=self._seen.size_bytes,
            uploads=self._uploads,
            dry_run=dry_run,
        )

    @property
    def _uri(self) -> str:
        return f"{self.sink.properties.uri}{self.file_name}"

    @property
    def _manifest(self) -> str:
        return names.manifest_name(self.file_name)

    @property
    def _plan(self) -> str:
        return names.plan_name(self.file_name)
