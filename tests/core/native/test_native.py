"""The compiled kernel: that it is built, that each of its levels computes what awscrt does, and life without it."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from awscrt.checksums import combine_crc64nvme, crc64nvme

from splitjoin_cli.core import native
from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.native import Bytes, Kernel, kernels

if TYPE_CHECKING:
    from pathlib import Path

every_level = pytest.mark.parametrize("kernel", [pytest.param(kernel, id=kernel.name) for kernel in kernels()])

SIZES = [0, 1, 7, 8, 63, 64, 127, 128, 129, 255, 256, 511, 512, 513, 767, 768, 5000, 100_001]

WITHOUT = """
import pathlib, sys
from splitjoin_cli.core import native
native.LIBRARY = pathlib.Path("no such library")
from splitjoin_cli.__main__ import main
main()
"""


def test_the_kernel_is_built() -> None:
    """Tests of the compiled scanner would test nothing without it; a level that any machine runs comes first."""
    assert kernels()
    assert kernels()[0].name == "portable"
    assert native.kernel() is kernels()[-1]


def test_a_kernel_of_another_source_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that would take other structures than these would read past them: numpy does the same, slower."""
    monkeypatch.setattr(native, "_layout", lambda: 0)
    assert kernels.__wrapped__() == ()


@every_level
@pytest.mark.parametrize("previous", [0, 0x0123456789ABCDEF, (1 << 64) - 1])
def test_checksums_are_awscrts(kernel: Kernel, previous: int) -> None:
    """Of any number of bytes, at any place in memory, after any others."""
    source = random.Random(7)
    for size in SIZES:
        data = source.randbytes(size + 3)
        for view in (data[3:], memoryview(data)[3:], memoryview(bytearray(data))[3:]):
            assert kernel.crc64(view, previous) == crc64nvme(data[3:], previous)


@every_level
def test_checksums_combine_as_awscrts_do(kernel: Kernel) -> None:
    """For second runs of up to as many bytes as a source may have."""
    source = random.Random(8)
    for size in (1, 2, 63, 64, 1 << 20, (1 << 32) + 5, (1 << 50) + 12345):
        left, right = source.getrandbits(64), source.getrandbits(64)
        assert kernel.combine(left, right, size) == combine_crc64nvme(left, right, size)
    assert kernel.combine(12345, 0, 0) == 12345


@every_level
def test_the_check_value(kernel: Kernel) -> None:
    """That of the Rocksoft model's parameters."""
    assert kernel.crc64(b"123456789") == 0xAE8B14860A799888


def test_bytes_that_do_not_lie_together_are_refused() -> None:
    """Rather than read what lies between them."""
    with pytest.raises(BufferError, match="not C-contiguous"):
        Bytes(memoryview(bytearray(100))[::2])


def test_a_buffer_is_held_and_let_go() -> None:
    """While its address is known it cannot move; afterwards it can."""
    data = bytearray(b"abc")
    with Bytes(data) as place:
        assert place.size == 3
        with pytest.raises(BufferError):
            data.extend(b"d" * 1000)
    data.extend(b"d")
    assert data == b"abcd"


def test_a_library_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The package may have been built on a machine without a compiler."""
    monkeypatch.setattr(native, "LIBRARY", tmp_path / "kernel.so")
    assert native.kernels.__wrapped__() == ()


def test_a_split_without_the_kernel_is_the_same(tmp_path: Path) -> None:
    """Numpy and awscrt make the same chunks, plan and manifest, byte for byte."""
    source = tmp_path / "acme_1.csv"
    rows = "".join(f'{number},"a\nb ""c"" {number}",d\n' for number in range(5000))
    source.write_text("id,text,more\n" + rows)
    arguments = ["split", str(source), "--chunk-size=10KiB", "--client=acme", "--date=1", "--strict", "-v"]
    said = f"the compiled kernel ({kernels()[-1].name})"
    cases = [("with", ["-m", "splitjoin_cli"], said), ("without", ["-c", WITHOUT], "numpy (nothing is compiled here)")]
    for place, start, scanner in cases:
        ran = subprocess.run(
            [sys.executable, *start, *arguments[:2], str(tmp_path / place), *arguments[2:]],
            check=True,
            capture_output=True,
            text=True,
        )
        assert f"finding the records with {scanner}\n" in ran.stderr
    written = sorted(path.name for path in (tmp_path / "with").iterdir())
    assert len(written) > 10
    assert written == sorted(path.name for path in (tmp_path / "without").iterdir())
    for name in written:
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def test_checksums_have_one_answer_for_all() -> None:
    """Whatever computes it."""
    data = random.Random(9).randbytes(1000)
    assert checksums.crc64(data) == crc64nvme(data)
    assert checksums.combine(1, 2, 3) == combine_crc64nvme(1, 2, 3)
