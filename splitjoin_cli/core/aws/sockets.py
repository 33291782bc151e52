"""Keeps the system from taking over megabytes that have not left: what is told as sent has then been sent."""

from __future__ import annotations

import socket
from typing import Any

__all__ = ["UNSENT_BYTES", "keep_little_unsent"]

UNSENT_BYTES = 64 * 1024
"""Each connection's buffer takes more only when less than this has not left (Linux keeps 4 MiB otherwise)."""


def keep_little_unsent(client: Any) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """Set TCP_NOTSENT_LOWAT (tcp(7)) on all connections to come: what is in flight is not limited by it.

    Progress alone depends on it, so it is left out where the system has no such option, or botocore, which has no
    setting for it, keeps its connections elsewhere.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    options = getattr(session, "_socket_options", None)  # a proxy's connections have them as well
    if option is not None and isinstance(options, list):
        options.append((socket.IPPROTO_TCP, option, UNSENT_BYTES))
