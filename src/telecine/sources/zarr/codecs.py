"""zarr's codecs, of both of its formats, that compare what bytes unpack to with a bound before they unpack them.

numcodecs gives as much memory as a stream unpacks to, or as its header declares, and c-blosc reads as far as a frame
says. Import it where zarr is used, inside a function: it needs numcodecs and zarr.
"""

import bz2
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numcodecs
import numpy as np
import zarr
from numcodecs.compat import ensure_contiguous_ndarray, ndarray_copy
from numcodecs.registry import codec_registry, register_codec
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.registry import register_codec as register_for_format_3

from telecine.core.text.numbers import counted
from telecine.sources.zarr.allowed import MOST_BYTES
from telecine.sources.zarr.blosc import blosc_fault
from telecine.sources.zarr.packed_sizes import image_fault, lz4_size, zstd_size

_PIECE_BYTES = 1 << 22


def _bytes(buffer: Any) -> memoryview:
    return memoryview(ensure_contiguous_ndarray(buffer)).cast("B")


def _most(packed: memoryview) -> int:
    """What a chunk may unpack to: an honest one that is larger is large on disk, too."""
    return max(MOST_BYTES, 4 * len(packed))


def _inflated(decompressor: Any, packed: bytes | memoryview, found: bytearray, most: int) -> None:
    """Add what a decompressor of the standard library makes of the bytes. Raises: ValueError, beyond the bound."""
    while not decompressor.eof:
        piece = decompressor.decompress(packed, _PIECE_BYTES)
        packed = getattr(decompressor, "unconsumed_tail", b"")  # zlib gives the rest back, the others hold it
        found += piece
        if len(found) > most:
            found.clear()  # the error's traceback would keep it
            raise ValueError(f"a chunk unpacks to more than {counted(most, 'byte')}, which is taken for damage")
        if not piece and not packed and not decompressor.eof:
            raise ValueError("compressed bytes end too early")


def _unpacked(decompressor: Any, buffer: Any) -> Any:
    packed, found = _bytes(buffer), bytearray()
    _inflated(decompressor, packed, found, _most(packed))
    return np.frombuffer(found, np.uint8)


def _gunzipped(buffer: Any) -> Any:
    """The members of a gzip stream, one after the other."""
    packed, found = _bytes(buffer), bytearray()
    most, left = _most(packed), bytes(packed)
    while left:
        decompressor = zlib.decompressobj(wbits=31)
        _inflated(decompressor, left, found, most)
        left = decompressor.unused_data.lstrip(b"\0")
    return np.frombuffer(found, np.uint8)


def _check_declared(size: int | None, packed: memoryview) -> None:
    if size is not None and size > _most(packed):
        raise ValueError(f"{counted(len(packed), 'byte')} to be unpacked to {size}, which is taken for damage")


class CheckedBlosc(numcodecs.Blosc):  # type: ignore[misc]
    """The codec "blosc" of zarr's format 2, and "numcodecs.blosc" of format 3."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError, for what is no whole frame."""
        _check_blosc(_bytes(buf))
        return super().decode(buf, out)


class BoundedZlib(numcodecs.Zlib):  # type: ignore[misc]
    """The codec "zlib"."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError."""
        return ndarray_copy(_unpacked(zlib.decompressobj(), buf), out)


class BoundedGzip(numcodecs.GZip):  # type: ignore[misc]
    """The codec "gzip"."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError."""
        return ndarray_copy(_gunzipped(buf), out)


class BoundedBz2(numcodecs.BZ2):  # type: ignore[misc]
    """The codec "bz2"."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError, OSError."""
        return ndarray_copy(_unpacked(bz2.BZ2Decompressor(), buf), out)


class BoundedLzma(numcodecs.LZMA):  # type: ignore[misc]
    """The codec "lzma"."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError, lzma.LZMAError."""
        raw = self.format == lzma.FORMAT_RAW
        decompressor = lzma.LZMADecompressor(
            self.format, None if raw else MOST_BYTES, filters=self.filters if raw else None
        )
        return ndarray_copy(_unpacked(decompressor, buf), out)


