"""Splits on Dask whose workers, scheduler or command die, stop or are of another release: the objects stay the same."""

from __future__ import annotations

import datetime as dt
import random
import resource
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from splitjoin_cli.core.model import ByteRange, Dialect
from splitjoin_cli.splitting.engines.base import ScanUnit
from splitjoin_cli.splitting.engines.dispatch import Dispatcher, Work
from splitjoin_cli.splitting.engines.specs import Reach, SourceSpec
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.stores.sources.local import LocalSource
from tests.e2e.command import Splitjoin
from tests.e2e.csvs import bulk
from tests.e2e.kills import stored
from tests.servers.dask import DaskCluster, start
from tests.stores.sources.http_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.splitting.engines.base import Answer
    from tests.servers.s3 import Bucket

pytestmark = pytest.mark.soak
MIB = 1024 * 1024
OPTIONS = ("--client", "acme", "--date", "d", "--chunk-size", "9MiB")
ROUNDS = 8
PAUSE_SECONDS = 0.3


@pytest.fixture
def splitjoin_s3(tmp_path: Path, bucket: Bucket) -> Splitjoin:
    """The command, with the S3 server that ``bucket`` lies on."""
    return Splitjoin(tmp_path, bucket.env)


@pytest.fixture
def cluster(tmp_path: Path, bucket: Bucket) -> Iterator[DaskCluster]:
    """A scheduler and two workers of this test's own."""
    directory = tmp_path / "dask"
    directory.mkdir()
    with ExitStack() as stack:
        one = start(stack, directory, bucket.env)
        one.add_worker()
        one.add_worker()
        yield one


@pytest.fixture
def wanted(splitjoin_s3: Splitjoin, bucket: Bucket) -> dict[str, object]:
    """What threads store of an export of 60 MiB, which is on S3."""
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=bulk(60 * MIB))
    splitjoin_s3.ok("split", f"{bucket.uri}acme.csv", f"{bucket.uri}threads/", *OPTIONS)
    return stored(bucket, "threads/")


def command(bucket: Bucket, prefix: str, engine: str) -> tuple[str, ...]:
    """One that splits the export."""
    return ("split", f"{bucket.uri}acme.csv", f"{bucket.uri}{prefix}", *OPTIONS, "--engine", engine)


def clear(bucket: Bucket, prefix: str) -> None:
    """Remove what a round stored."""
    for key in bucket.keys(prefix):
        bucket.client().delete_object(Bucket=bucket.name, Key=key)


