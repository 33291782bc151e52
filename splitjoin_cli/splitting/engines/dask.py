"""Units on a Dask cluster that the user already has (``pip install 'splitjoin[dask]'``): only this module knows Dask.

A unit is one call of ``run_here`` by a worker: no task graph, no retries of Dask's own, and each with a key that no
other has, since two equal calls would be one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import socket
import threading
import time
import uuid
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from splitjoin_cli.core import trace
from splitjoin_cli.core.errors import EngineError, UsageError
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.splitting.engines.base import Failed
from splitjoin_cli.splitting.engines.unit import run_here
from splitjoin_cli.splitting.engines.wire import answer_text, protocol, release
from splitjoin_cli.splitting.engines.words import CLUSTER, another_build, another_release

try:
    import dask
    import distributed
except ImportError as exc:
    raise UsageError("--engine dask: needs Dask, which is not installed", hint="pip install 'splitjoin[dask]'") from exc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DaskEngine", "address_of", "check_address", "is_encrypted"]

CONNECT_SECONDS = 30.0
WORKERS_SECONDS = 60.0
"""How long the first worker is waited for."""
LOOK_SECONDS = 5.0
"""The workers are counted this often."""
SILENCE_SECONDS = 120.0
"""A scheduler that does not answer for so long is gone."""
DESERTED_SECONDS = 300.0
"""A cluster without any worker for so long is no use."""
CALL_SECONDS = 60.0
GATHERERS = 4
KEY = "splitjoin-"
"""What the keys of units begin with."""
RESUME = "when the cluster is well again, run the same command again"
ENCRYPTED = ("tls", "wss")


def address_of(text: str) -> str:
    """The scheduler's address: ``text`` itself, what a scheduler file says, or (empty) Dask's configuration.

    Raises UsageError where there is none.
    """
    if text.endswith(".json"):
        try:
            found = json.loads(Path(text).read_text(encoding="utf-8"))["address"]
        except OSError as exc:
            raise UsageError(f"cannot read the scheduler file {text}: {exc.strerror}", hint="check its path") from exc
        except (ValueError, KeyError, TypeError) as exc:
            hint = "dask scheduler --scheduler-file PATH.json writes one"
            raise UsageError(f"{text} is not a scheduler file", hint=hint) from exc
        return str(found)
    if text:
        return text
    configured = dask.config.get("scheduler-address", None)
    if not configured:
        raise UsageError(
            "--engine dask: names no scheduler, and Dask's configuration has none",
            hint="write dask:tls://HOST:8786, or set scheduler-address in Dask's configuration, or "
            "DASK_SCHEDULER_ADDRESS",
        )
    return str(configured)


def is_encrypted(address: str) -> bool:
    """Whether the scheduler is spoken to over TLS."""
    return address.partition("://")[0].lower() in ENCRYPTED


def check_address(address: str, *, allow_plain: bool) -> None:
    """Raise UsageError for a scheduler without TLS that is not on this machine, unless that is allowed."""
    if is_encrypted(address) or allow_plain or _is_here(address):
        return
    raise UsageError(
        f"the Dask scheduler {address} is not on this machine, and is spoken to without TLS: anyone who reaches it "
        "can run code on its workers",
        hint="use a tls:// address; or --allow-plain-dask where the network between is private",
    )


def _is_here(address: str) -> bool:
    """Whether an address is one of this machine's own."""
    host = address.rpartition("://")[2].rpartition(":")[0].strip("[]")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False  # connecting says more
    return bool(found) and all(_is_bindable(family, place) for family, _, _, _, place in found)


def _is_bindable(family: int, place: Any) -> bool:  # noqa: ANN401 -- of what socket.getaddrinfo gives
    with socket.socket(family) as one:
        try:
            one.bind((place[0], 0, *place[2:]))
        except OSError:
            return False
    return True


def versions() -> tuple[str, str, str]:
    """What a worker must have in common with the command: splitjoin's release, Python's, and how units are written."""
    return release(), ".".join(platform.python_version_tuple()[:2]), protocol()


