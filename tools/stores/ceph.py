"""Ceph's object gateway on a cluster of one monitor and one daemon that keeps objects in memory: Debian's, unpacked."""

from __future__ import annotations

import subprocess
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.servers.processes import free_ports, running
from tests.servers.s3 import S3Server
from tools.stores.base import Store
from tools.stores.packaged import answers
from tools.stores.programs import DEBIAN, KEYS, debian_environment, program, told_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["CEPH"]

MODULES = DEBIAN / "usr" / "lib" / "python3" / "dist-packages"
LIBRARIES = DEBIAN / "usr" / "lib" / "x86_64-linux-gnu"
SETTINGS = """\
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{port}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_cluster_mode = crc
ms_service_mode = crc
ms_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_mon_client_mode = crc
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = {place}
admin_socket = {place}/$name.asok
pid_file = {place}/$name.pid
log_file = {place}/$name.log
mon_data = {place}/mon
osd_data = {place}/osd
rgw_data = {place}/rgw
osd_objectstore = memstore
memstore_device_bytes = 4294967296
plugin_dir = {libraries}/ceph
osd_class_dir = {libraries}/rados-classes
erasure_code_dir = {libraries}/ceph/erasure-code
"""


@contextmanager
def _ceph(directory: Path) -> Iterator[S3Server]:
    """Monitor, storage daemon, a user, the gateway."""
    monitor, gateway = free_ports(2)
    place = directory / "c"  # sockets have short paths
    for each in ("mon", "osd", "rgw"):
        (place / each).mkdir(parents=True)
    settings, fsid = place / "ceph.conf", str(uuid.uuid4())
    settings.write_text(SETTINGS.format(fsid=fsid, port=monitor, place=place, libraries=LIBRARIES))
    env = debian_environment(
        CEPH_CONF=str(settings), PYTHONPATH=str(DEBIAN / "usr" / "lib" / "python3" / "dist-packages")
    )
    osd = str(uuid.uuid4())
    _run(env, "monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{monitor}]", str(place / "map"))
    _run(env, "ceph-mon", "-i", "a", "--mkfs", "--monmap", str(place / "map"))
    with ExitStack() as stack:
        stack.enter_context(_daemon(place / "mon", env, "ceph-mon", "-i", "a"))
        _run(env, "/usr/bin/python3", program("ceph"), "osd", "new", osd)
        _run(env, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        stack.enter_context(_daemon(place / "osd", env, "ceph-osd", "-i", "0"))
        keys = ("--access-key", KEYS[0], "--secret-key", KEYS[1])
        _run(env, "radosgw-admin", "user", "create", "--uid", "splitjoin", "--display-name", "splitjoin", *keys)
        command = [program("radosgw"), "-n", "client.rgw.a", "-f"]
        command += ["--rgw-frontends", f"beast endpoint=127.0.0.1:{gateway}"]
        stack.enter_context(
            running(command, directory=place / "rgw", ready=lambda: answers(gateway), environment=env, group=True)
        )
        yield S3Server(f"http://127.0.0.1:{gateway}", *KEYS)


@contextmanager
def _daemon(place: Path, env: Mapping[str, str], *command: str) -> Iterator[None]:
    """In the foreground; what is asked of it waits for it by itself."""
    words = [program(command[0]), *command[1:], "-f"]
    with running(words, directory=place, ready=lambda: True, environment=env, group=True):
        yield


def _run(env: Mapping[str, str], *command: str) -> None:
    subprocess.run([program(command[0]), *command[1:]], env=env, check=True, capture_output=True, timeout=120)


CEPH = Store("Ceph object gateway", "LGPL-2.1", "Debian, radosgw", _ceph, lambda: told_version("radosgw", "--version"))
