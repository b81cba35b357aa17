"""A large file of a store copied in pieces: one that is lost is asked for again, not the file."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from telecine.core.errors import StoreError, disk_is_full

PIECE = 16 << 20
"""Bytes of one request."""
AT_ONCE = 4


def copy_in_pieces(place: str, size_bytes: int, path: Path, piece: Callable[[int, int], bytes]) -> None:
    """The file `place` as a new file; piece: gives its bytes [start, stop). There when it is whole, or not at all.

    Raises: StoreError when the disk refuses; what `piece` raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.part")
    starts = range(0, size_bytes, PIECE)
    try:
        with new.open("wb") as file, ThreadPoolExecutor(AT_ONCE) as pool:
            for first in range(0, len(starts), AT_ONCE):  # no more pieces in memory than these
                batch = [(start, min(start + PIECE, size_bytes)) for start in starts[first : first + AT_ONCE]]
                for content in pool.map(lambda span: piece(*span), batch):
                    file.write(content)
        new.replace(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        what = "no space left" if disk_is_full(error) else "refused"
        raise StoreError(f"{what}: {path}: {error.strerror or error}, on copying {place}") from error
    finally:
        new.unlink(missing_ok=True)
