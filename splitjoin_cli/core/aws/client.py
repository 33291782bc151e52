"""The only maker of AWS clients; whoever uses one finds here, too, what its errors mean (errors.py)."""

from __future__ import annotations

import os
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import botocore.exceptions as aws_errors
import botocore.session
from botocore import __version__ as botocore_version
from botocore.config import Config

from splitjoin_cli.core import trace
from splitjoin_cli.core.aws.data.carrier import watch
from splitjoin_cli.core.aws.errors import (
    CREDENTIAL_CODES,
    DENIED_CODES,
    ERRORS,
    EXPIRED_CODES,
    UnreadableAnswerError,
    error_code,
    host_of,
    is_denied,
    is_throttling,
    is_transient,
    never_connected,
    raised_by_body,
    says_nothing,
    translate,
)
from splitjoin_cli.core.aws.limited import limit
from splitjoin_cli.core.aws.options import AwsOptions
from splitjoin_cli.core.aws.redirects import follow_once
from splitjoin_cli.core.aws.sockets import keep_little_unsent
from splitjoin_cli.core.gc_pause import uncollected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.bandwidth import Bandwidth

__all__ = [
    "CREDENTIAL_CODES",
    "DENIED_CODES",
    "ERRORS",
    "EXPIRED_CODES",
    "AwsOptions",
    "UnreadableAnswerError",
    "client",
    "error_code",
    "is_denied",
    "is_throttling",
    "is_transient",
    "never_connected",
    "raised_by_body",
    "says_nothing",
    "sdk_version",
    "translate",
]

ATTEMPTS = 10
CONNECT_TIMEOUT_SECONDS = 20
READ_TIMEOUT_SECONDS = 60
# S3's own home: what the AWS CLI takes too when nothing says otherwise, and what compatible stores accept.
FALLBACK_REGION = "us-east-1"
# In the AWS CLI's order and that of the newer SDKs; botocore itself knows only the second one.
VARIABLES = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}
_MAKING = threading.Lock()  # clients are thread-safe, sessions are not


def client(
    service: str,
    options: AwsOptions | None = None,
    *,
    connections: int = 8,
    attempts: int = ATTEMPTS,
    read_timeout_seconds: int = READ_TIMEOUT_SECONDS,
    bandwidth: Bandwidth | None = None,
) -> Any:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """A client of ``service`` (``s3``, ``dynamodb``, ...) for up to ``connections`` threads at once.

    ``attempts``: how often botocore itself tries a request; 1 where the caller repeats it. ``bandwidth``: what all
    bodies share, both ways. On S3 the payload is not
    hashed for the signature and no default checksum is added: each body that matters carries its own CRC-64/NVME,
    and compatible stores do not know botocore's trailers. Raises AccessError for an unknown profile, StoreError
    where the region is missing or the endpoint is no URL.
    """
    options = options or AwsOptions()
    try:
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=read_timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=connections,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            user_agent_extra="splitjoin",
        )
        with _MAKING, uncollected():
            if options.session is not None:
                made = _make_by(options.session, service, options, config)
            else:
                made = _make(_session(options, _environment()), service, options, config)
            if trace.heard():
                _tell_requests(made)
            if service == "s3":
                follow_once(made)
                keep_little_unsent(made)
                watch(made)
            if bandwidth is not None:
                limit(made, bandwidth)
            return made
    except (aws_errors.BotoCoreError, ValueError) as exc:
        raise translate(exc, service, "client") from exc


def _tell_requests(made: Any) -> None:  # noqa: ANN401 -- see client
    """Let each request of a client be told, with its answer and how long it took, repeats included."""
    service = made.meta.service_model.service_name

    def before(context: dict[str, Any], **_: object) -> None:
        context["splitjoin_began"] = time.monotonic()

    def after(http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:  # noqa: ANN401
        answer = parsed.get("ResponseMetadata", {})
        trace.note(
            "aws request",
            operation=f"{service}:{model.name}",
            status=http_response.status_code,
            request_id=answer.get("RequestId"),
            repeats=answer.get("RetryAttempts"),
            seconds=round(time.monotonic() - context.get("splitjoin_began", time.monotonic()), 6),
        )

    made.meta.events.register("before-call", before)
    made.meta.events.register("after-call", after)


@lru_cache(maxsize=8)
def _session(options: AwsOptions, environment: frozenset[tuple[str, str]]) -> botocore.session.Session:  # noqa: ARG001 -- a key
    """Configuration and credentials as the options and the environment have them: one for all clients that share both.

    A second client of one session takes 5 ms instead of 70, and role or single sign-on are asked for credentials once.
    It is not boto3's, whose own part (managed transfers, resource objects) is not used here and is slow to import.
    """
    session = botocore.session.Session(session_vars=VARIABLES)
    for name, value in (("profile", options.profile), ("region", options.region)):
        if value is not None:
            session.set_config_variable(name, value)
    return session


def _environment() -> frozenset[tuple[str, str]]:
    """What a session is made of beside the options: AWS_* variables, and where the user's own files are."""
    return frozenset(item for item in os.environ.items() if item[0].startswith("AWS_") or item[0] == "HOME")


def _make_by(session: Session, service: str, options: AwsOptions, config: Config) -> Any:  # noqa: ANN401 -- see client
    """A client of the caller's own session, boto3's: with its profile and credentials; region and endpoint may be ours.

    A payload is not hashed for the signature, as elsewhere; that one profile wants it hashed boto3 does not say.
    """
    if service == "s3":
        s3: Any = {"payload_signing_enabled": False}
        config = config.merge(Config(s3=s3))
    return _made(session.client, service, options.region or session.region_name, options, config)


def _make(session: botocore.session.Session, service: str, options: AwsOptions, config: Config) -> Any:  # noqa: ANN401 -- see client
    if service == "s3":
        s3: Any = {"payload_signing_enabled": False, **_profile_section(session, "s3")}
        config = config.merge(Config(s3=s3))
    region = session.get_config_variable("region")
    return _made(session.create_client, service, None if region is None else str(region), options, config)


def _made(make: Any, service: str, region: str | None, options: AwsOptions, config: Config) -> Any:  # noqa: ANN401 -- see client
    """``make`` called; without a region where none is needed."""
    if service == "s3" and region is None:
        region = FALLBACK_REGION
    try:
        return make(service, region_name=region, endpoint_url=options.endpoint_url, config=config)
    except aws_errors.NoRegionError:
        # An endpoint of one's own (an option, AWS_ENDPOINT_URL_*, a profile's) has no region to miss.
        made = make(service, region_name=FALLBACK_REGION, endpoint_url=options.endpoint_url, config=config)
        if host_of(made.meta.endpoint_url).endswith((".amazonaws.com", ".amazonaws.com.cn")):
            raise
        return made


def _profile_section(session: botocore.session.Session, name: str) -> Mapping[str, object]:
    """A nested section of the profile, as ``aws configure set`` writes them; empty where there is none."""
    section: object = session.get_scoped_config().get(name)
    if not isinstance(section, dict):
        return {}
    words = {"true": True, "false": False}
    return {key: words.get(str(value).lower(), value) for key, value in section.items()}


def sdk_version() -> str:
    """Of botocore."""
    return botocore_version
