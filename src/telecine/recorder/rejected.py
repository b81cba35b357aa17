"""Episodes that are not in the dataset and must not be lost: NAME.rejected/ beside it, and what stopped processes left.

parent/NAME.rejected/episode-003-ab12cd34ef56.spool    what `telecine convert` reads, without an extra
parent/NAME.rejected/episode-003-ab12cd34ef56.yaml     the plan that accepts it, where there is one
parent/.NAME.recording-PID-*/*/episode.spool           episodes that are being recorded
"""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from telecine.core.errors import DatasetError, SourceError, TelecineError, raised_as
from telecine.core.grid import SECOND
from telecine.core.plan.model import Plan, make_plan
from telecine.core.proposal.rates import SPLIT_GAPS_NS
from telecine.core.recording import Recording, Ref, Stream
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.paths import INFO
from telecine.recorder.episode import EPISODE_FILE
from telecine.recorder.options import RecorderOptions, duration_text
from telecine.recorder.trimmed import pauses, stops, trimmed
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.format import CLOCK, SUFFIX, SpoolContent
from telecine.sources.recorder_spool.source import NAME, TASK, recording_of

if sys.platform == "win32":  # pragma: no cover
    fcntl = None
else:
    import fcntl

LOCK = "lock"
log = logging.getLogger("telecine.recorder")


@dataclass(frozen=True, slots=True)
class RejectedEpisode:
    """An episode that did not become part of the dataset: why, where it is, and how to make a dataset of it."""

    reason: str
    path: Path
    command: str

    def __str__(self) -> str:
        return f"{self.reason}. The episode is saved as {self.path}; to make a dataset of it: {self.command}"


def rejected_folder(root: Path) -> Path:
    """Where episodes of the dataset `root` go that do not fit it."""
    return root.with_name(f"{root.name}.rejected")


def save(file: Path, root: Path, name: str, reason: str, options: RecorderOptions) -> RejectedEpisode:
    """Move an episode's file to the rejected ones, with a plan that accepts it.

    Where the disk refuses even that, the file stays where it is, which is then its path.
    """
    folder = rejected_folder(root)
    path = folder / f"{name}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.rename(path)
    except OSError as error:
        log.error("%s: cannot be moved to %s: %s", file, folder, error)
        path = file
    command = f"telecine convert {quote(str(path))} {quote(str(root.with_name(f'{root.name}-{name}')))}"
    try:
        plan, without = _accepting_plan(path, options)
        path.with_suffix(".yaml").write_text(plan.to_yaml(), encoding="utf-8")
        command += f" --plan {quote(str(path.with_suffix('.yaml')))}"
        command += f" (the plan leaves out {', '.join(without)})" if without else ""
    except (TelecineError, OSError) as error:
        log.error("%s: no plan can be written for it: %s", path, error)
    return RejectedEpisode(reason, path, command)


def _accepting_plan(path: Path, options: RecorderOptions) -> tuple[Plan, tuple[str, ...]]:
    """The recorder's plan with limits that accept the pauses of the episode, and the streams that it leaves out.

    Where nothing at all was added for long, the episode is split.

    Those are what would cost more than half of the rows. Other streams may start late and end early.
    """
    recording = recording_of(Ref(NAME, str(path)), layout.scan(str(path)), str(path))
    plan = options.plan(name for name in recording.streams if name != TASK)
    without = trimmed(recording, plan).culprits
    found = {pause.stream: duration_text(pause.length_ns) for pause in pauses(recording, plan)}
    body = plan.to_dict()
    for key in without if len(without) < len(body["features"]) else ():
        del body["features"][key]
    for key, feature in body["features"].items():
        feature.pop("missing", None)
        if key in found:
            feature["limit"] = found[key]
    if stops(recording, plan):
        body["split"] = {"gaps": duration_text(SPLIT_GAPS_NS)}
    return make_plan(body), without