@final
class DaskEngine(StaysHere):
    """An Engine on the workers of a scheduler. The units of others who use it are left alone."""

    name, words = "dask", CLUSTER

    def __init__(self, address: str, *, in_flight: int | None = None) -> None:
        """Connect, and compare versions. ``in_flight``: None for twice the workers' threads.

        Raises EngineError where the scheduler cannot be reached, has no workers, or one of another version.
        """
        self._address, self._wanted = address, in_flight
        self._lock = threading.Lock()
        self._theirs: dict[Future[str], tuple[str, Any]] = {}
        self._gathering = ThreadPoolExecutor(GATHERERS, "dask-answer")
        self._looking = False
        self._answered = self._peopled = self._looked = time.monotonic()
        self._threads = 0
        self.lost_work = False
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(_hushed())
        try:
            self._client: Any = self._connected()
        except BaseException:
            self._quiet.close()
            self._gathering.shutdown(wait=False)
            raise
        try:
            self._check_versions()
        except BaseException:
            self.close()
            raise

    @property
    def in_flight(self) -> int:
        """As in Engine: more than the workers can run at once."""
        now = time.monotonic()
        if self._client.status not in ("running", "newly-connected"):
            raise self._gone()
        if now - self._looked > LOOK_SECONDS and not self._looking:
            self._looking, self._looked = True, now
            self._gathering.submit(self._look)
        if now - self._answered > SILENCE_SECONDS:
            raise EngineError(f"the Dask scheduler {self._address} does not answer any more", hint=RESUME)
        if now - self._peopled > DESERTED_SECONDS:
            raise EngineError(f"the Dask cluster {self._address} has no workers any more", hint=RESUME)
        return self._wanted or max(2 * self._threads, 2)

    def submit(self, unit: str) -> Future[str]:
        """As in Engine."""
        if self._client.status not in ("running", "newly-connected"):
            raise self._gone()
        answer: Future[str] = Future()
        key = f"{KEY}{uuid.uuid4().hex}"
        theirs = self._client.submit(run_here, unit, pure=False, retries=0, key=key)
        with self._lock:
            self._theirs[answer] = unit, theirs
        theirs.add_done_callback(lambda _: self._come(answer))
        return answer

    def cancel(self, future: Future[str]) -> None:
        """As in Engine: what has not begun is dropped by the scheduler, what runs goes on."""
        with self._lock:
            held = self._theirs.pop(future, None)
        if held is not None:
            held[1].release()

    def close(self) -> None:
        """As in Engine."""
        with self._lock:
            left, self._theirs = list(self._theirs.values()), {}
        for _, theirs in left:
            theirs.release()
        was_well = self._client.status == "running"
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)
        self._gathering.shutdown(wait=False, cancel_futures=True)
        if was_well:  # else its last words are still to come
            self._quiet.close()

    def _connected(self) -> Any:  # noqa: ANN401 -- a Client
        make: Any = distributed.Client  # half of it has no types
        try:
            with warnings.catch_warnings():  # versions are compared below
                warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
                client = make(
                    self._address,
                    timeout=CONNECT_SECONDS,
                    set_as_default=False,
                    name="splitjoin",
                    direct_to_workers=False,
                )
        except Exception as exc:
            hint = "check the address and that the scheduler runs"
            if is_encrypted(self._address):
                hint += "; the certificates are those of Dask's configuration (distributed.comm.tls)"
            raise EngineError(f"cannot reach the Dask scheduler {self._address}: {_said(exc)}", hint=hint) from exc
        client.subscribe_topic("all", self._heard)  # before the first unit: the scheduler tells things in their order
        trace.note("dask connected", address=self._address)
        return client

    def _heard(self, event: tuple[float, Any]) -> None:
        """An event of the scheduler, told before what comes of it: it gives the units of a lost worker to others."""
        _, said = event
        if not isinstance(said, dict) or said.get("action") != "remove-worker":
            return
        units = [key for key in said.get("processing-tasks", ()) if str(key).startswith(KEY)]
        trace.note("dask worker lost", worker=said.get("worker"), units=len(units))
        if units:
            self.lost_work = True

    def _check_versions(self) -> None:
        """Compare what this command and every worker have. Raises EngineError."""
        try:
            self._client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        except TimeoutError as exc:
            raise EngineError(
                f"the Dask cluster {self._address} has no workers", hint="start some: dask worker ADDRESS"
            ) from exc
        except Exception as exc:
            raise EngineError(f"the Dask scheduler {self._address} does not answer: {_said(exc)}") from exc
        ours = versions()
        found: dict[str, Any] = self._call(lambda: self._client.run(versions, on_error="return"))
        for worker, theirs in sorted(found.items()):
            who = f"the Dask worker {worker}"
            if isinstance(theirs, BaseException):
                raise EngineError(
                    f"{who} cannot run splitjoin {release()}: {_said(theirs)}",
                    hint=self.words.install,
                )
            if tuple(theirs[:2]) != ours[:2]:
                raise EngineError(
                    another_release(who, f"{theirs[0]} on Python {theirs[1]}", f"{ours[0]} on Python {ours[1]}"),
                    hint=self.words.install,
                )
            if tuple(theirs) != ours:
                raise EngineError(
                    another_build(who, ours[0]),
                    hint=self.words.rebuild,
                )
        self._count(self._call(self._client.nthreads))

    def _call(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return call()
        except Exception as exc:
            raise EngineError(f"the Dask cluster {self._address} does not answer: {_said(exc)}", hint=RESUME) from exc

    def _look(self) -> None:
        """Count the workers, on a thread of its own: a scheduler that hangs must not stop the others."""
        try:
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=CALL_SECONDS)
        except Exception as exc:  # noqa: BLE001 -- whatever it is: there was no answer
            trace.note("dask silent", error=_said(exc))
        else:
            self._count(threads)
        finally:
            self._looking = False

    def _count(self, threads: dict[str, int]) -> None:
        now, total = time.monotonic(), sum(threads.values())
        self._answered = now
        if total:
            self._peopled = now
        if total != self._threads:
            trace.note("dask workers", workers=len(threads), threads=total)
        self._threads = total

    def _come(self, answer: Future[str]) -> None:
        """Dask calls this on a thread that all of its callbacks share."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._gathering.submit(self._gather, answer)

    def _gather(self, answer: Future[str]) -> None:
        """Hand an answer on, and let the cluster forget it."""
        with self._lock:
            held = self._theirs.pop(answer, None)
        if held is None:
            return
        unit, theirs = held
        try:
            text = self._text(theirs)
        except distributed.scheduler.KilledWorker as exc:
            answer.set_result(answer_text(_deadly(exc), unit))
        except Exception as exc:  # noqa: BLE001 -- what becomes of it is for who waits
            answer.set_exception(exc)
        else:
            self._answered = time.monotonic()
            answer.set_result(text)
        finally:
            theirs.release()

    def _text(self, theirs: Any) -> str:  # noqa: ANN401 -- Dask's future
        if theirs.status == "cancelled":
            raise self._gone() if self._client.status != "running" else RuntimeError("the scheduler dropped it")
        text: str = theirs.result(timeout=CALL_SECONDS)
        return text

    def _gone(self) -> EngineError:
        return EngineError(f"the Dask scheduler {self._address} is gone", hint=RESUME)


def _deadly(exc: distributed.scheduler.KilledWorker) -> Failed:
    """The answer to a unit that nobody answers: Dask has tried it on several workers, and they all died."""
    message = (
        f"{exc.allowed_failures + 1} Dask workers died one after the other while they ran this unit, the last one "
        f"{exc.last_worker.address}"
    )
    return Failed("EngineError", message, f"{CLUSTER.log}: have they too little memory?", fatal=False, again=False)


def _said(exc: BaseException) -> str:
    text = str(exc).strip().partition("\n")[0]
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


class _Hush(logging.Filter):
    """Drops what Dask's loggers say while a split uses them: what matters becomes an error here."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 -- a Filter's signature
        return False


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    hush = _Hush()
    for name in names:
        logging.getLogger(name).addFilter(hush)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeFilter(hush)
