"""The installed command on exports behind http: one version or an error, and no secret anywhere."""

from __future__ import annotations

import gzip
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.csvs import bulk, check, export
from tests.seldom import seldom
from tests.stores.sources.http_server import Misbehaviour, Resource, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.command import Ran, Splitjoin

EXPORT = bulk(3_000_000)
OTHER = EXPORT[:-200] + EXPORT[-200:].replace(b"name", b"game")
"""As long, and other near its end."""
NAMED = ("--client", "acme", "--date", "d", "--chunk-size", "400KB")
TOKEN = "t0k3n"  # noqa: S105 -- to be looked for
NETRC_HINT = (
    "leave it out, and put it into ~/.netrc, or into the file that NETRC names: "
    "machine HOST login USER password PASSWORD"
)
TWICE = ("--compress", "gzip")
"""The source is read once to find the records, and once more to store them."""


@pytest.fixture
def resource() -> Iterator[Resource]:
    """The export, served well."""
    with serving(EXPORT) as resource:
        yield resource


def stored(splitjoin: Splitjoin) -> list[str]:
    """What lies in the destination, temporary files too."""
    out = splitjoin.directory / "out"
    return sorted(path.name for path in out.iterdir()) if out.is_dir() else []


def split(splitjoin: Splitjoin, resource: Resource, *options: str) -> Ran:
    """Split what is served, with a JSON document."""
    return splitjoin("split", resource.url, "out", *NAMED, *options, "--json")


def is_whole(splitjoin: Splitjoin, ran: Ran, source: bytes) -> bool:
    """Whether a split into ``out`` holds all its laws."""
    assert ran.code == 0, ran
    check(ran.document, source, lambda name: (splitjoin.directory / "out" / name).read_bytes())
    return True


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("ranges", [True, seldom(False)])
def test_broken_connection(splitjoin: Splitjoin, resource: Resource, *, etags: bool, ranges: bool) -> None:
    """Every server that has the same file is read over a broken connection."""
    resource.etags, resource.ranges = etags, ranges
    resource.break_after = [len(EXPORT), 1_500_000]
    assert is_whole(splitjoin, split(splitjoin, resource), EXPORT)


@pytest.mark.parametrize("options", [(), TWICE], ids=["one pass", "two passes"])
@pytest.mark.parametrize(
    "misbehaviour",
    [
        "ranges whatever If-Range says",
        seldom("ranges from another start"),
        seldom("ranges of another total"),
        "ranges by precondition",
    ],
)
def test_range_of_another_version(
    splitjoin: Splitjoin, resource: Resource, misbehaviour: Misbehaviour, options: tuple[str, ...]
) -> None:
    """A connection that breaks, and goes on with another file as long, is exit 1, and nothing is stored."""
    resource.misbehaviour = misbehaviour
    resource.break_after, resource.versions = [len(EXPORT), 1_500_000], [EXPORT, OTHER]
    ran = split(splitjoin, resource, *options)
    assert ran.code == 1
    assert ran.error["message"].startswith(f"{resource.url} changed while it was read: ")
    assert [name for name in stored(splitjoin) if name.endswith((".csv", ".gz", ".json"))] == []


@pytest.mark.parametrize("etags", [True, False])
def test_another_version_for_the_second_pass(splitjoin: Splitjoin, resource: Resource, *, etags: bool) -> None:
    """With a validator the second pass does not begin; without one the first chunk that differs ends it."""
    resource.etags = etags
    size = len(EXPORT)
    resource.break_after, resource.versions = [size, size], [EXPORT, OTHER]  # "cut" at the end: nothing is lost
    ran = split(splitjoin, resource, *TWICE)
    assert ran.code == 1
    assert "chang" in ran.error["message"] or "is not what was scanned: chunk 8 is other" in ran.error["message"]
    assert not any(name.startswith("acme_d-8-") or "manifest" in name for name in stored(splitjoin))


def test_gzip_that_changes(splitjoin: Splitjoin, resource: Resource) -> None:
    """Compressed exports are held to the same."""
    resource.data = gzip.compress(EXPORT, 1)
    whole = split(splitjoin, resource)
    assert is_whole(splitjoin, whole, EXPORT)
    shutil.rmtree(splitjoin.directory / "out")
    resource.misbehaviour = "ranges whatever If-Range says"
    resource.break_after = [10**9, 10**9, 300_000]
    resource.versions = [resource.data, resource.data, gzip.compress(OTHER, 1)]
    ran = split(splitjoin, resource)
    assert ran.code == 1
    assert "changed while it was read: " in ran.error["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("split", "{url}", "out"),
        ("simulate", "{url}"),
        ("verify", "out", "--source", "{url}"),
    ],
)
@pytest.mark.parametrize("login", ["alice:hunter2", seldom("hunter2"), seldom(":hunter2")])
def test_login_in_the_url(splitjoin: Splitjoin, resource: Resource, arguments: tuple[str, ...], login: str) -> None:
    """A login on the command line is a usage error that names netrc and does not repeat it; nothing is asked for."""
    url = resource.url.replace("http://", f"http://{login}@")
    ran = splitjoin(*(word.format(url=url) for word in arguments), "--json", "-v")
    assert (ran.code, ran.error["hint"]) == (2, NETRC_HINT)
    assert ran.error["message"] == "the http URL holds a login, and all users of this machine can read command lines"
    assert "hunter2" not in ran.stdout + ran.stderr
    assert resource.requests == []


