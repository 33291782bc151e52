"""AWS's errors, as codes and as ours: the one place where they are told apart and translated."""

from __future__ import annotations

import http.client
import re
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions as aws_errors
import urllib3.exceptions
from botocore.parsers import ResponseParserError as UnreadableAnswerError

from splitjoin_cli.core.aws.redirects import redirected_to
from splitjoin_cli.core.errors import AccessError, CorruptObjectError, NotFoundError, SplitjoinError, StoreError

__all__ = [
    "CREDENTIAL_CODES",
    "DENIED_CODES",
    "ERRORS",
    "EXPIRED_CODES",
    "UnreadableAnswerError",
    "error_code",
    "host_of",
    "is_denied",
    "is_throttling",
    "is_transient",
    "never_connected",
    "raised_by_body",
    "says_nothing",
    "translate",
]


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


THROTTLING_CODES = _codes(
    "SlowDown Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException"
    " RequestLimitExceeded BandwidthLimitExceeded TooManyRequests TooManyRequestsException"
    " ProvisionedThroughputExceededException 429"
)
# ConditionalRequestConflict is S3's answer to a conditional write that met another one: "retry the upload".
# TransactionConflictException is DynamoDB's to a write of an item that somebody's transaction holds just then.
TRANSIENT_CODES = THROTTLING_CODES | _codes(
    "InternalError InternalFailure ServiceUnavailable RequestTimeout RequestTimeoutException PriorRequestNotComplete"
    " TransactionInProgressException TransactionConflictException ConditionalRequestConflict"
)
# 408: load balancers say so on a connection that they end, also unasked, just when the next request goes out on it.
TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
EXPIRED_CODES = _codes("ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired")
CREDENTIAL_CODES = _codes(
    "InvalidAccessKeyId InvalidClientTokenId InvalidToken SignatureDoesNotMatch UnrecognizedClientException"
    " IncompleteSignature IncompleteSignatureException MissingAuthenticationToken"
)
DENIED_CODES = _codes("AccessDenied AccessDeniedException AllAccessDisabled AccountProblem UnauthorizedAccess 403 401")
OTHER_REGION_CODES = _codes(
    "PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException 301"
)
MISSING_CODES = _codes("NoSuchKey NoSuchVersion NotFound ResourceNotFoundException 404")
MISSING_QUEUE_CODES = _codes(
    "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist AWS.SimpleQueueService.QueueDoesNotExist InvalidAddress"
)
CORRUPT_CODES = _codes("BadDigest InvalidDigest XAmzContentChecksumMismatch XAmzContentSHA256Mismatch")

# IAM's words for what exactly was denied: a key of KMS may be closed though the bucket is open.
_DENIED = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9*]+)(?: on (?:the )?resource: \"?([^\s\"]+))?")

# Codes of a service's answer, our error, its text and hint. The texts may use {code}, {permission}, {region}, {denied}.
ANSWERS: tuple[tuple[frozenset[str], type[SplitjoinError], str, str | None], ...] = (
    (EXPIRED_CODES, AccessError, "the AWS credentials have expired", "get new ones (aws sso login) and run again"),
    (
        CREDENTIAL_CODES,
        AccessError,
        "the AWS credentials are not valid ({code})",
        "check --profile or AWS_ACCESS_KEY_ID",
    ),
    (DENIED_CODES, AccessError, "access denied{denied}", "the identity in use needs {permission}"),
    (
        _codes("400"),
        AccessError,
        "refused, without a reason",
        "have the credentials expired? Is the region right? {permission} is what is needed",
    ),
    (_codes("NoSuchBucket"), NotFoundError, "the bucket does not exist", "check its name, or make it (aws s3 mb)"),
    (
        MISSING_QUEUE_CODES,
        NotFoundError,
        "the queue does not exist",
        "check its URL, its region and its account; aws sqs list-queues shows those that are there",
    ),
    (OTHER_REGION_CODES, StoreError, "the bucket is in another region", "use --region {region}"),
    (MISSING_CODES, NotFoundError, "not found", None),
    (CORRUPT_CODES, CorruptObjectError, "the store received other bytes than were announced ({code})", None),
    (THROTTLING_CODES, StoreError, "the store asks to slow down ({code})", "run again with fewer --jobs"),
    (_codes("RequestTimeTooSkewed"), StoreError, "this machine's clock is wrong", "set the clock and run again"),
    (_codes("InvalidObjectState"), StoreError, "the object is archived", "restore it first (aws s3api restore-object)"),
)
PROFILE_HINT = "use --profile, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
LOGIN_HINT = "aws sso login, or another --profile"
# The same for errors that were met before the service answered.
FAILURES: tuple[tuple[tuple[type[BaseException], ...], type[SplitjoinError], str, str], ...] = (
    ((aws_errors.NoCredentialsError,), AccessError, "no AWS credentials were found", PROFILE_HINT),
    (
        (aws_errors.PartialCredentialsError,),
        AccessError,
        "half of the AWS credentials is missing: the id of the key, or its secret",
        PROFILE_HINT,
    ),
    ((aws_errors.NoRegionError,), StoreError, "no region is set", "use --region or set AWS_REGION"),
    ((aws_errors.SSLError,), StoreError, "no trusted TLS connection", "set AWS_CA_BUNDLE to the authority's file"),
    (
        (UnreadableAnswerError,),
        StoreError,
        "the answer cannot be read",
        "check --endpoint-url: does this service listen there, or does a proxy answer in its place?",
    ),
)
ERRORS = (aws_errors.ClientError, aws_errors.BotoCoreError, UnreadableAnswerError)

# The permission that an operation needs, where it is called otherwise.
PERMISSIONS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject, and s3:GetObject on the source",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
}


