"""Log lines as JSON, one for each event, for log services that search by field."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

__all__ = ["JsonFormatter", "JsonLogs", "log_level"]

ALWAYS = ("file_name", "run_id", "chunk")
SOMETIMES = ("outcome", "loaded", "rows", "seconds", "error", "hint")
"""What log calls give as ``extra``; each is in the line where it was given."""
LEVELS = {"TRACE": "DEBUG", "DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARNING", "ERROR": "ERROR", "FATAL": "CRITICAL"}
"""Lambda's names of levels (Developer Guide, "Log-level filtering"), as ``logging`` has them."""
PACKAGE = "splitjoin_cli"
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the invocation under way. A context is a thread's own: one process may have several invocations at once."""


class JsonFormatter(logging.Formatter):
    """One line of JSON in ASCII: timestamp, level, message, request_id, file_name, run_id, chunk; null if unknown.

    ``request_id``: of the invocation under way in this thread, on every line until it is set anew.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line. A traceback is one field of it, and names no values."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            "timestamp": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
            "request_id": _request_id.get(),
            **{name: getattr(record, name, None) for name in ALWAYS},
            **{name: getattr(record, name) for name in SOMETIMES if hasattr(record, name)},
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["stack"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class JsonLogs:
    """This process's logs on one stream: the package's from ``level`` on, those of libraries from WARNING on."""

    def __init__(self, *, level: str = "INFO", stream: TextIO | None = None) -> None:
        """``stream``: None for standard output. Handlers that a runtime has put there go: each line appears once."""
        self._stream = stream or sys.stdout
        self._handler = logging.StreamHandler(self._stream)
        self._handler.setFormatter(JsonFormatter())
        root = logging.getLogger()
        root.handlers[:] = [self._handler]
        root.setLevel(logging.WARNING)
        logging.getLogger(PACKAGE).setLevel(level)

    def begin(self, request_id: str | None) -> None:
        """An invocation begins in this thread: its id is on every line of it from now on."""
        _request_id.set(request_id)

    def document(self, fields: Mapping[str, object]) -> None:
        """A line that is not a log record, such as metrics in CloudWatch's embedded format."""
        line = json.dumps(fields) + "\n"
        self._handler.acquire()  # another thread's line is not to begin within this one
        try:
            self._stream.write(line)
            self._stream.flush()
        finally:
            self._handler.release()


def log_level(environment: Mapping[str, str]) -> str:
    """What the function's logging configuration says, INFO without one."""
    return LEVELS.get(environment.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), "INFO")
