"""Compression: found by what the bytes are, undone as a stream, and made for chunks, deterministically.

The content decides, as in file(1), and a suffix only where the content is too short to tell: a ``.gz`` that an http
server has unpacked already is read as the text it is, and a gzip file called ``export.csv`` is unpacked.
"""

# ruff: noqa: PLC0415 -- each library is imported by the first stream of its format: most sources have none

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from splitjoin_cli.core.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import Buffer, ByteStream
    from splitjoin_cli.core.model import Compression

__all__ = [
    "START_BYTES",
    "ChunkCompression",
    "Compressor",
    "DecompressedStream",
    "compression_of",
    "compressor",
    "decompressed_checksum",
]

ChunkCompression = Literal["gzip", "zstd"]

START_BYTES = 4096
"""As many first bytes as anyone needs to say what a source is."""

_SUFFIXES: dict[Compression, str] = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst"}

_MAGIC: dict[Compression, tuple[bytes, ...]] = {
    "gzip": (b"\x1f\x8b\x08",),  # RFC 1952 2.3.1: ID1, ID2, CM = deflate
    # "BZh9" might begin the header of a CSV file; the magic of the first block, or of the end, after it does not
    "bz2": tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")),
    "xz": (b"\xfd7zXZ\x00",),
    # RFC 8878 3.1: a frame, or one of the 16 kinds of frame to be skipped
    "zstd": (b"\x28\xb5\x2f\xfd", *(bytes([kind]) + b"\x2a\x4d\x18" for kind in range(0x50, 0x60))),
}
_PADDED: frozenset[Compression] = frozenset({"gzip", "xz"})
"""Formats whose own tools pass over zero bytes after the end (tapes and block devices leave them)."""

_READ_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024
"""A damaged place is known to one piece; larger ones were not faster (measured)."""

_BLOCK_BYTES = 256 * 1024
_GZIP_LEVEL = 2
_GZIP_WINDOW_AND_HEADER = 31  # as in zlib: 15 bits of window, + 16 for a gzip header
_ZSTD_LEVEL = 3


class Compressor(Protocol):
    """Compresses one chunk from front to back. Not thread-safe; the bytes are a function of the data alone."""

    def compress(self, data: Buffer) -> bytes:
        """Take ``data``, which may be reused as soon as this returns; return what is ready, often nothing."""

    def flush(self) -> bytes:
        """End the chunk: the rest of its bytes. The last call."""


class _Decoder(Protocol):
    """What the modules' decompressors have in common: one member, stream or frame each."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Buffer, max_length: int = -1) -> bytes: ...


def _zstd() -> Any:  # noqa: ANN401 -- a module, by one of two names
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _decoders(compression: Compression) -> tuple[Callable[[], _Decoder], type[Exception]]:
    """What begins a member of ``compression``, and the error of its own that it raises for damage."""
    match compression:
        case "gzip":
            from isal import igzip_lib

            return lambda: igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP), cast(
                "type[Exception]", igzip_lib.IsalError
            )
        case "bz2":
            from bz2 import BZ2Decompressor

            return lambda: cast("_Decoder", BZ2Decompressor()), OSError
        case "xz":
            import lzma

            return lambda: cast("_Decoder", lzma.LZMADecompressor(lzma.FORMAT_XZ)), lzma.LZMAError
        case "zstd":
            zstd = _zstd()
            return zstd.ZstdDecompressor, zstd.ZstdError


def compression_of(start: bytes, name: str) -> Compression | None:
    """Which compression a source has that begins with ``start`` (START_BYTES, or all of it) and is called ``name``."""
    for compression, magics in _MAGIC.items():
        if start.startswith(magics):
            return compression
        cut_short = start and name.lower().endswith(_SUFFIXES[compression])
        if cut_short and any(magic.startswith(start) for magic in magics):
            return compression
    return None


class DecompressedStream:
    """A ByteStream of what another ByteStream holds compressed: every member, stream or frame of it, to the end."""

    def __init__(self, stream: ByteStream, compression: Compression, name: str) -> None:
        """``name`` is how errors call the source. Closing this closes ``stream``."""
        self._stream = stream
        self._compression = compression
        self._name = name
        self._new_decoder, own_error = _decoders(compression)
        self._damage = (OSError, EOFError, ValueError, own_error)
        self._decoder = self._new_decoder()
        self._block = memoryview(bytearray(_READ_BYTES))
        self._block_start = self._block_end = 0
        self._pushed_back = b""
        self._taken = 0  # compressed bytes handed out by _next_piece, less those pushed back
        self._piece_bytes = 0
        self._ended = False

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream. Raises BadInputError for data that is damaged, cut short, or followed by something else."""
        filled = 0
        while filled < len(buffer) and not self._ended:
            if self._decoder.eof:
                self._begin_next_member()
                continue
            piece: Buffer = b""
            if self._decoder.needs_input:
                piece = self._next_piece()
                if not piece:
                    raise self._cut_short()
            out = self._decompress(piece, len(buffer) - filled)
            buffer[filled : filled + len(out)] = out
            filled += len(out)
        return filled

    def close(self) -> None:
        """See ByteStream."""
        self._ended = True
        self._stream.close()

    def _decompress(self, piece: Buffer, max_bytes: int) -> bytes:
        if piece:
            self._piece_bytes = len(piece)
        try:
            return self._decoder.decompress(piece, max_bytes)
        except self._damage as exc:
            if "too much memory" in str(exc):
                message = f"{self._name} was compressed with a larger zstd window than is read here (128 MiB)"
                way_out = "unpack it: zstd -dc --long=31 FILE | splitjoin split - DEST --client NAME"
                raise BadInputError(message, hint=way_out) from exc
            message = (
                f"{self._name} is damaged: its {self._compression} data cannot be decompressed, "
                f"between compressed bytes {self._taken - self._piece_bytes} and {self._taken}"
            )
            raise BadInputError(message, hint="fetch or export it again") from exc

    def _next_piece(self) -> Buffer:
        """The next compressed bytes; none at the end."""
        piece: Buffer = self._pushed_back
        if piece:
            self._pushed_back = b""
        else:
            if self._block_start == self._block_end:
                self._block_start, self._block_end = 0, self._stream.readinto(self._block)
            end = min(self._block_start + _PIECE_BYTES, self._block_end)
            piece = self._block[self._block_start : end]
            self._block_start = end
        self._taken += len(piece)
        return piece

    def _begin_next_member(self) -> None:
        """After the end of a member: another one, padding, the end of the source, or what should not be there."""
        magics = _MAGIC[self._compression]
        judged = max(map(len, magics))
        padding = b"\0" if self._compression in _PADDED else b""
        rest = self._decoder.unused_data.lstrip(padding)
        while len(rest) < judged:
            more = self._next_piece()
            if not more:
                break
            rest = (rest + more).lstrip(padding)
        if not rest:
            self._ended = True
        elif rest.startswith(magics):
            self._decoder = self._new_decoder()
            self._pushed_back = rest
            self._taken -= len(rest)
        elif any(magic.startswith(rest) for magic in magics):
            raise self._cut_short()
        else:
            message = f"{self._name} holds something else after the end of its {self._compression} data, "
            message += f"from compressed byte {self._taken - len(rest)} on"
            raise BadInputError(message, hint="fetch or export it again")

    def _cut_short(self) -> BadInputError:
        message = f"{self._name} is cut short: its {self._compression} data breaks off at compressed byte {self._taken}"
        return BadInputError(message, hint="fetch or export it again")


