"""A URL that has no parts is a usage error wherever one is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

TORN = "http://[::1/a.csv?token=secret"


@pytest.mark.parametrize(
    "arguments",
    [
        ["split", TORN, "chunks"],
        ["split", TORN, "chunks", "--client", "a", "--date", "1"],
        ["split", TORN.replace("http", "file"), "chunks", "--client", "a"],
        ["inspect", TORN],
        ["worker", TORN, "--into", "sqlite:x.db", "--tracker", "sqlite:t.db"],
        ["simulate", "a.csv", "--on-join", f"sqs:{TORN}"],
    ],
    ids=lambda words: " ".join(words[::2]).replace(TORN, "URL"),
)
def test_a_torn_url_is_a_usage_error(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splitjoin: Callable[..., Ran]
) -> None:
    """Python's ValueError ended as a bug; what may be a token is not repeated."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"id\n1\n")
    ran = splitjoin(*arguments, "--json")
    assert (ran.code, ran.document["error"]["message"]) == (2, "the host of a URL is not complete")
    assert ran.document["error"]["hint"] == "check the URL: it is SCHEME://HOST/PATH"


def test_info_shows_an_endpoint_that_is_no_url(splitjoin: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be looked for when nothing works must not fail by it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", TORN)
    ran = splitjoin("info", "--json")
    assert ran.code == 0
    assert ran.document["environment"]["AWS_ENDPOINT_URL"] == "(set, and not a URL)"
