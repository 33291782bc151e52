"""Logins from a secret of AWS Secrets Manager, in the JSON form that RDS keeps and rotates."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from typing import Any, final

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import StoreError, UsageError
from splitjoin_cli.stores.loaders.login import HIDDEN, Login

__all__ = ["SecretLogins", "check_secret_arn"]

ACTION = "secretsmanager:GetSecretValue"
ATTEMPTS = 4
# Service Authorization Reference, "Resource types defined by AWS Secrets Manager"; RDS's own names have a ``!``.
_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+")
_SHAPE = 'it is JSON with "username" and "password", as RDS writes it'


def check_secret_arn(arn: str) -> str:
    """The region in a secret's ARN. Raises UsageError, which does not repeat the text: it may be the secret itself."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise UsageError(
            "not the ARN of a secret",
            hint="--secret (SPLITJOIN_SECRET) is arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
        )
    return found[1]


@final
class SecretLogins:
    """Logins that Secrets Manager keeps, fetched once and, when the database refuses them, once more.

    The form is that of "JSON structure of AWS Secrets Manager database secrets": ``username`` and ``password``;
    ``host`` and ``port`` may be there. Thread-safe; one fetch serves all threads that were refused the same login.
    """

    def __init__(
        self,
        arn: str,
        options: aws.AwsOptions | None = None,
        *,
        client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
    ) -> None:
        """Nothing is fetched yet. The ARN's region beats that of ``options``. Raises UsageError."""
        region = check_secret_arn(arn)
        options = options or aws.AwsOptions()
        self._arn = arn
        self._options = replace(options, region=region)
        self._client = client
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._passwords: set[str] = set()

    @property
    def origin(self) -> str:
        """The ARN."""
        return self._arn

    def current(self) -> Login:
        """See Logins."""
        with self._lock:
            if self._login is None:
                self._login = self._fetched()
            return self._login

    def renewed(self, refused: Login) -> Login | None:
        """See Logins."""
        with self._lock:
            if self._login in {None, refused}:
                self._login = self._fetched()
            return None if self._login == refused else self._login

    def hide(self, text: str) -> str:
        """See Logins."""
        with self._lock:
            passwords = sorted(self._passwords, key=len, reverse=True)
        for password in passwords:
            text = text.replace(password, HIDDEN)
        return text

    def _fetched(self) -> Login:
        try:
            if self._client is None:
                self._client = aws.client("secretsmanager", self._options, connections=1, attempts=ATTEMPTS)
            answer = self._client.get_secret_value(SecretId=self._arn)
        except aws.ERRORS as exc:
            raise aws.translate(exc, ACTION, self._arn) from exc
        login = _login(answer.get("SecretString"), self._arn)
        if login.password:
            self._passwords.add(login.password)
        return login


def _login(text: object, arn: str) -> Login:
    """The login in a secret's text. What is wrong with it is told without a word of it."""
    try:
        fields = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise StoreError(f"{ACTION} {arn}: the secret is not a JSON object", hint=_SHAPE)
    for name in ("username", "password"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise StoreError(f"{ACTION} {arn}: the secret has no {name}", hint=_SHAPE)
    host, port = fields.get("host"), str(fields.get("port", ""))
    return Login(
        fields["username"],
        fields["password"],
        host if isinstance(host, str) else None,
        int(port) if port.isascii() and port.isdecimal() else None,
    )