class _Readable(Protocol):
    """What DecompressedStream and files have in common."""

    def readinto(self, buffer: Any, /) -> int | None: ...  # noqa: ANN401 -- files take every kind of buffer

    def close(self) -> None: ...


def decompressed_checksum(stream: _Readable, compression: Compression, name: str) -> int:
    """The CRC-64/NVME of what ``stream`` holds compressed. Raises BadInputError where it does not."""
    from splitjoin_cli.core.bytes.crc64 import crc64

    whole = DecompressedStream(cast("ByteStream", stream), compression, name)
    crc, buffer = 0, memoryview(bytearray(_READ_BYTES))
    while filled := whole.readinto(buffer):
        crc = crc64(buffer[:filled], crc)
    return crc


class _GzipCompressor:
    """One gzip member without name and time (RFC 1952: MTIME = 0), so that equal data gives equal bytes.

    ISA-L's output depends on how its input is cut into calls, so it gets blocks of one size, whatever the caller's are.
    """

    def __init__(self) -> None:
        from isal import isal_zlib

        self._zlib = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW_AND_HEADER)
        self._pending = bytearray()

    def compress(self, data: Buffer) -> bytes:
        view = memoryview(data)
        out = []
        if self._pending:
            missing = _BLOCK_BYTES - len(self._pending)
            self._pending += view[:missing]
            view = view[missing:]
            if len(self._pending) < _BLOCK_BYTES:
                return b""
            out.append(self._zlib.compress(self._pending))
            self._pending = bytearray()
        whole = len(view) - len(view) % _BLOCK_BYTES
        out += [self._zlib.compress(view[at : at + _BLOCK_BYTES]) for at in range(0, whole, _BLOCK_BYTES)]
        self._pending += view[whole:]
        return b"".join(out)

    def flush(self) -> bytes:
        return self._zlib.compress(self._pending) + self._zlib.flush()


class _ZstdCompressor:
    """One zstd frame with a checksum of its content. How the data is cut does not show in it (a test holds that)."""

    def __init__(self) -> None:
        zstd = _zstd()
        parameter = zstd.CompressionParameter
        self._zstd = zstd.ZstdCompressor(
            options={parameter.compression_level: _ZSTD_LEVEL, parameter.checksum_flag: 1},
        )

    def compress(self, data: Buffer) -> bytes:
        compressed: bytes = self._zstd.compress(data)
        return compressed

    def flush(self) -> bytes:
        rest: bytes = self._zstd.flush()
        return rest


def compressor(compression: ChunkCompression) -> Compressor:
    """Begin one compressed chunk: gzip (ISA-L level 2) or zstd (level 3). The GIL is released while it works."""
    return _GzipCompressor() if compression == "gzip" else _ZstdCompressor()