def error_code(error: BaseException) -> str:
    """The service's own word for the error, ``""`` where the service said nothing."""
    if isinstance(error, aws_errors.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def is_denied(error: BaseException) -> bool:
    """Whether the identity in use may not do it."""
    return error_code(error) in DENIED_CODES


def is_throttling(error: BaseException) -> bool:
    """Whether the service asks to be asked less often."""
    return error_code(error) in THROTTLING_CODES or _status(error) == 429  # noqa: PLR2004 -- RFC 6585, section 4


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later: throttling, 5xx, a lost or refused connection, a timeout."""
    if isinstance(error, aws_errors.ClientError):
        return error_code(error) in TRANSIENT_CODES or _status(error) in TRANSIENT_STATUSES
    if isinstance(error, aws_errors.SSLError):
        return "CERTIFICATE" not in str(error).upper()
    if isinstance(error, (aws_errors.ProxyConnectionError, aws_errors.InvalidProxiesConfigError)):
        return False
    lost = (
        aws_errors.ConnectionError,
        aws_errors.HTTPClientError,
        aws_errors.ResponseStreamingError,
        aws_errors.IncompleteReadError,
    )
    return isinstance(error, lost) and raised_by_body(error) is None


def raised_by_body(error: BaseException) -> Exception | None:
    """The exception that a request's own body raised while it was sent, which botocore wraps as if the network had."""
    inner = error.kwargs.get("error") if isinstance(error, aws_errors.HTTPClientError) else None
    network = (OSError, EOFError, http.client.HTTPException, urllib3.exceptions.HTTPError)
    return inner if isinstance(inner, Exception) and not isinstance(inner, network) else None


def never_connected(error: BaseException) -> bool:
    """Whether no connection came about at all: waiting long for a misspelt host helps nobody."""
    return isinstance(error, (aws_errors.EndpointConnectionError, aws_errors.ConnectTimeoutError))


def says_nothing(error: BaseException) -> bool:
    """Whether the answer is an error without code and message: an empty ``<Error/>``, or a proxy's page of that name.

    botocore takes such a page for a server's error, and it is of no use to wait long for the end of it.
    """
    return isinstance(error, aws_errors.ClientError) and not error_code(error) and not _said(error)


def _said(error: aws_errors.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")).strip().rstrip(".")


def translate(error: BaseException, operation: str, uri: str) -> SplitjoinError:
    """Our error for ``error``, met by ``operation`` (``s3:PutObject``) on ``uri``; raise it ``from error``.

    Nothing secret gets into the message: connection errors are told in our words, since theirs quote URLs.
    """
    if isinstance(error, aws_errors.ClientError):
        return _translate_answer(error, operation, uri)
    return _translate_local(error, f"{operation} {uri}")


def _translate_answer(error: aws_errors.ClientError, operation: str, uri: str) -> SplitjoinError:
    """For an error that the service answered with."""
    code, what = error_code(error), f"{operation} {uri}"
    if (elsewhere := redirected_to(error)) is not None:
        return StoreError(f"{what}: the endpoint redirects to {elsewhere}", hint=f"use --endpoint-url {elsewhere}")
    for codes, kind, text, hint in ANSWERS:
        if code in codes:
            permission, denied = _needed(error, operation)
            words = {"code": code, "permission": permission, "region": _region(error), "denied": denied}
            return kind(f"{what}: {text.format_map(words)}", hint=hint and hint.format_map(words))
    said = _said(error)
    if says_nothing(error):
        return StoreError(
            f"{what}: an error without code and message", hint="look at the store, or at a proxy before it"
        )
    return StoreError(f"{what}: {': '.join(filter(None, (code, said)))}")


def _needed(error: aws_errors.ClientError, operation: str) -> tuple[str, str]:
    """The permission that is missing, and what to add to the message where it is not the operation's own."""
    usual = PERMISSIONS.get(operation, operation)
    found = _DENIED.search(str(error.response.get("Error", {}).get("Message", "")))
    if found is None or found[1] in usual:
        return usual, ""
    needed = f"{found[1]} on {found[2]}" if found[2] else found[1]
    return needed, f": no {needed}"


def _translate_local(error: BaseException, what: str) -> SplitjoinError:
    """For an error met before the service answered: credentials, configuration, the network."""
    name = type(error).__name__
    for kinds, kind, text, hint in FAILURES:
        if isinstance(error, kinds):
            return kind(f"{what}: {text}", hint=hint)
    # By name, because botocore grows new ones: SSOTokenLoadError, UnauthorizedSSOTokenError, TokenRetrievalError, ...
    if any(word in name for word in ("Token", "SSO", "Credential", "Login")):
        return AccessError(f"{what}: the AWS credentials could not be loaded ({name})", hint=LOGIN_HINT)
    if isinstance(error, aws_errors.ProfileNotFound):
        return AccessError(f"{what}: {error}", hint="aws configure list-profiles shows those that are there")
    if never_connected(error):
        url = str(getattr(error, "kwargs", {}).get("endpoint_url", ""))
        where = host_of(url) or "the endpoint"
        return StoreError(f"{what}: cannot connect to {where}", hint="check --endpoint-url and the network")
    if is_transient(error):
        return StoreError(f"{what}: the connection was lost ({name})", hint="run it again")
    return StoreError(f"{what}: {name}: {error}")


def _status(error: BaseException) -> int:
    if isinstance(error, aws_errors.ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def _region(error: aws_errors.ClientError) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said: Any = error.response.get("Error", {})
    return str(headers.get("x-amz-bucket-region") or said.get("Region") or "with the bucket's region")


def host_of(url: str) -> str:
    """Host and port of a URL, without user, password, path or query."""
    return urlsplit(url).netloc.rpartition("@")[2]