def meanwhile(seconds: float, act: Callable[[], None]) -> tuple[threading.Event, threading.Thread]:
    """Do it again and again, until the event is set."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(random.uniform(0.5, 1.5) * seconds):
            act()

    thread = threading.Thread(target=loop)
    thread.start()
    return ended, thread


def test_killed_workers_change_nothing(
    splitjoin_s3: Splitjoin, bucket: Bucket, cluster: DaskCluster, wanted: dict[str, object]
) -> None:
    """One dies every few seconds, and another comes: the same objects, and no open upload."""

    def kill_one() -> None:
        random.choice(cluster.workers[-2:]).kill()
        cluster.add_worker()

    for number in range(ROUNDS):
        ended, thread = meanwhile(4.0, kill_one)
        ran = splitjoin_s3(*command(bucket, f"{number}/", cluster.engine))
        ended.set()
        thread.join()
        assert ran.code == 0, ran
        assert stored(bucket, f"{number}/") == wanted
        assert bucket.open_uploads() == []
        clear(bucket, f"{number}/")


def test_a_stopped_worker_only_takes_time(
    splitjoin_s3: Splitjoin, bucket: Bucket, cluster: DaskCluster, wanted: dict[str, object]
) -> None:
    """It hangs for a while, with a unit of its own, and goes on."""
    process = splitjoin_s3.begin(*command(bucket, "dask/", cluster.engine))
    time.sleep(4)
    cluster.workers[0].send_signal(signal.SIGSTOP)
    time.sleep(20)
    cluster.workers[0].send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, (out, err)
    assert stored(bucket, "dask/") == wanted


def test_a_command_killed_again_and_again_ends_the_same_on_any_engine(
    splitjoin_s3: Splitjoin, bucket: Bucket, cluster: DaskCluster, wanted: dict[str, object]
) -> None:
    """Killed, or interrupted, on one engine; resumed on another."""
    for number in range(ROUNDS):
        for attempt in range(3):
            engine = cluster.engine if (number + attempt) % 2 else "threads"
            process = splitjoin_s3.begin(*command(bucket, f"{number}/", engine))
            time.sleep(random.uniform(1, 12))
            process.send_signal(random.choice([signal.SIGKILL, signal.SIGINT]))
            _, err = process.communicate(timeout=120)
            early = -signal.SIGINT  # before the command heeds it
            assert process.returncode in (0, 130, -signal.SIGKILL, early), err
        splitjoin_s3.ok(*command(bucket, f"{number}/", cluster.engine if number % 2 else "threads"))
        assert stored(bucket, f"{number}/") == wanted
        assert bucket.open_uploads() == []
        clear(bucket, f"{number}/")


def test_a_killed_scheduler_is_an_error_with_the_way_on(
    tmp_path: Path, splitjoin_s3: Splitjoin, bucket: Bucket, wanted: dict[str, object]
) -> None:
    """At once; and the same command on threads ends the split."""
    for number in range(1, 4):
        directory = tmp_path / f"dask{number}"
        directory.mkdir()
        with ExitStack() as stack:
            own = start(stack, directory, bucket.env)
            own.add_worker()
            engine = own.engine
            process = splitjoin_s3.begin(*command(bucket, f"{number}/", engine))
            while process.poll() is None and len(bucket.keys(f"{number}/")) < number:
                time.sleep(0.05)  # until so many objects are there, the plan first
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            assert process.returncode == 1, (out, err)
            assert f"the Dask scheduler {engine.removeprefix('dask:')} is gone".encode() in err
            assert b"Traceback" not in err
        splitjoin_s3.ok(*command(bucket, f"{number}/", "threads"))
        assert stored(bucket, f"{number}/") == wanted
        clear(bucket, f"{number}/")


def test_two_splits_share_a_cluster(
    splitjoin_s3: Splitjoin, bucket: Bucket, cluster: DaskCluster, wanted: dict[str, object]
) -> None:
    """And two of the same name are one."""
    running = [splitjoin_s3.begin(*command(bucket, prefix, cluster.engine)) for prefix in ("a/", "b/", "b/")]
    for process in running:
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    assert stored(bucket, "a/") == stored(bucket, "b/") == wanted


def test_a_worker_of_another_release_is_refused(
    tmp_path: Path, splitjoin_s3: Splitjoin, bucket: Bucket, cluster: DaskCluster, wanted: dict[str, object]
) -> None:
    """By name, whether it was there before or joins late; nothing is visible of its work."""
    (tmp_path / "other.py").write_text("import splitjoin_cli\nsplitjoin_cli.__version__ = '9.9.9'\n")
    cluster.add_worker("--preload", str(tmp_path / "other.py"))
    time.sleep(8)
    ran = splitjoin_s3(*command(bucket, "dask/", cluster.engine))
    assert ran.code == 1
    assert "has splitjoin 9.9.9" in ran.stderr
    assert "install the same splitjoin, on the same Python, on all workers" in ran.stderr
    assert bucket.keys("dask/") == []
    cluster.workers[-1].kill()
    time.sleep(2)
    process = splitjoin_s3.begin(*command(bucket, "dask/", cluster.engine))
    time.sleep(3)
    for _ in range(2):
        cluster.add_worker("--preload", str(tmp_path / "other.py"))
    for worker in cluster.workers[:2]:
        time.sleep(3)
        worker.kill()
    _, err = process.communicate(timeout=240)
    assert process.returncode in (0, 1)
    assert process.returncode == 0 or b"a worker has splitjoin 9.9.9" in err, err
    splitjoin_s3.ok(*command(bucket, "dask/", "threads"))
    assert stored(bucket, "dask/") == wanted


def certificates(directory: Path, name: str) -> tuple[str, str]:
    """A certificate that is its own authority, and its key; for the loopback interface."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(directory / f"{name}.pem"), str(directory / f"{name}.key")