class BoundedZstd(numcodecs.Zstd):  # type: ignore[misc]
    """The codec "zstd"."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError."""
        _check_zstd(_bytes(buf))
        return super().decode(buf, out)


class BoundedLz4(numcodecs.LZ4):  # type: ignore[misc]
    """The codec "lz4"."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes. Raises: ValueError."""
        _check_declared(lz4_size(_bytes(buf)), _bytes(buf))
        return super().decode(buf, out)


def _check_blosc(frame: memoryview) -> None:
    if fault := blosc_fault(frame):
        raise ValueError(f"blosc: {fault}")
    _check_declared(int.from_bytes(frame[4:8], "little"), frame)


def _check_zstd(frame: memoryview) -> None:
    size = zstd_size(frame)
    if size is None:
        raise ValueError("zstd: a frame that does not say what it unpacks to")
    _check_declared(size, frame)


def _checked_image(codec: type[Any]) -> type[Any]:
    """A codec of imagecodecs that asks an image's header for its size first."""

    def decode(self: Any, buf: Any, out: Any = None) -> Any:
        if fault := image_fault(bytes(_bytes(buf))):
            raise ValueError(fault)
        return codec.decode(self, buf, out)

    return type(codec.__name__, (codec,), {"decode": decode})


class CheckedBloscCodec(BloscCodec):  # type: ignore[misc]
    """The codec "blosc" of zarr's format 3. Zarr calls one of the two, by its version."""

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check_blosc(_bytes(chunk_bytes.as_numpy_array()))
        return super()._decode_sync(chunk_bytes, chunk_spec)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check_blosc(_bytes(chunk_bytes.as_numpy_array()))
        return await super()._decode_single(chunk_bytes, chunk_spec)


class BoundedGzipCodec(GzipCodec):  # type: ignore[misc]
    """The codec "gzip" of format 3."""

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        found = _gunzipped(chunk_bytes.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(found.tobytes())

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return self._decode_sync(chunk_bytes, chunk_spec)


class BoundedZstdCodec(ZstdCodec):  # type: ignore[misc]
    """The codec "zstd" of format 3."""

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check_zstd(_bytes(chunk_bytes.as_numpy_array()))
        return super()._decode_sync(chunk_bytes, chunk_spec)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check_zstd(_bytes(chunk_bytes.as_numpy_array()))
        return await super()._decode_single(chunk_bytes, chunk_spec)


_FORMAT_3 = {"blosc": CheckedBloscCodec, "gzip": BoundedGzipCodec, "zstd": BoundedZstdCodec}
_FORMAT_2 = (CheckedBlosc, BoundedZlib, BoundedGzip, BoundedBz2, BoundedLzma, BoundedZstd, BoundedLz4)
_IMAGES = ("jpeg", "jpeg2k", "jpegxl", "png", "webp")
for _plain in _FORMAT_2:
    register_codec(_plain)
for _name, _codec in _FORMAT_3.items():
    register_for_format_3(_name, _codec)
_NAMES = {f"codecs.{name}": f"{codec.__module__}.{codec.__qualname__}" for name, codec in _FORMAT_3.items()}


def register_image_codecs() -> None:
    """JPEG XL, JPEG 2000 and others, in which replay buffers keep images; without the package those arrays say so."""
    with suppress(ImportError):
        from imagecodecs.numcodecs import register_codecs

        register_codecs([f"imagecodecs_{name}" for name in _IMAGES], verbose=False)
        for name in _IMAGES:
            codec = codec_registry[f"imagecodecs_{name}"]
            if not codec.__module__.startswith(__name__):
                register_codec(_checked_image(codec), f"imagecodecs_{name}")


@contextmanager
def checked() -> Iterator[None]:
    """Arrays that are opened within decode by what is above, for as long as they are used."""
    with zarr.config.set(_NAMES):
        yield
