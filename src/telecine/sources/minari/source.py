"""Minari datasets of the data format `arrow` or `parquet`: a folder for each episode beside `metadata.json`.

A row is a step; the last one has only an observation, and what an action, a reward and so on would be there is filling.
Spaces in `metadata.json` say the shape of what is stored flat. No file tells the rate of the steps or the task.
Source: https://github.com/Farama-Foundation/Minari, `minari/dataset/_storages/arrow_storage.py`, `serialization.py`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.errors import SourceError, raised_as
from telecine.core.naming import element_names, natural
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.core.text.numbers import counted
from telecine.lerobot_format.text_bounds import text_fault
from telecine.sources.format import Found
from telecine.sources.minari.arrow_bodies import read_arrow
from telecine.sources.minari.columns import MinariColumn, columns_of
from telecine.sources.shared.arrays import ArrayPart, PixelLayout, TextArray, stream_of
from telecine.sources.shared.confinement import confined, open_regular
from telecine.sources.shared.fingerprint import size_bytes
from telecine.sources.shared.minari_features import minari_features
from telecine.sources.shared.timing import Timing

NAME = "minari"
SUFFIXES = ()
_METADATA = "metadata.json"
_FORMATS = ("arrow", "parquet")
_LARGEST_METADATA = 16 << 20
_LARGEST_BYTES = 2 << 30
_MOST_BYTES = 1 << 28
"""Of an episode, unpacked; a file of some size may have more, `_RATIO` times that."""
_RATIO = 8
_SPACES = {"observations": "observation_space", "actions": "action_space"}


def claims(path: str) -> bool:
    """True for the folder `data` of a dataset of these formats."""
    place = Path(path) / _METADATA
    return place.is_file() and confined(path).holds(place) and _metadata(place, path).get("data_format") in _FORMATS


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per episode, named by its number; see `Format.index`."""
    del recover, token
    folders = sorted((f.name for f in Path(path).iterdir() if f.name.isdecimal() and f.is_dir()), key=natural)
    if not folders:
        raise SourceError(f"{path}: holds no episodes, which would be folders 0, 1, 2 ...")
    size = size_bytes(path) // len(folders)
    return Found(tuple(Ref(NAME, path, f"/episode_{name}", size) for name in folders))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode that `ref` names; see `Format.open`. Reads it whole."""
    metadata = _metadata(Path(ref.path) / _METADATA, ref.path)
    folder = Path(ref.path) / ref.id.removeprefix("/episode_")
    if not ref.id.startswith("/episode_") or not folder.name.isdecimal() or not folder.is_dir():
        raise SourceError(f"{ref.path}: holds no episode {ref.id!r}")
    table = _table(folder, str(metadata.get("data_format")))
    spaces = {column: _space(metadata.get(key)) for column, key in _SPACES.items()}
    left_out: list[LeftOut] = []
    streams: dict[str, Stream] = {}
    for column in columns_of(table, spaces):
        made = _stream(column, table.num_rows)
        if made is None:
            left_out.append(LeftOut(column.name, "unreadable", column.problem or "it is no numbers, texts or images"))
        else:
            streams[made.name] = made
    env = _space(metadata.get("env_spec")).get("id")
    attrs = {"layout": "minari", **({"env_name": env} if isinstance(env, str) else {})}
    features = minari_features({name: s.kind for name, s in streams.items()})
    return Recording(ref, streams, attrs, _notes(folder, table), None, features, left_out=tuple(left_out))


def _metadata(place: Path, root: str | Path) -> Mapping[str, Any]:
    """The JSON object in a file; an empty one for anything else. Raises: SourceError, for one that leads elsewhere."""
    confined(root).check(place)
    with raised_as(SourceError, f"{place}: cannot be read", OSError), open_regular(place) as file:
        return _space(file.read(_LARGEST_METADATA))


def _space(text: Any) -> Mapping[str, Any]:
    """A JSON object, which metadata holds as text."""
    try:
        found = json.loads(text) if isinstance(text, str | bytes) else text
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _table(folder: Path, form: str) -> pa.Table:
    """All rows of an episode, checked. Raises: SourceError."""
    inside = confined(folder.parent)
    files = sorted((f for f in folder.iterdir() if not f.name.startswith(("_", ".")) and f.name != _METADATA),
                   key=lambda f: natural(f.name))  # fmt: skip
    if not files:
        raise SourceError(f"{folder}: holds no {form} file")
    with raised_as(SourceError, f"{folder}: cannot be read as {form}", pa.ArrowException, OSError, ValueError):
        parts = [_read(inside.check(file), form) for file in files]
        table = pa.concat_tables(parts).combine_chunks()
        table.validate(full=True)
    if not table.num_rows:
        raise SourceError(f"{folder}: holds no rows")
    return table


def _read(path: str, form: str) -> pa.Table:
    with open_regular(path) as file:
        size = file.seek(0, 2)
        most = _MOST_BYTES + _RATIO * size
        if size > _LARGEST_BYTES:
            raise SourceError(f"{path}: has {counted(size, 'byte')}; more than {_LARGEST_BYTES} are taken for damage")
        if form == "arrow":
            return read_arrow(file, most)
        metadata = pq.read_metadata(file)
        if fault := text_fault(Path(path)):
            raise SourceError(f"{path}: {fault}")
        if (count := _numbers(metadata)) > most:
            raise SourceError(
                f"{path}: its numbers have {counted(count, 'byte')}; more than {most} are taken for damage"
            )
        file.seek(0)
        return pq.read_table(file)


def _numbers(metadata: pq.FileMetaData) -> int:
    """Bytes of all numbers of a Parquet file as they are read, however they are packed, at 8 each."""
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    return 8 * int(sum(group.column(n).num_values for group in groups for n in range(group.num_columns)))


def _stream(column: MinariColumn, rows: int) -> Stream | None:
    """Its stream; all but observations and infos lack the last row."""
    if column.values is None:
        return None
    stop = rows if column.name.startswith(("/observations", "/infos")) else rows - 1
    part = ArrayPart(column.name, column.values, 0, stop, Timing())
    if column.is_text:
        return TextArray(part) if stop else None
    return stream_of(part, PixelLayout(), lambda name, shape: element_names(name.rpartition("/")[2], shape))


def _notes(folder: Path, table: pa.Table) -> tuple[tuple[str, str], ...]:
    place = folder / _METADATA
    stated = _metadata(place, folder.parent).get("total_steps") if place.is_file() else None
    steps = table.num_rows - 1
    if isinstance(stated, int) and stated != steps:
        return (("source-incomplete", f"its {_METADATA} says {counted(stated, 'step')}, and it has {steps}"),)
    return ()
