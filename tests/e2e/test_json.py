"""The JSON documents of split, verify and merge: exactly the keys and types that scripts rely on."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.csvs import export, manifest

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.proxy import Proxy
    from tests.servers.s3 import Bucket

EXPORT = export(400)
NUMBER = (int, float)
TEXT_OR_NULL = (str, type(None))
INT_OR_NULL = (int, type(None))
RESULT = {
    "file_name": str, "run_id": str, "generation": int, "source": dict, "destination": str, "dialect": dict,
    "compression": TEXT_OR_NULL, "header_start": int, "header_bytes": int, "header_lines": int,
    "left_out": (dict, type(None)), "options": dict, "total_parts": int, "rows": INT_OR_NULL,
    "bytes": int, "chunks": list, "uploaded": int, "skipped": int, "failed": int, "warnings": list,
    "seconds": NUMBER, "resume": TEXT_OR_NULL,
}  # fmt: skip
SOURCE = {"uri": str, "bytes": INT_OR_NULL, "fingerprint": str}
DIALECT = {
    "delimiter": str, "quotechar": TEXT_OR_NULL, "escapechar": TEXT_OR_NULL, "header": bool,
    "line_end": TEXT_OR_NULL, "encoding": str,
}  # fmt: skip
WHOLE_DIALECT = DIALECT | {
    "nulls": (list, type(None)), "c_escapes": bool, "escape_in": str, "line_end_rule": str, "stray_quote": str,
    "skip_initial_space": bool, "skip_blank_lines": bool, "skip_repeated_headers": bool,
}  # fmt: skip
CHUNK = {
    "number": int, "name": str, "uri": str, "start": int, "end": int, "bytes": int, "stored_bytes": INT_OR_NULL,
    "rows": INT_OR_NULL, "checksum": TEXT_OR_NULL, "state": str, "error": TEXT_OR_NULL,
}  # fmt: skip
NOT_IN_THE_MANIFEST = {"uploaded", "skipped", "failed", "seconds", "resume", "destination", "options"}
NOT_IN_VERSION_1 = {"header_start", "left_out"}
NOT_IN_ITS_CHUNKS = {"state", "uri", "error"}


def check_shape(document: dict[str, Any], shape: dict[str, Any]) -> None:
    """All keys, no other, each of its type; a bool is no number."""
    assert set(document) == set(shape)
    for key, kind in shape.items():
        assert isinstance(document[key], kind), (key, document[key])
        assert isinstance(document[key], bool) == (kind is bool), (key, document[key])


def check_result(document: dict[str, Any], **more: Any) -> None:  # noqa: ANN401 -- types, and tuples of them
    """The document of a split, and every document in it."""
    check_shape(document, RESULT | more)
    check_shape(document["source"], SOURCE)
    check_shape(document["dialect"], WHOLE_DIALECT)
    for chunk in document["chunks"]:
        check_shape(chunk, CHUNK)
    assert document["bytes"] == sum(chunk["bytes"] for chunk in document["chunks"])
    states = [chunk["state"] for chunk in document["chunks"]]
    for state in ("uploaded", "failed"):
        assert document[state] == states.count(state)
    assert document["skipped"] == states.count("skipped") + states.count("stored")


def test_split_resume_and_dry_run(splitjoin: Splitjoin) -> None:
    """States are planned, uploaded, skipped, stored; a dry run stores nothing and says the same of the plan."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    command = ("split", "acme.csv", "out", "--date", "d", "--chunks", "3")
    planned = splitjoin.json(*command, "--dry-run")
    assert not (splitjoin.directory / "out").exists()
    stored, again = splitjoin.json(*command), splitjoin.json(*command)
    dry = splitjoin.json(*command, "--dry-run")
    documents = {"planned": planned, "uploaded": stored, "skipped": again, "stored": dry}
    for state, document in documents.items():
        check_result(document)
        options = {"chunk_size": None, "chunks": 3, "rows": None, "run_label": None, "strict": False}
        assert document["options"] == options
        assert {chunk["state"] for chunk in document["chunks"]} == {state}
        assert document["resume"] is None
        assert document["destination"] == f"{splitjoin.directory}/out/"
        assert [chunk["uri"] for chunk in document["chunks"]] == [
            f"{splitjoin.directory}/out/acme_d-{number}-3.csv" for number in (1, 2, 3)
        ]
        for chunk in document["chunks"]:
            assert re.fullmatch("crc64nvme:[A-Za-z0-9+/]{11}=", chunk["checksum"])
    volatile = {"seconds", "chunks", "uploaded", "skipped"}
    assert {k: v for k, v in planned.items() if k not in volatile} == {
        k: v for k, v in stored.items() if k not in volatile
    }