class SpoolFolder:
    """A hidden folder beside `root` for the episodes that one recorder records, locked while it lives.

    Raises: DatasetError when it cannot be made.
    """

    def __init__(self, root: Path) -> None:
        parent = root.absolute().parent
        with raised_as(DatasetError, f"{root}: cannot be recorded", OSError):
            parent.mkdir(parents=True, exist_ok=True)
            self.path = Path(tempfile.mkdtemp(prefix=f"{_lead(root)}{os.getpid()}-", dir=parent))
            self._lock = _locked(self.path)

    def episode(self) -> Path:
        """A new folder in it. Raises: DatasetError."""
        with raised_as(DatasetError, f"{self.path.parent}: an episode cannot begin", OSError):
            return Path(tempfile.mkdtemp(dir=self.path))

    def close(self) -> None:
        """Remove the folder, unless an episode in it could not be moved elsewhere. May be called again."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)
        if not any(self.path.glob(f"*/{EPISODE_FILE}")):
            shutil.rmtree(self.path, ignore_errors=True)


def recover(root: Path, options: RecorderOptions) -> Iterator[RejectedEpisode]:
    """Save the episodes that stopped processes were recording for `root`, and remove what else they left."""
    for folder in sorted(root.absolute().parent.glob(f"{_lead(root)}*")):
        if _is_in_use(folder, folder.name.removeprefix(_lead(root)).partition("-")[0]):
            continue
        for file in sorted(folder.glob(f"*/{EPISODE_FILE}")):
            saved = _recovered(file, root, options)
            if saved is not None:
                yield saved
        if not any(folder.glob(f"*/{EPISODE_FILE}")):
            shutil.rmtree(folder, ignore_errors=True)


def _recovered(file: Path, root: Path, options: RecorderOptions) -> RejectedEpisode | None:
    """The episode in the file, moved to the rejected ones; None when there is nothing to save."""
    try:
        content = layout.scan(str(file))
    except SourceError as error:  # not even its first record is whole
        log.warning("%s: nothing was recorded in it: %s", file, error)
        file.unlink(missing_ok=True)
        return None
    if _is_empty(content) or _is_in_dataset(root, str(content.episode.get("id"))):
        file.unlink(missing_ok=True)
        return None
    reason = f"an episode was interrupted when its process was stopped ({_amount(content, str(file))})"
    return save(file, root, f"interrupted-{content.episode.get('id')}", reason, options)


def _is_empty(content: SpoolContent) -> bool:
    return all(stream.is_empty for stream in content.streams)


def _is_in_dataset(root: Path, ident: str) -> bool:
    """True when the process was stopped after the episode was published."""
    if not (root / INFO).is_file():
        return False
    try:
        return any(row.get("recording_id") == ident for row in Dataset(root).provenance)
    except TelecineError:
        return False


def _amount(content: SpoolContent, path: str) -> str:
    """How much was recorded, for people."""
    recording = recording_of(Ref(NAME, path), content, path)
    times = [s.times(CLOCK) for s in recording.streams.values() if not s.static]
    seconds = (max(int(t[-1]) for t in times) - min(int(t[0]) for t in times)) / SECOND
    counts = ", ".join(f"{t.size} of {s.name}" for s, t in zip(_stamped(recording), times, strict=True))
    return f"{seconds:.1f} s: {counts}"


def _stamped(recording: Recording) -> list[Stream]:
    return [s for s in recording.streams.values() if not s.static]


def _lead(root: Path) -> str:
    return f".{root.name}.recording-"


def _locked(folder: Path) -> int | None:
    """An open lock on the folder; None where the system or the file system has none."""
    if fcntl is None:  # pragma: no cover
        return None
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _is_in_use(folder: Path, pid: str) -> bool:
    """True while the recorder of that folder lives: by its lock, else by its process."""
    if fcntl is not None and (folder / LOCK).is_file():
        handle = _locked(folder)
        if handle is not None:
            os.close(handle)
        return handle is None
    return not pid.isdecimal() or _is_running(int(pid))


def _is_running(pid: int) -> bool:
    if sys.platform == "win32":  # pragma: no cover
        return True  # asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
