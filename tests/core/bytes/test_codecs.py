"""Compression: the content decides, every member is read, damage is named by its place, chunks are reproducible."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.bytes import codecs
from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.model import Compression
from splitjoin_cli.testing.reading import PiecewiseStream, drained
from tests.laws import examples

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b"".join(b'%d,"name %d",%d\r\n' % (n, n * 7919 % 1000, n * n) for n in range(20_000))
REFETCH = "fetch or export it again"


def zstd_compress(data: bytes) -> bytes:
    """One frame."""
    compressor = codecs.compressor("zstd")
    return compressor.compress(data) + compressor.flush()


COMPRESS: dict[Compression, Callable[[bytes], bytes]] = {
    "gzip": lru_cache(lambda data: gzip.compress(data, mtime=0)),
    "bz2": lru_cache(bz2.compress),
    "xz": lru_cache(lambda data: lzma.compress(data, preset=1)),
    "zstd": lru_cache(zstd_compress),
}
"""Cached: many tests pack the same text."""

every_compression = pytest.mark.parametrize("compression", get_args(Compression))


def unpack(data: bytes, compression: Compression, buffer_bytes: int = 65536) -> bytes:
    """All that ``data`` holds."""
    return drained(codecs.DecompressedStream(PiecewiseStream(data), compression, "export"), buffer_bytes)


@every_compression
@pytest.mark.parametrize("content", [b"", b"a,b\n", TEXT], ids=["empty", "short", "long"])
def test_content_decides(compression: Compression, content: bytes) -> None:
    """What begins as compressed data is that, whatever it is called."""
    start = COMPRESS[compression](content)[: codecs.START_BYTES]
    assert codecs.compression_of(start, "export.csv") == compression


@pytest.mark.parametrize("name", ["export.csv", "export.csv.gz", "export.csv.bz2", "export.csv.xz", "export.csv.zst"])
@pytest.mark.parametrize("start", [b"", b"id,name\n1,x\n", b"BZh9,next\n", b"PK,name\n", b"PAR,1\n", b"(,)\n"])
def test_text_is_text_whatever_its_suffix(start: bytes, name: str) -> None:
    """Text under a compression's suffix (http servers unpack on the way) is read as text, and so is an empty file."""
    assert codecs.compression_of(start, name) is None


@every_compression
def test_suffix_decides_where_content_is_too_short_to_tell(compression: Compression) -> None:
    """A file cut within its first bytes is a damaged file of its suffix's kind, and text by any other name."""
    start = COMPRESS[compression](TEXT)[:2]
    suffix = {"gzip": ".gz", "bz2": ".BZ2", "xz": ".xz", "zstd": ".zst"}[compression]
    assert codecs.compression_of(start, f"export.csv{suffix}") == compression
    assert codecs.compression_of(start, "export.csv") is None


@every_compression
@examples(40)
@given(data=st.data())
def test_members_are_read_to_the_last(compression: Compression, data: st.DataObject) -> None:
    """However content is cut into members, and whatever the buffer: all of it comes back (round trip)."""
    content = data.draw(st.binary(max_size=2000)) * data.draw(st.integers(1, 200))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    members = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    packed = b"".join(map(COMPRESS[compression], members))
    assert unpack(packed, compression, data.draw(st.sampled_from([1 << 8, 1000, 1 << 16, 1 << 20]))) == content


@every_compression
@pytest.mark.parametrize("shift", range(-9, 10))
def test_members_that_end_at_the_edge_of_a_read(compression: Compression, shift: int) -> None:
    """The end of a member, and the magic of the next, may fall on either side of any read."""
    second = COMPRESS[compression](b"second\n")
    noise = bytes(n * n * 31 % 251 for n in range(200))
    filler = {"gzip": gzip_of_size, "bz2": None, "xz": None, "zstd": skippable_of_size}[compression]
    if filler is None:
        first = COMPRESS[compression](noise)
        padded = PiecewiseStream(first + second)
        stream = codecs.DecompressedStream(padded, compression, "export")
        stream._block = stream._block[: max(1, len(first) + shift)]
        assert drained(stream) == noise + b"second\n"
        return
    first = filler(codecs._PIECE_BYTES + shift)
    assert len(first) == codecs._PIECE_BYTES + shift
    assert unpack(first + second, compression) == b"second\n"