def test_manifest_is_the_result_less_what_changes(splitjoin: Splitjoin) -> None:
    """The manifest holds what the result says, but for what depends on when and where it ran."""
    (splitjoin.directory / "acme.csv.gz").write_bytes(gzip.compress(EXPORT))
    command = ("split", "acme.csv.gz", "out", "--date", "d", "--chunks", "3", "--compress", "zstd")
    result = splitjoin.json(*command)
    left_out = NOT_IN_THE_MANIFEST | NOT_IN_VERSION_1
    expected = {key: value for key, value in result.items() if key not in left_out} | {"version": 1}
    expected["dialect"] = {key: result["dialect"][key] for key in DIALECT}
    expected["chunks"] = [
        {key: value for key, value in chunk.items() if key not in NOT_IN_ITS_CHUNKS} for chunk in result["chunks"]
    ]
    assert manifest(splitjoin.directory / "out") == expected


def test_unknown_is_null(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """Where nothing was read (every newline ends a record, copied on the server), rows are null and not absent."""
    bucket.client().put_object(Bucket=bucket.name, Key="acme.csv", Body=EXPORT.replace(b'"', b"'"))
    options = ("--date", "d", "--chunks", "2", "--quotechar", "none")
    planned = splitjoin_s3.json("split", f"{bucket.uri}acme.csv", f"{bucket.uri}in/", *options, "--dry-run")
    check_result(planned)
    assert (planned["rows"], planned["dialect"]["line_end"], planned["dialect"]["quotechar"]) == (None, None, None)
    assert [chunk["checksum"] for chunk in planned["chunks"]] == [None, None]
    check_result(splitjoin_s3.json("split", f"{bucket.uri}acme.csv", f"{bucket.uri}in/", *options))


def test_partial_result(splitjoin_s3: Splitjoin, bucket: Bucket, proxy: Proxy) -> None:
    """Exit 3 prints the whole result, what failed and why, the command that resumes, and the error."""
    (splitjoin_s3.directory / "acme.csv").write_bytes(EXPORT)
    proxy.refuse = lambda asked: (403, "AccessDenied") if "-2-3" in asked.key else None
    command = ("split", "acme.csv", bucket.uri, "--date", "d", "--chunks", "3", "--json")
    ran = splitjoin_s3(*command, AWS_ENDPOINT_URL_S3=proxy.url)
    assert ran.code == 3
    check_result(ran.document, error=dict)
    assert [chunk["state"] for chunk in ran.document["chunks"]] == ["uploaded", "failed", "uploaded"]
    message = f"s3:PutObject {bucket.uri}acme_d-2-3.csv: access denied"
    assert [chunk["error"] for chunk in ran.document["chunks"]] == [None, message, None]
    resume = f"splitjoin split --client=acme --date=d --chunks=3 -- acme.csv {bucket.uri}"
    assert ran.document["resume"] == resume
    assert ran.error == {"code": 3, "message": "1 of 3 chunks failed", "hint": f"to resume, type: {resume}"}
    assert bucket.keys() == ["acme_d-1-3.csv", "acme_d-3-3.csv", "acme_d.plan.json"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("split",),
        ("split", "acme.csv"),
        ("split", "acme.csv", "-", "out"),
        ("split", "acme.csv", "out", "--nonsense"),
        ("split", "acme.csv", "out", "--chunk-size", "0"),
        ("split", "acme.csv", "out", "--chunk-size", "12parsecs"),
        ("split", "acme.csv", "out", "--chunks", "2", "--rows", "2"),
        ("split", "acme.csv", "out", "--delimiter", "123456789"),
        ("split", "acme.csv", "out", "--delimiter", '"'),
        ("split", "acme.csv", "out", "--client", "a/b"),
        ("split", "acme.csv", "out", "--date", "2024_01"),
        ("split", "acme.csv", "out", "--encoding", "klingon"),
        ("split", "acme.csv", "s3:///nobucket/"),
        ("split", "-", "out"),
        ("verify",),
        ("merge", "out", "-"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_usage_errors_are_documents(splitjoin: Splitjoin, arguments: tuple[str, ...]) -> None:
    """Whatever cannot be meant is exit 2 and one document, with a message, and nothing was made."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    ran = splitjoin(*arguments, "--json")
    assert ran.code == 2
    assert set(ran.document) == {"error"}
    assert ran.error["message"]
    assert ran.stderr == ""
    assert [path.name for path in splitjoin.directory.iterdir()] == ["acme.csv"]


def test_several_sources_are_one_document(splitjoin: Splitjoin) -> None:
    """Each has its result or its error, in the sources' order; the whole command resumes."""
    (splitjoin.directory / "a b.csv").write_bytes(EXPORT)
    (splitjoin.directory / "c_20240131.csv").write_bytes(EXPORT)
    ran = splitjoin("split", "a b.csv", "c*.csv", "out", "--json")
    bad, good = ran.document["splits"]
    assert ran.error == {
        "code": 3,
        "message": "1 of 2 sources failed",
        "hint": "to resume, type: splitjoin split -- 'a b.csv' 'c*.csv' out",
    }
    assert (ran.document["resume"], ran.document["done"]) == ("splitjoin split -- 'a b.csv' 'c*.csv' out", 1)
    assert (bad["source"]["uri"], bad["error"]["code"]) == ("a b.csv", 2)
    alone = splitjoin.json("split", "c_20240131.csv", "out")
    for volatile in ("seconds", "uploaded", "skipped", "chunks"):
        del alone[volatile], good[volatile]
    assert good == alone
    nothing = splitjoin("split", "none*.csv", "out", "--json")
    assert (nothing.code, nothing.document["splits"], nothing.error["message"]) == (
        1, [], "none*.csv matches no file to split",
    )  # fmt: skip


def test_verify_and_merge_documents(splitjoin: Splitjoin) -> None:
    """Verify says what is wrong with which chunk; merge refuses that set, and an output that is there."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    splitjoin.ok("split", "acme.csv", "out", "--date", "d", "--chunks", "3")
    assert splitjoin.json("verify", "out") == {"file_name": "acme_d", "ok": True, "problems": [], "mended": []}
    merged = splitjoin.json("merge", "out", "again.csv")
    assert (splitjoin.directory / "again.csv").read_bytes() == EXPORT
    assert (merged["file_name"], merged["bytes"], merged["rows"]) == ("acme_d", len(EXPORT), 400)
    refused = splitjoin("merge", "out", "again.csv", "--json")
    assert refused.code == 11
    assert "--force" in refused.error["hint"]
    (splitjoin.directory / "out" / "acme_d-2-3.csv").unlink()
    ran = splitjoin("verify", "out", "--json")
    assert ran.code == 1
    assert ran.document == {
        "file_name": "acme_d",
        "ok": False,
        "problems": [{"number": 2, "kind": "missing", "message": ran.document["problems"][0]["message"]}],
        "mended": [],
    }
    assert splitjoin("merge", "out", "third.csv", "--json").error["code"] == 1
    assert not (splitjoin.directory / "third.csv").exists()


def test_several_jobs_need_a_name(splitjoin: Splitjoin) -> None:
    """Where several jobs lie, verify and merge list them and take --name."""
    (splitjoin.directory / "acme.csv").write_bytes(EXPORT)
    for date in ("1", "2"):
        splitjoin.ok("split", "acme.csv", "out", "--date", date)
    for command in (("verify", "out"), ("merge", "out", "again.csv")):
        ran = splitjoin(*command, "--json")
        assert ran.code == 2
        assert "acme_1" in str(ran.error)
        assert "acme_2" in str(ran.error)
        assert splitjoin(*command, "--name", "acme_2", "--json").code == 0


def test_a_million_is_no_number_of_lines(splitjoin: Splitjoin) -> None:
    """One document is one line, also of thousands of chunks, and numbers are padded to the width of the total."""
    (splitjoin.directory / "acme.csv").write_bytes(b"n\n" + b"".join(b"%d\n" % n for n in range(2500)))
    result = splitjoin.json("split", "acme.csv", "out", "--date", "d", "--rows", "1")
    assert (result["total_parts"], result["chunks"][0]["name"]) == (2500, "acme_d-0001-2500.csv")
    names = [chunk["name"] for chunk in result["chunks"]]
    assert names == sorted(names)
    assert json.loads((splitjoin.directory / "out" / "acme_d.manifest.json").read_bytes())["rows"] == 2500
