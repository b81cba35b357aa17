"""Episodes that the recorder kept (.spool): rejected ones, and those whose process was stopped.

A file that was cut off is read up to its last whole record, without --recover: that is what it is made for.
Needs no extra. The layout is in `format.py`.
"""

import json
from pathlib import Path

from telecine.core.recording import MemoryStream, Recording, Ref, Schema, Stream
from telecine.core.text.numbers import counted
from telecine.sources.format import Found
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.format import MAGIC, SUFFIX, SpoolContent
from telecine.sources.recorder_spool.streams import stream_of

NAME = "recorder_spool"
SUFFIXES = (SUFFIX,)
TASK = "task"


def claims(path: str) -> bool:
    """True for files that begin like ours."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """The one episode in the file; see `Format.index`."""
    del token
    content = layout.scan(path)
    ident = str(content.episode.get("id", ""))
    return Found((Ref(NAME, path, ident, Path(path).stat().st_size, recover),))


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The episode, its samples and frames not read yet. Raises: SourceError."""
    return recording_of(ref, layout.scan(ref.path), ref.path)


def recording_of(ref: Ref, content: SpoolContent, path: str) -> Recording:
    """The recording in the file at `path`, of which `content` is the table of contents, under the name `ref`."""
    streams: dict[str, Stream] = {
        c.stream.name: stream_of(path, c) for c in content.streams if not c.is_empty and c.stream.name != TASK
    }
    features = {name: (name,) for name in streams}
    end = content.end or {"interrupted": True}
    attrs = {key: _text(value) for key, value in {**content.episode, **end}.items() if isinstance(value, str | bool)}
    changing = next((c for c in content.streams if c.stream.name == TASK and not c.is_empty), None)
    if changing is not None:
        streams[TASK] = stream_of(path, changing)
    elif "task" in attrs:
        streams[TASK] = MemoryStream(TASK, "text", Schema("string"), {}, [attrs["task"]])
    notes = () if content.end is not None else (("source-truncated", _cut(path, content)),)
    return Recording(ref, streams, attrs, notes, features=features)


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cut(path: str, content: SpoolContent) -> str:
    """What to report of a file without an end."""
    lost = max(Path(path).stat().st_size - content.whole_bytes, 0)
    torn = f"; its last {counted(lost, 'byte is', 'bytes are')} not whole" if lost else ""
    return f"the recording stops without its end, because its process was stopped{torn}; all that is whole is used"
