"""SeaweedFS behind proxies that write headers anew: each with its own defaults, and Host and bodies let through."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import servers
from tests.servers import odd_stores
from tests.servers.processes import free_ports, running
from tests.servers.proxy import proxied
from tools.stores.base import Store
from tools.stores.packaged import SEAWEEDFS, answers
from tools.stores.programs import debian_environment, program, told_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.servers.s3 import S3Server

__all__ = ["BEHIND"]

CADDY = """\
{{
    admin off
    auto_https off
    skip_install_trust
    storage file_system {place}/storage
}}
http://127.0.0.1:{port} {{
    bind 127.0.0.1
    reverse_proxy {target}
}}
"""
HAPROXY = """\
defaults
    mode http
    timeout connect 10s
    timeout client 120s
    timeout server 120s
frontend front
    bind 127.0.0.1:{port}
    default_backend store
backend store
    server one {target}
"""
NGINX = """\
user root;
daemon off;
pid {place}/pid;
error_log {place}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{target};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


def _behind(words: Callable[[Path, int, str], Sequence[str]]) -> Callable[[Path], AbstractContextManager[S3Server]]:
    """A store behind a proxy: its ``words``, by a directory, a port and the store's address."""

    @contextmanager
    def start(directory: Path) -> Iterator[S3Server]:
        (port,) = free_ports(1)
        env = debian_environment(XDG_DATA_HOME=str(directory), XDG_CONFIG_HOME=str(directory))
        with servers.s3_server() as server:
            first, *rest = words(directory, port, server.endpoint_url.partition("//")[2])
            command = [program(first), *rest]
            with running(command, directory=directory, ready=lambda: answers(port), environment=env, group=True):
                yield replace(server, endpoint_url=f"http://127.0.0.1:{port}")

    return start


def _caddy(directory: Path, port: int, target: str) -> Sequence[str]:
    (directory / "Caddyfile").write_text(CADDY.format(port=port, target=target, place=directory))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")]


def _haproxy(directory: Path, port: int, target: str) -> Sequence[str]:
    (directory / "haproxy.cfg").write_text(HAPROXY.format(port=port, target=target))
    return ["haproxy", "-f", str(directory / "haproxy.cfg")]


def _nginx(directory: Path, port: int, target: str) -> Sequence[str]:
    (directory / "nginx.conf").write_text(NGINX.format(port=port, target=target, place=directory))
    return ["nginx", "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]


@contextmanager
def _odd(_: Path) -> Iterator[S3Server]:
    """As odd as all stores that were met, together."""
    with servers.s3_server() as server, proxied(server.endpoint_url) as proxy:
        proxy.alter = odd_stores.everything
        yield replace(server, endpoint_url=proxy.url)


BEHIND: Sequence[Store] = (
    Store(
        "SeaweedFS behind Caddy",
        "Apache-2.0",
        "Debian, caddy",
        _behind(_caddy),
        lambda: told_version("caddy", "version"),
    ),
    Store(
        "SeaweedFS behind HAProxy",
        "GPL-2.0",
        "Debian, haproxy",
        _behind(_haproxy),
        lambda: told_version("haproxy", "-v"),
    ),
    Store(
        "SeaweedFS behind nginx",
        "BSD-2-Clause",
        "Debian, nginx-core",
        _behind(_nginx),
        lambda: told_version("nginx", "-v"),
    ),
    Store(
        "SeaweedFS behind the tests' odd proxy",
        "MIT",
        "tests/servers/odd_stores.py",
        _odd,
        SEAWEEDFS.version,
    ),
)
