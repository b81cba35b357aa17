"""Finished episodes on disk, between the worker that made them and the commit: what an interrupted run leaves.

    SCRATCH/<plan and versions>/<recording>/rows.arrow, camera-000.clip ..., episode.json
    SCRATCH/new-*/                           episodes that are not finished
    SCRATCH/reading                          what the main process reads right now, if it reads anything itself

A folder gets its name, the digest of everything its content depends on, by one rename when all of it is there. So
one that has its name is whole, unless the machine went down: only episodes that were synced, or made since the last
start of the machine, are taken.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from importlib import metadata
from pathlib import Path

import pyarrow as pa

from telecine._version import __version__
from telecine.core.data.serialize import from_plain, to_plain
from telecine.core.episode import Episode
from telecine.core.errors import VideoError, raised_as
from telecine.core.plan.model import Plan
from telecine.core.recording import Ref
from telecine.dataset.staging import sync_to_disk

_HEADER = "episode.json"
_ROWS = "rows.arrow"
READING = "reading"
_NEW = "new-"
_APART = {"ref", "rows"}
"""What the header does not hold: a reference may have a token, and rows have a file."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def cache_dir(scratch: Path, plan: Plan) -> Path:
    """The folder in `scratch` for episodes of this plan, made by these versions of telecine and its libraries."""
    return scratch / _digest(plan.digest(), *_versions())


def path_of(ref: Ref, content: str, cache_dir: Path) -> Path:
    """Where the finished episode of a recording belongs.

    content: digest of what its files hold. Its path counts as well, because reports and provenance tell it.
    """
    return cache_dir / _digest(content, json.dumps(to_plain(replace(ref, token=None, size_bytes=0))))


@contextmanager
def unfinished(scratch: Path) -> Iterator[Path]:
    """A new folder in `scratch` to make an episode in; gone when that fails."""
    folder = Path(tempfile.mkdtemp(prefix=_NEW, dir=scratch))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def save(episode: Episode, folder: Path, target: Path | None, *, sync: bool) -> Path:
    """Write what `folder`, which holds the clips, lacks of the episode, and move it to `target`; where it is then.

    target: None for an episode that must not be known again: it stays in `folder`. sync: wait until it is on disk.

    Raises: VideoError when the disk refuses.
    """
    with raised_as(VideoError, f"{folder}: cannot be written", OSError, pa.ArrowException):
        with pa.OSFile(str(folder / _ROWS), "wb") as sink, pa.ipc.new_file(sink, episode.rows.schema) as writer:
            writer.write_table(episode.rows)
        clips = tuple(replace(clip, path=Path(clip.path).name) for clip in episode.clips)
        header = {f.name: to_plain(getattr(episode, f.name)) for f in fields(episode) if f.name not in _APART}
        header |= {"clips": to_plain(clips), "boot": None if sync else _boot()}
        (folder / _HEADER).write_text(json.dumps(header), encoding="utf-8")
        if sync:
            for path in (*folder.iterdir(), folder):
                sync_to_disk(path)
        if target is None:
            return folder
        target.parent.mkdir(exist_ok=True)
        if is_there(target):  # a worker of a run that was killed meanwhile finished the same
            shutil.rmtree(folder)
            return target
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
        if sync:
            sync_to_disk(target.parent)
    return target


def is_there(target: Path) -> bool:
    """True when a finished episode is at `target` that can be trusted to be whole."""
    try:
        boot = json.loads((target / _HEADER).read_text(encoding="utf-8"))["boot"]
    except (OSError, ValueError, KeyError):
        return False
    return boot is None or boot == _boot()


def load(target: Path, ref: Ref) -> Episode:
    """The episode at `target`, its rows mapped, not read.

    Raises: VideoError when it is not whole.
    """
    causes = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)
    with raised_as(VideoError, f"{target}: the finished episode cannot be read", *causes):
        header = json.loads((target / _HEADER).read_text(encoding="utf-8"))
        with pa.memory_map(str(target / _ROWS)) as source, pa.ipc.open_file(source) as reader:
            rows = reader.read_all()
        del header["boot"]
        episode = from_plain(Episode, {**header, "ref": ref, "rows": rows})
    return replace(episode, clips=tuple(replace(clip, path=str(target / clip.path)) for clip in episode.clips))


def clear(scratch: Path, cache_dir: Path | None = None) -> int:
    """Remove what a run that ended left unfinished, and episodes that are not on `cache_dir`; how many of those."""
    removed = 0
    for folder in scratch.iterdir():
        if folder.is_dir() and folder != cache_dir:
            removed += 0 if folder.name.startswith(_NEW) else sum(1 for _ in folder.iterdir())
            shutil.rmtree(folder, ignore_errors=True)
    return removed


def count(scratch: Path) -> tuple[int, int]:
    """(finished episodes, bytes of everything) in `scratch`."""
    sizes = [path.stat().st_size for path in scratch.rglob("*") if path.is_file()]
    return len(list(scratch.glob(f"[!n]*/*/{_HEADER}"))), sum(sizes)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@cache
def _versions() -> tuple[str, ...]:
    """Telecine and every library it may work with, as installed: another encoder or reader may give other bytes."""
    try:
        required = _metadata_values(metadata.distribution("telecine"), "Requires-Dist")
    except metadata.PackageNotFoundError:
        required = []
    found = {f"telecine {__version__}"}
    for name in {re.split(r"[^\w.-]", requirement)[0] for requirement in required}:
        try:
            found.add(f"{name} {' '.join(_metadata_values(metadata.distribution(name), 'Version'))}")
        except metadata.PackageNotFoundError:
            continue
    return tuple(sorted(found))


def _metadata_values(package: metadata.Distribution, field: str) -> list[str]:
    """The value of a field in a package's metadata; its long description, all of which `metadata` parses, left out."""
    text = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
    return re.findall(rf"^{field}: (.+)$", text.partition("\n\n")[0], re.MULTILINE)


@cache
def _boot() -> str:
    """Names the time since the machine was started; never the same where that cannot be known."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return f"process {os.getpid()}"