def gzip_of_size(size: int) -> bytes:
    """A gzip member without content, as long as asked: its name is the filler (RFC 1952: FLG.FNAME)."""
    empty = gzip.compress(b"", mtime=0)
    header = empty[:3] + b"\x08" + empty[4:10]
    return header + b"n" * (size - len(empty) - 1) + b"\0" + empty[10:]


def skippable_of_size(size: int) -> bytes:
    """A zstd frame to be skipped (RFC 8878 3.1.2), as long as asked."""
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", size - 8) + b"s" * (size - 8)


@every_compression
@examples(60)
@given(data=st.data())
def test_cut_short_is_always_noticed(compression: Compression, data: st.DataObject) -> None:
    """Data that breaks off anywhere is bad input, never a short file; the message has the byte where it breaks off."""
    packed = COMPRESS[compression](TEXT[:5000])
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(BadInputError) as caught:
        unpack(packed[:cut], compression)
    assert caught.value.message == f"export is cut short: its {compression} data breaks off at compressed byte {cut}"
    assert caught.value.hint == REFETCH


@every_compression
def test_second_member_cut_short(compression: Compression) -> None:
    """A later member that breaks off, even within its magic, is noticed too."""
    packed = COMPRESS[compression](b"first\n")
    for kept in (1, 3, len(packed) - 1):
        with pytest.raises(BadInputError) as caught:
            unpack(packed + packed[:kept], compression)
        expected = f"export is cut short: its {compression} data breaks off at compressed byte {len(packed) + kept}"
        assert caught.value.message == expected


