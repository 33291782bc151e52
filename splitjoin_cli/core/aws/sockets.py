"""Options of connections that botocore has no setting for.

Little is kept unsent: what is told as sent has then been sent. A connection on which an answer is waited for is kept
alive.
"""

from __future__ import annotations

import socket
from typing import Any

__all__ = ["UNSENT_BYTES", "keep_alive", "keep_little_unsent"]

UNSENT_BYTES = 64 * 1024
"""Each connection's buffer takes more only when less than this has not left (Linux keeps 4 MiB otherwise)."""
IDLE_SECONDS, PROBE_SECONDS, PROBES = 60, 20, 6
"""A NAT forgets a connection after 350 silent seconds (Lambda Developer Guide, "Invoking a function synchronously")."""


def keep_little_unsent(client: Any) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """Set TCP_NOTSENT_LOWAT (tcp(7)) on all connections to come: what is in flight is not limited by it.

    Progress alone depends on it, so it is left out where the system has no such option, or botocore, which has no
    setting for it, keeps its connections elsewhere.
    """
    _set(client, [(socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", UNSENT_BYTES)])


def keep_alive(client: Any) -> None:  # noqa: ANN401 -- see keep_little_unsent
    """Let the system ask on all connections to come whether the other side is still there, while nothing is said."""
    times = (("TCP_KEEPIDLE", IDLE_SECONDS), ("TCP_KEEPINTVL", PROBE_SECONDS), ("TCP_KEEPCNT", PROBES))
    _set(
        client, [(socket.SOL_SOCKET, "SO_KEEPALIVE", 1), *((socket.IPPROTO_TCP, name, value) for name, value in times)]
    )


def _set(client: Any, wanted: list[tuple[int, str, int]]) -> None:  # noqa: ANN401 -- see keep_little_unsent
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    options = getattr(session, "_socket_options", None)  # a proxy's connections have them as well
    if isinstance(options, list):
        known = ((level, getattr(socket, name, None), value) for level, name, value in wanted)
        options += [(level, option, value) for level, option, value in known if option is not None]