def test_login_from_netrc(splitjoin: Splitjoin, resource: Resource) -> None:
    """NETRC's file, and ~/.netrc, are used; without them the error names them."""
    resource.credentials = "alice:hunter2"
    refused = split(splitjoin, resource)
    assert (refused.code, refused.error["message"]) == (1, f"cannot open {resource.url}: the server answered 401")
    netrc = splitjoin.directory / ".netrc"
    netrc.write_text("machine 127.0.0.1 login alice password hunter2\n")
    netrc.chmod(0o600)
    by_home = splitjoin("split", resource.url, "home", *NAMED, HOME=str(splitjoin.directory))
    assert by_home.code == 0, by_home
    moved = netrc.rename(splitjoin.directory / "logins")
    by_variable = splitjoin.within(NETRC=str(moved))
    assert is_whole(splitjoin, split(by_variable, resource), EXPORT)
    verified = by_variable("verify", "out", "--source", resource.url)
    assert verified.code == 0, verified


def everything(splitjoin: Splitjoin, *runs: Ran) -> bytes:
    """All that was said and stored."""
    texts = [ran.out + ran.stderr.encode() for ran in runs]
    files = [path for path in splitjoin.directory.rglob("*") if path.is_file() and path.suffix != ".csv"]
    return b"".join([*texts, *(path.read_bytes() for path in files), *(str(path).encode() for path in files)])


def test_token_in_the_query_is_never_shown(splitjoin: Splitjoin, resource: Resource) -> None:
    """It reaches the server, and no output, manifest, plan, tracker or error."""
    url = f"{resource.url}?X-Signature={TOKEN}&part=1#{TOKEN}"
    talk = ("-v", "--tracker", "sqlite:jobs.db")
    done = splitjoin("split", url, "out", "--chunk-size", "400KB", *talk)
    assert done.code == 0, done
    assert all(f"X-Signature={TOKEN}" in path for path in resource.paths)
    again = splitjoin("split", url, "out", "--json", "--dry-run", "--chunk-size", "400KB")
    assert (again.code, again.document["source"]["uri"]) == (0, resource.url)
    verified = splitjoin("verify", "out", "--source", url, "-v")
    assert verified.code == 0, verified
    taken = splitjoin("split", url, "out", "--chunk-size", "300KB", "-v")
    assert taken.code == 11
    simulated = splitjoin("simulate", url, "--rows", "20000", "-v")
    assert simulated.code == 0, simulated
    missing = splitjoin("split", url.replace("export", "other"), "out", "-v")
    assert missing.code == 1
    resource.data = b'id,"na"me\n'
    broken = splitjoin("split", url, "bad", "-v")
    assert broken.code == 4
    said = everything(splitjoin, done, again, verified, taken, simulated, missing, broken)
    assert TOKEN.encode() not in said
    assert b"X-Signature" not in said


def test_resume_leaves_the_query_out_and_says_so(splitjoin: Splitjoin, resource: Resource) -> None:
    """The command that resumes has the URL without its query; the hint says what to add."""
    resource.break_after = [len(EXPORT), 1_000_000]
    process = splitjoin.begin("split", f"{resource.url}?token={TOKEN}", "out", *NAMED, "-v")
    while resource.break_after:
        assert process.poll() is None
    resource.refusals = [503] * 9
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    expected = (
        "Hint: no chunk is stored yet, so the source is read again from its beginning; to resume, type: "
        f"splitjoin split --client=acme --date=d --chunk-size=400000 -- {resource.url} out "
        "(and add the query of SOURCE's URL, which is not shown here)\n"
    )
    assert stderr.decode().endswith(expected)


def test_odd_servers_are_read(splitjoin: Splitjoin) -> None:
    """Redirects, answers in pieces, silent HEADs: the export is the same."""
    data = export(40_000)
    for misbehaviour in ("ranges answered in pieces", "HEAD of another size", "whole file without a validator"):
        with serving(data) as resource:
            resource.redirects, resource.misbehaviour = True, misbehaviour
            resource.break_after = [len(data), 200_000]
            assert is_whole(splitjoin, split(splitjoin, resource), data)
        shutil.rmtree(splitjoin.directory / "out")
