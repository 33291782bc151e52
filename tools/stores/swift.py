"""OpenStack Swift with its S3 API: its four servers, one device, no memcached."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tests.servers.processes import free_ports, running
from tests.servers.s3 import S3Server
from tools.stores.base import Store
from tools.stores.packaged import answers
from tools.stores.programs import FETCHED, debian_environment, distribution, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["SWIFT"]

KINDS = ("object", "container", "account")
USER, SECRET = ("splitjoin", "stores"), "splitjoin-stores-secret-key"
SETTINGS = """\
[swift-hash]
swift_hash_path_suffix = splitjoin
[storage-policy:0]
name = one
default = yes
"""
RAISED = """\
[swift-constraints]
max_meta_value_length = 2048
"""
SERVER = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {place}
devices = {place}/devices
mount_check = false
user = root
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = f"""\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {{port}}
workers = 0
swift_dir = {{place}}
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_{USER[0]}_{USER[1]} = {SECRET} .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""
RUN = (
    "import sys, importlib; from swift.common import utils; utils.SWIFT_CONF_FILE = sys.argv.pop(1)\n"
    "from swift.common.wsgi import run_wsgi\n"
    "sys.exit(run_wsgi(sys.argv[1], sys.argv[2] + '-server', default_port=0))"
)
"""Its programs read /etc/swift/swift.conf alone."""


@contextmanager
def _swift(limits: str, directory: Path) -> Iterator[S3Server]:
    """Three servers behind their rings, and the proxy before them."""
    ports = dict(zip((*KINDS, "proxy"), free_ports(4), strict=True))
    (directory / "devices" / "one").mkdir(parents=True)
    (directory / "swift.conf").write_text(SETTINGS + limits)
    with ExitStack() as stack:
        for kind in KINDS:
            builder = str(directory / f"{kind}.builder")
            for words in (("create", "4", "1", "0"), ("add", f"r1z1-127.0.0.1:{ports[kind]}/one", "1"), ("rebalance",)):
                _build(builder, *words)
            stack.enter_context(_server(directory, kind, SERVER, ports[kind]))
        stack.enter_context(_server(directory, "proxy", PROXY, ports["proxy"]))
        yield S3Server(f"http://127.0.0.1:{ports['proxy']}", ":".join(USER), SECRET)


@contextmanager
def _server(directory: Path, kind: str, settings: str, port: int) -> Iterator[None]:
    place = directory / kind
    place.mkdir()
    (place / "server.conf").write_text(settings.format(port=port, place=directory, kind=kind))
    python = str(FETCHED / "env" / "bin" / "python")
    command = [python, "-c", RUN, str(directory / "swift.conf"), str(place / "server.conf"), kind]
    with running(command, directory=place, ready=lambda: answers(port), environment=debian_environment(), group=True):
        yield


def _build(builder: str, *words: str) -> None:
    """Rings: a warning (exit code 1) says that one device is few."""
    done = subprocess.run(
        [program("swift-ring-builder"), builder, *words], capture_output=True, check=False, timeout=60
    )
    if done.returncode > 1:
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)


def _store(name: str, *, limits: str = "") -> Store:
    return Store(
        name, "Apache-2.0", "PyPI, swift", partial(_swift, limits), lambda: distribution(FETCHED / "env", "swift")
    )


SWIFT: Sequence[Store] = (
    _store("OpenStack Swift, s3api"),
    _store("OpenStack Swift, s3api, max_meta_value_length = 2048", limits=RAISED),
)
