"""What compressed bytes say they unpack to, read from their headers. Pure.

Formats: RFC 8878 (zstd frames and blocks), numcodecs' LZ4 (a length of 4 bytes, then a block), PNG 1.2, ITU T.81
(JPEG), ISO 15444-1 A.5 (JPEG 2000), ISO 18181-1 and -2 (JPEG XL), RFC 9649 (WebP).
"""

from collections.abc import Iterator

MOST_PIXELS = 1 << 26
_ZSTD, _ZSTD_BLOCK = b"\x28\xb5\x2f\xfd", 1 << 17
_SKIPPED = b"\x2a\x4d\x18"
"""Of a frame that is passed over, behind a byte 0x50 to 0x5f."""
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_NO_FRAME_SIZE = frozenset((0xC4, 0xC8, 0xCC))
"""JPEG markers in the range of frame headers that are none."""


def lz4_size(packed: bytes | memoryview) -> int:
    """Bytes that numcodecs' LZ4 unpacks to."""
    return int.from_bytes(packed[:4], "little")


def zstd_size(packed: bytes | memoryview) -> int | None:
    """Bytes that zstd frames unpack to, one after the other, at most where one does not say; None for others."""
    at, total = 0, 0
    while at < len(packed) or not at:
        if packed[at + 1 : at + 4] == _SKIPPED and packed[at] >> 4 == 5:
            at += 8 + int.from_bytes(packed[at + 4 : at + 8], "little")
            continue
        found = _zstd_frame(packed, at)
        if found is None:
            return None
        at, size = found
        total += size
    return total


def _zstd_frame(packed: bytes | memoryview, at: int) -> tuple[int, int] | None:
    """(where the frame at `at` ends, bytes that it unpacks to); None for what is no whole frame."""
    if packed[at : at + 4] != _ZSTD or len(packed) < at + 6:
        return None
    descriptor = packed[at + 4]
    single = descriptor >> 5 & 1
    at += 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    width = (single, 2, 4, 8)[descriptor >> 6]
    declared = int.from_bytes(packed[at : at + width], "little") + (256 if width == 2 else 0)
    at, blocks, last = at + width, 0, 0
    while not last:
        if at + 3 > len(packed):
            return None
        header = int.from_bytes(packed[at : at + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        blocks += 1
        at += 3 + (1 if kind == 1 else size)
    at += 4 * (descriptor >> 2 & 1)
    if at > len(packed):
        return None
    return at, declared if width else blocks * _ZSTD_BLOCK


def image_fault(data: bytes) -> str:
    """What makes a coded image unfit for a decoder that allocates what its header says; "" for nothing."""
    size = image_size(data)
    if size is None:
        return "an image whose header does not say how large it is"
    if not 0 < size[0] * size[1] <= MOST_PIXELS:
        return f"an image says it has {size[0]}x{size[1]} pixels; more than {MOST_PIXELS} are taken for damage"
    return ""


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, JPEG, JPEG 2000, JPEG XL or WebP image; None when its header does not say."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return _big(data, 16), _big(data, 20)
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg_size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return _webp_size(data)
    if data[4:8] in (b"jP  ", b"JXL "):
        data = next((body for kind, body in _boxes(data) if kind in (b"jp2c", b"jxlc", b"jxlp")), b"")
        data = data if data[:1] == b"\xff" else data[4:]  # a part of JPEG XL begins with its number
    if data[:2] == b"\xff\x0a":
        return _jxl_size(data)
    if data[:4] == b"\xff\x4f\xff\x51" and len(data) >= 24:
        return _big(data, 8) - _big(data, 16), _big(data, 12) - _big(data, 20)
    return None


def _big(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of ISO base media boxes."""
    at = 0
    while at + 8 <= len(data):
        size, head = _big(data, at), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + size if size else len(data)
        yield data[at + 4 : at + 8], data[at + head : end]
        at = max(end, at + head)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_SIZE:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _jxl_size(data: bytes) -> tuple[int, int]:
    """The SizeHeader behind the signature, whose bits count from the lowest (ISO 18181-1, D.2)."""
    bits, at = int.from_bytes(data[2:14], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> (at - count) & ((1 << count) - 1)

    def side() -> int:
        return (take(5) + 1) * 8 if small else take((9, 13, 18, 30)[take(2)]) + 1

    small = take(1)
    height = side()
    ratio = take(3)
    if ratio:
        over, under = _JXL_RATIOS[ratio - 1]
        return height * over // under, height
    return side(), height
