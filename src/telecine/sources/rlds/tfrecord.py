"""Records of a TFRecord file: where they are, and their bytes with the checksums compared.

A record is its length (8 bytes), a checksum of those, the data, and a checksum of that; checksums are CRC-32C, masked.
Source: https://www.tensorflow.org/tutorials/load_data/tfrecord ("TFRecords format details").
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from struct import Struct

from telecine.core.errors import SourceError, raised_as
from telecine.core.file_state import FileState
from telecine.sources.format import MissingExtra
from telecine.sources.shared.confinement import open_regular
from telecine.sources.shared.fingerprint import file_state
from telecine.storage.on_demand import ranged_at

LARGEST_BYTES = 1 << 31
"""Of one record: what protocol buffers allow."""
_HEAD, _CHECKSUM = Struct("<QI"), Struct("<I")


@dataclass(frozen=True, slots=True)
class Records:
    """Where the records of a file are, as far as it can be followed."""

    starts: tuple[int, ...]
    """Offsets of the data."""
    sizes: tuple[int, ...]
    damage: str = ""
    """Why the rest of the file cannot be read; "" for a whole file."""


def records_of(path: str) -> Records:
    """All records of a file, by their lengths alone; remembered while the file stays as it is. Raises: SourceError."""
    with raised_as(SourceError, f"{path}: cannot be read", OSError):
        return _records(file_state(path))


@lru_cache(maxsize=64)
def _records(state: FileState) -> Records:
    path, _, whole, *_ = state
    starts: list[int] = []
    sizes: list[int] = []
    damage, at = "", 0
    with ranged_at(Path(path)) or open_regular(path) as file:
        while at < whole and not damage:
            file.seek(at)
            head = file.read(_HEAD.size)
            size, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, None)
            end = at + _HEAD.size + size + _CHECKSUM.size
            if checksum is None or (end > whole and checksum == masked_crc(head[:8])):
                damage = f"it ends within record {len(starts)}"
            elif checksum != masked_crc(head[:8]) or size > LARGEST_BYTES:
                damage = f"the length of record {len(starts)}, at byte {at}, is damaged"
            else:
                starts.append(at + _HEAD.size)
                sizes.append(size)
                at = end
    return Records(tuple(starts), tuple(sizes), damage)


def read_record(path: str, number: int) -> bytes:
    """The data of a record. Raises: SourceError when it is not there, or its checksum is wrong."""
    found = records_of(path)
    if number >= len(found.starts):
        raise SourceError(f"holds no record {number}, only {len(found.starts)}{found.damage and ': ' + found.damage}")
    with raised_as(SourceError, "cannot be read", OSError), open_regular(path) as file:
        file.seek(found.starts[number])
        data = file.read(found.sizes[number])
        checksum = file.read(_CHECKSUM.size)
    if len(checksum) < _CHECKSUM.size or _CHECKSUM.unpack(checksum) != (masked_crc(data),):
        raise SourceError(f"record {number}: its checksum is wrong, so its data are damaged")
    return data


def masked_crc(data: bytes) -> int:
    """The checksum that stands in the file. Raises: MissingExtra."""
    try:
        import google_crc32c
    except ModuleNotFoundError as error:
        raise MissingExtra("reading RLDS needs: pip install 'telecine[rlds]'") from error
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
