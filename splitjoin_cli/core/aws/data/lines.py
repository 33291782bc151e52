"""The connections to one host: kept while they are good, and made as botocore makes its own."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import botocore.exceptions as aws_errors
from botocore.httpsession import URLLib3Session, create_urllib3_context, get_cert_path

from splitjoin_cli.core.aws.data.known import UnusualRequestError
from splitjoin_cli.core.aws.data.wire import connect

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.data.wire import Answer, Connection, Outgoing

__all__ = ["Lines"]

PORTS = {"http": 80, "https": 443}


class Lines:
    """Connections to ``origin``, as many as are in use at once. Thread-safe."""

    def __init__(self, client: Any, origin: str) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
        """``client``: whose time-outs, socket options, authorities of certificates and proxies are taken.

        Raises UnusualRequestError where the way leads through a proxy, or a certificate of the client is wanted.
        """
        session: Any = client._endpoint.http_session  # noqa: SLF001 -- botocore shows it nowhere else; see Carrier
        settings = vars(session)
        proxied = settings["_proxy_config"].proxy_url_for(origin) is not None
        if not isinstance(session, URLLib3Session) or proxied or settings["_cert_file"] is not None:
            raise UnusualRequestError
        self.origin = origin
        parts = urlsplit(origin)
        self._host, self._port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        self._context = _context(settings["_verify"]) if parts.scheme == "https" else None
        self._options = settings["_socket_options"]
        self._config = client.meta.config
        self._idle: list[Connection] = []
        self._closed = False

    def send(self, head: bytes, body: Outgoing, *, expects: bool) -> Answer:
        """See Connection.exchange. Raises botocore's errors, those that its own session would raise."""
        connection = self._take()
        try:
            answer = connection.exchange(head, body, expects=expects)
        except BaseException as exc:
            connection.close()
            if isinstance(exc, TimeoutError):
                raise aws_errors.ReadTimeoutError(endpoint_url=self.origin, error=exc) from exc
            if isinstance(exc, ssl.SSLError):
                raise aws_errors.SSLError(endpoint_url=self.origin, error=exc) from exc
            if isinstance(exc, (OSError, http.client.HTTPException)):
                raise aws_errors.ConnectionClosedError(endpoint_url=self.origin, error=exc) from exc
            if isinstance(exc, Exception):  # the body's own
                raise aws_errors.HTTPClientError(error=exc) from exc
            raise
        if connection.usable and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Drop those that are not in use; the others are dropped after their request."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Connection:
        """One that was used last, as long as the server kept it; else a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            if not connection.is_stale():
                return connection
            connection.close()

    def _connect(self) -> Connection:
        config = self._config
        try:
            return connect(
                self._host,
                self._port,
                context=self._context,
                options=self._options,
                connect_seconds=config.connect_timeout,
                read_seconds=config.read_timeout,
            )
        except TimeoutError as exc:
            raise aws_errors.ConnectTimeoutError(endpoint_url=self.origin, error=exc) from exc
        except ssl.SSLError as exc:
            raise aws_errors.SSLError(endpoint_url=self.origin, error=exc) from exc
        except ConnectionResetError as exc:
            raise aws_errors.ConnectionClosedError(endpoint_url=self.origin, error=exc) from exc
        except OSError as exc:
            raise aws_errors.EndpointConnectionError(endpoint_url=self.origin, error=exc) from exc


def _context(verify: Any) -> ssl.SSLContext:  # noqa: ANN401 -- botocore's own value: True, False or a path
    """TLS as botocore has it, with the authorities that it would ask."""
    context: ssl.SSLContext = create_urllib3_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = True
        context.load_verify_locations(get_cert_path(verify))
    context.set_alpn_protocols(["http/1.1"])
    return context
