"""Shards of episodes in the two containers that TensorFlow Datasets writes: TFRecord, and ArrayRecord.

ArrayRecord has blocks, compression and checksums of its own; its library reads it without TensorFlow.
Source: https://github.com/google/array_record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telecine.core.errors import SourceError, raised_as
from telecine.core.text.numbers import counted
from telecine.sources.format import MissingExtra
from telecine.sources.rlds.array_record_blocks import check_blocks
from telecine.sources.rlds.tfrecord import read_record, records_of


def count_records(path: str) -> tuple[int, str]:
    """(episodes that are there, why the rest cannot be read). Raises: SourceError."""
    if ".array_record-" not in path:
        found = records_of(path)
        return len(found.starts), found.damage
    with _array_record(path) as reader:
        count, most = int(reader.num_records()), check_blocks(path) + Path(path).stat().st_size  # some may be damaged
        if count > most:
            raise SourceError(
                f"{path}: says it has {counted(count, 'record')}, which is more than {most}, taken for damage"
            )
        return count, ""


def read_episode(path: str, number: int) -> bytes:
    """The bytes of an episode. Raises: SourceError when it is damaged or not there."""
    if ".array_record-" not in path:
        return read_record(path, number)
    with _array_record(path) as reader:
        if number >= reader.num_records():
            raise SourceError(f"holds no record {number}, only {reader.num_records()}")
        return bytes(reader.read([number])[0])


@contextmanager
def _array_record(path: str) -> Iterator[Any]:
    try:
        from array_record.python import array_record_module
    except ModuleNotFoundError as error:
        raise MissingExtra("reading ArrayRecord needs, on Linux: pip install 'telecine[rlds]'") from error
    with raised_as(
        SourceError, f"{path}: cannot be read as ArrayRecord", OSError, RuntimeError, ValueError, IndexError
    ):
        check_blocks(path)  # opens regular files only: its library would wait for ever for a FIFO
        reader = array_record_module.ArrayRecordReader(path)
        try:
            yield reader
        finally:
            reader.close()