@every_compression
def test_damage_names_the_place(compression: Compression) -> None:
    """A flipped byte is found, and the message says between which compressed bytes."""
    packed = bytearray(COMPRESS[compression](TEXT))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(BadInputError) as caught:
        unpack(bytes(packed), compression)
    last = min(len(packed), codecs._PIECE_BYTES * (1 + (len(packed) // 2) // codecs._PIECE_BYTES))
    assert caught.value.message.startswith(
        f"export is damaged: its {compression} data cannot be decompressed, between compressed bytes ",
    )
    first_byte, last_byte = map(int, caught.value.message.rpartition("bytes ")[2].split(" and "))
    assert last_byte - first_byte <= codecs._PIECE_BYTES
    assert last_byte >= last
    assert caught.value.hint == REFETCH


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_wrong_checksum_is_damage(compression: Compression) -> None:
    """Data that unpacks and is not what was packed is damage: the checksum at the end is compared."""
    packed = bytearray(COMPRESS[compression](b"a,b\n1,2\n"))
    packed[-8 if compression == "gzip" else -4] ^= 1
    with pytest.raises(BadInputError) as caught:
        unpack(bytes(packed), compression)
    damage = f"export is damaged: its {compression} data cannot be decompressed, "
    assert caught.value.message == damage + f"between compressed bytes 0 and {len(packed)}"


@pytest.mark.parametrize("compression", ["gzip", "xz"])
@pytest.mark.parametrize("zeros", [4, 512, 70_000])
def test_zero_padding_is_passed_over(compression: Compression, zeros: int) -> None:
    """Zero bytes at the end, and between members, are what tapes and block devices leave."""
    packed = COMPRESS[compression](TEXT)
    assert unpack(packed + b"\0" * zeros, compression) == TEXT
    assert unpack(packed + b"\0" * zeros + packed + b"\0" * zeros, compression) == TEXT * 2


@every_compression
@pytest.mark.parametrize("garbage", [b"x", b"id,name\n" * 20], ids=["one byte", "text"])
def test_what_follows_the_end_is_bad_input(compression: Compression, garbage: bytes) -> None:
    """Other bytes after the last member are an error that names where they begin, not silently left out."""
    packed = COMPRESS[compression](TEXT)
    padding = b"\0" * 8 if compression in ("gzip", "xz") else b""
    with pytest.raises(BadInputError) as caught:
        unpack(packed + padding + garbage, compression)
    place = len(packed) + len(padding)
    expected = f"export holds something else after the end of its {compression} data, from compressed byte {place} on"
    assert caught.value.message == expected
    assert caught.value.hint == REFETCH


def test_long_window_says_how_to_unpack() -> None:
    """A zstd frame whose window is larger than zstd(1) itself accepts is refused with the command that reads it."""
    # RFC 8878 3.1.1.1.2: exponent 20 -> a window of 2^30 bytes; then one raw block
    frame = b"\x28\xb5\x2f\xfd" + bytes([0, 20 << 3]) + b"\x09\x00\x00" + b"x"
    with pytest.raises(BadInputError) as caught:
        unpack(frame, "zstd")
    assert caught.value.message == "export was compressed with a larger zstd window than is read here (128 MiB)"
    assert caught.value.hint == "unpack it: zstd -dc --long=31 FILE | splitjoin split - DEST --client NAME"


@every_compression
def test_memory_is_bounded_by_the_buffer(compression: Compression) -> None:
    """Data that unpacks to far more than it holds comes buffer by buffer, not at once."""
    packed = COMPRESS[compression](bytes(16 * 1024 * 1024))
    stream = codecs.DecompressedStream(PiecewiseStream(packed), compression, "export")
    largest = 0
    decompress = stream._decompress

    def measured(piece: bytes, max_bytes: int) -> bytes:
        nonlocal largest
        out = decompress(piece, max_bytes)
        largest = max(largest, len(out))
        return out

    stream._decompress = measured  # type: ignore[method-assign, assignment]  # to look at each step
    assert len(drained(stream, 4096)) == 16 * 1024 * 1024
    assert largest <= 4096


@every_compression
def test_close_is_passed_on_and_ends_the_pass(compression: Compression) -> None:
    """Closing closes what is unpacked; it may be repeated; nothing is read afterwards."""
    inner = PiecewiseStream(COMPRESS[compression](TEXT))
    stream = codecs.DecompressedStream(inner, compression, "export")
    assert stream.readinto(memoryview(bytearray(10))) == 10
    stream.close()
    stream.close()
    assert inner.closed
    assert stream.readinto(memoryview(bytearray(10))) == 0


@pytest.mark.parametrize("compression", get_args(codecs.ChunkCompression))
@examples(25)
@given(data=st.data())
def test_chunks_are_a_function_of_their_content(compression: codecs.ChunkCompression, data: st.DataObject) -> None:
    """However a chunk is cut into calls, its compressed bytes are the same, and they unpack to it."""
    content = TEXT[: data.draw(st.integers(0, len(TEXT)))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5)))
    pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    whole, cut = codecs.compressor(compression), codecs.compressor(compression)
    at_once = whole.compress(content) + whole.flush()
    in_pieces = b"".join(cut.compress(memoryview(bytearray(piece))) for piece in pieces) + cut.flush()
    assert in_pieces == at_once
    assert unpack(at_once, compression) == content


def test_gzip_chunks_have_no_time_and_no_name() -> None:
    """The header says deflate and nothing else (RFC 1952: FLG and MTIME are 0), and the gzip module reads it."""
    compressor = codecs.compressor("gzip")
    packed = compressor.compress(TEXT) + compressor.flush()
    assert packed[:8] == b"\x1f\x8b\x08\x00" + bytes(4)
    assert gzip.decompress(packed) == TEXT


def test_zstd_chunks_carry_a_checksum() -> None:
    """RFC 8878 3.1.1.1.1: Content_Checksum_flag is bit 2 of the frame header descriptor."""
    assert zstd_compress(TEXT)[4] & 0b100


def test_compressor_keeps_nothing_of_a_reused_buffer() -> None:
    """The caller may overwrite its buffer as soon as ``compress`` returns."""
    for compression in get_args(codecs.ChunkCompression):
        compressor = codecs.compressor(compression)
        buffer = bytearray(b"first")
        out = compressor.compress(buffer)
        buffer[:] = b"other"
        out += compressor.compress(buffer) + compressor.flush()
        assert unpack(out, compression) == b"firstother"
