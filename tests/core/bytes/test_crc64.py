"""CRC-64/NVME: awscrt's, and the plain one that stands in where that is not installed."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.bytes import crc64_python as checksums_plain

CHECK = 0xAE8B14860A799888  # the Rocksoft model's check value, of the nine digits
CRCS = st.integers(0, 2**64 - 1)


def test_the_check_value() -> None:
    """Of both."""
    assert checksums.crc64(b"123456789") == CHECK
    assert checksums_plain.crc64nvme(b"123456789") == CHECK


@given(st.binary(max_size=600), CRCS)
def test_the_plain_one_computes_the_same(data: bytes, previous: int) -> None:
    """Whatever went before."""
    assert checksums_plain.crc64nvme(data, previous) == checksums.crc64(data, previous)


@pytest.mark.parametrize("size", [1151, 65535, 65536, 65537, 200_003])
def test_the_plain_one_computes_the_same_of_long_data(size: int) -> None:
    """At and around the size of a piece."""
    data = random.Random(size).randbytes(size)
    assert checksums_plain.crc64nvme(memoryview(data), 7) == checksums.crc64(data, 7)


@given(st.binary(max_size=40), st.binary(max_size=600))
def test_the_plain_one_combines(left: bytes, right: bytes) -> None:
    """As if the second had gone on where the first ended."""
    crcs = checksums_plain.crc64nvme(left), checksums_plain.crc64nvme(right)
    assert checksums_plain.combine_crc64nvme(*crcs, len(right)) == checksums.crc64(left + right)


def test_without_awscrt_the_plain_one_stands_in() -> None:
    """In a process that cannot import it."""
    code = (
        "import sys; sys.modules['awscrt'] = None\n"
        "from splitjoin_cli.core.bytes import crc64 as checksums\n"
        "print(checksums.crc64(b'123456789') == 0xAE8B14860A799888, checksums.combine(5, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True 5\n"


@pytest.mark.parametrize("switch", ["", "python"])
def test_each_run_has_a_checksum_of_its_own(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a header's, by the kernel or without it; of no runs, none."""
    monkeypatch.setenv("SPLITJOIN_CRC", switch)
    data, places = memoryview(bytes(range(200))), [3, 3, 10, 150, 200]
    wanted = [checksums.crc64(data[start:end], 7) for start, end in pairwise(places)]
    assert list(checksums.crc64_each(data, places, 7)) == wanted
    assert list(checksums.crc64_each(data, [5], 7)) == []