def test_over_tls(tmp_path: Path, splitjoin_s3: Splitjoin, bucket: Bucket, wanted: dict[str, object]) -> None:
    """With Dask's own configuration of certificates; another certificate is an error that says where to look."""

    def environment(certificate: str, key: str) -> dict[str, str]:
        tls = "DASK_DISTRIBUTED__COMM__TLS__"
        roles = {f"{tls}{role}__{what}": path for role in ("SCHEDULER", "WORKER", "CLIENT")
                 for what, path in (("CERT", certificate), ("KEY", key))}  # fmt: skip
        return {f"{tls}CA_FILE": certificate, **roles}

    ours = environment(*certificates(tmp_path, "ours"))
    with ExitStack() as stack:
        directory = tmp_path / "dask"
        directory.mkdir()
        own = start(stack, directory, {**bucket.env, **ours}, "--protocol", "tls")
        own.add_worker()
        assert own.address.startswith("tls://")
        splitjoin_s3.within(**ours).ok(*command(bucket, "dask/", own.engine))
        assert stored(bucket, "dask/") == wanted
        with serving(bulk(60 * MIB)) as served:  # with a query, which goes to workers over TLS, and into no log
            source = f"{served.url}?token=hunter2"
            ran = splitjoin_s3.within(**ours).ok("split", source, f"{bucket.uri}web/", *OPTIONS, "--engine", own.engine)
            splitjoin_s3.within(**ours).ok("verify", f"{bucket.uri}web/", "--source", source, "--engine", own.engine)
            assert all("token=hunter2" in path for path in served.paths)
        assert "hunter2" not in ran.stdout + ran.stderr + (directory / "workers.log").read_text()
        chunks = {name: held[:2] for name, held in wanted.items() if isinstance(held, tuple)}
        assert {name: held[:2] for name, held in stored(bucket, "web/").items() if isinstance(held, tuple)} == chunks
        began = time.monotonic()
        other = splitjoin_s3.within(**environment(*certificates(tmp_path, "theirs")))
        ran = other(*command(bucket, "x/", own.engine))
        assert ran.code == 1
        assert f"cannot reach the Dask scheduler {own.address}" in ran.stderr
        assert "distributed.comm.tls" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert time.monotonic() - began < 60


def test_ten_thousand_units_take_no_memory(tmp_path: Path, cluster: DaskCluster) -> None:
    """Neither here nor in the scheduler: what is answered is forgotten."""
    from splitjoin_cli.splitting.engines.dask import DaskEngine  # noqa: PLC0415 -- an extra

    path = tmp_path / "acme.csv"
    path.write_bytes(b"a,b\n" * 100)
    opened = LocalSource(str(path))
    opened.close()
    source = SourceSpec(str(path), opened.properties.validator, 400, Reach())
    alphabet = Alphabet.of(Dialect())
    engine, answered, peak = DaskEngine(cluster.address), 0, list[int]()

    def done(_: Answer) -> None:
        nonlocal answered
        answered += 1
        if answered % 1000 == 0:
            peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    began = time.monotonic()
    Dispatcher(engine).run(
        Work(ScanUnit(release(), source, n, ByteRange(0, 400), alphabet, 1, False, b"", None, None), done)  # noqa: FBT003
        for n in range(10_000)
    )
    print(f"\n{(time.monotonic() - began) / 10:.1f} ms a unit; KiB at most by thousands: {peak}")  # noqa: T201
    [theirs] = engine._client.run_on_scheduler(lambda dask_scheduler: [len(dask_scheduler.tasks)])
    engine.close()
    assert (answered, theirs) == (10_000, 0)
    assert peak[-1] - peak[1] < 20 * 1024
