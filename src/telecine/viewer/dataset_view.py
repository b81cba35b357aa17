"""One dataset as the page asks for it: what it is, all its episodes, one of them, its curves, its frames."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, raised_as
from telecine.core.label import STYLES
from telecine.core.labels.columns import labels_of
from telecine.core.text.addresses import is_stored
from telecine.core.text.numbers import counted
from telecine.dataset.reader import open_dataset
from telecine.dataset.values import to_numpy
from telecine.lerobot_format import read
from telecine.lerobot_format.metadata import INDEX_KEYS, path_of
from telecine.lerobot_format.paths import FileIndex
from telecine.viewer.curves import envelope
from telecine.viewer.edit_file import EditFile
from telecine.viewer.jobs import Job
from telecine.viewer.stills import Stills

MOST_STEPS = 4000
MOST_DIMS = 400
MOST_TEXTS = 2000
NOT_DRAWN = frozenset({"string", "language", "video", "image"})


class DatasetView:
    """A dataset, open. folder: where its files are, another than `path` where that is an address in a store.

    Raises: DatasetError when it cannot be opened.
    """

    def __init__(self, path: str, folder: str) -> None:
        self.path, self.folder = path, folder
        self.dataset = open_dataset(folder)
        self._count = len(self.dataset)  # reads the episodes, once, before several threads ask for them
        self.edits = EditFile(path, self.dataset)
        self.stills = Stills(self.dataset)
        self._features = read.read_features(self.dataset.root, self.dataset.info)
        self._checks: Job | None = None
        self._findings: tuple[dict[str, Any], ...] | None = None
        self._lock = threading.Lock()
        self.columns = tuple(
            column
            for column in self.dataset.features
            if column.dtype not in NOT_DRAWN and column.key not in INDEX_KEYS and _width(column) <= MOST_DIMS
        )

    def info(self) -> dict[str, Any]:
        """What stays the same while it is open."""
        dataset = self.dataset
        cameras = [
            {
                "key": key,
                "kind": self._features[key].dtype,
                "depth": self._features[key].is_depth or self._features[key].shape[-1:] == (1,),
                "codec": str(self._features[key].info.get("video.codec") or ""),
                "width": self._features[key].shape[1] if len(self._features[key].shape) > 1 else 0,
                "height": self._features[key].shape[0] if self._features[key].shape else 0,
            }
            for key in dataset.cameras
        ]
        columns = [
            {"key": c.key, "dtype": c.dtype, "dims": _width(c), "names": list(c.names or ())[: _width(c)]}
            for c in self.columns
        ]
        left_out = [c.key for c in dataset.features if c.dtype not in NOT_DRAWN and _width(c) > MOST_DIMS]
        return {
            "path": self.path,
            "name": Path(self.path).resolve().name,
            "out": f"{Path(self.path).name if is_stored(self.path) else self.path.rstrip('/')}-curated",
            "version": dataset.version,
            "fps": dataset.fps,
            "frames": dataset.frames,
            "robot_type": dataset.robot_type,
            "episodes": self._count,
            "cameras": cameras,
            "columns": columns,
            "too_wide": left_out,
            "edit_file": str(self.edits.path),
            "label_styles": {name: style.is_language for name, style in STYLES.items() if not style.needs_camera},
        }

    def episodes(self) -> dict[str, Any]:
        """All episodes, a list per fact: tasks are positions in `tasks`."""
        numbers: dict[str, int] = {}
        lengths, tasks, success, tags = map(self.dataset.column_of_episodes, ("length", "tasks", "success", "tags"))
        places = [[numbers.setdefault(task, len(numbers)) for task in own] for own in tasks]
        return {
            "lengths": lengths,
            "task": [own[0] if len(own) == 1 else own for own in places],
            "tasks": list(numbers),
            "success": {number: known for number, known in enumerate(success) if known is not None},
            "tags": {number: own for number, own in enumerate(tags) if own},
        }

    def findings(self) -> dict[str, Any]:
        """`state`: unchecked, checked or failed; and what was noticed, when that is known."""
        with self._lock:
            if self._findings is None and self._checks is None:
                self._checks = Job("findings", path=str(self.dataset.root.resolve()))
            end = None if self._checks is None else self._checks.end
            if end is not None and end["event"] == "done":
                self._findings, self._checks = tuple(end["report"]), None
            if self._findings is not None:
                return {"state": "checked", "findings": self._findings}
            if end is not None:
                return {"state": "failed", "findings": [], "error": end.get("error", end["event"])}
            return {"state": "unchecked", "findings": []}

    def episode(self, number: int) -> dict[str, Any]:
        """One episode: its facts and where its videos are; `first` is the file's number of the frame of row 0."""
        episode = self.dataset.episode(number)
        videos = [
            {
                "camera": position,
                "file": [span.file_index.chunk, span.file_index.file],
                "first": round(span.from_s * self.dataset.fps),
            }
            for position, key in enumerate(self.dataset.cameras)
            if (span := episode.videos.get(key)) is not None
        ]
        facts = {name: value for name, value in episode.facts.items() if value not in (None, [], "")}
        spans = self._text_spans(number)
        return {"number": number, "length": episode.length, "tasks": list(episode.tasks), "facts": facts,
                "videos": videos, "texts": spans}  # fmt: skip

    def episode_length(self, number: int) -> int:
        """Rows. Raises: DatasetError when there is no such episode."""
        return self.dataset.episode(number).length

    def curves(self, number: int, column: int, start: int, stop: int, steps: int) -> bytes:
        """The curves of a column for a screen, as `Envelope.to_bytes`. Raises: DatasetError."""
        if not 0 <= column < len(self.columns):
            raise DatasetError(f"there are {counted(len(self.columns), 'column')} with curves, from 0")
        length = self.dataset.episode(number).length
        if not 0 <= start < stop <= length:
            raise DatasetError(f"rows {start} to {stop} are not in [0, {length}]")
        chosen = self.columns[column]
        table = self.dataset.rows(number, [chosen.key])
        with raised_as(DatasetError, f"{chosen.key}: its rows hold something else than info.json says", ValueError):
            values = to_numpy(table.column(chosen.key), chosen).reshape(length, -1).astype(np.float64)
        return envelope(values, start, stop, min(max(steps, 1), MOST_STEPS)).to_bytes()

    def video(self, camera: int, chunk: int, file: int) -> Path:
        """A video file of a camera. Raises: DatasetError when there is none of these numbers."""
        key = self.camera(camera)
        with raised_as(DatasetError, f"{self.path}: info.json", ValueError):
            path = path_of(str(self.dataset.info.get("video_path")), FileIndex(chunk, file), key)
        found = read.existing(self.dataset.root, path)
        if self._features[key].dtype != "video":
            raise DatasetError(f"{key}: is no video")
        return found

    def camera(self, number: int) -> str:
        """The key of a camera. Raises: DatasetError."""
        if not 0 <= number < len(self.dataset.cameras):
            raise DatasetError(f"there are {counted(len(self.dataset.cameras), 'camera')}, from 0")
        return self.dataset.cameras[number]

    def close(self) -> None:
        """Let go of files and of checks under way."""
        self.stills.close()
        with self._lock:
            if self._checks is not None:
                self._checks.close()

    def _labels(self, number: int) -> list[dict[str, Any]]:
        """The labels that columns say in words, as spans."""
        keys = self.dataset.label_keys
        if not keys:
            return []
        with raised_as(DatasetError, f"{self.path}: its labels cannot be read", ValueError):
            labels = labels_of(self.dataset.rows(number, keys), self.dataset.fps, subtasks=self.dataset.subtasks)
        return [
            {"key": label.style, "rows": [label.start, max(label.stop, label.start + 1)], "text": label.text}
            for label in labels[:MOST_TEXTS]
            if label.text
        ]

    def _text_spans(self, number: int) -> list[dict[str, Any]]:
        """Stretches of rows with one text, of columns of texts and of several tasks: {key, rows, text}."""
        keys = [c.key for c in self.dataset.features if c.dtype == "string" and c.shape == (1,)]
        found: list[dict[str, Any]] = []
        if len(self.dataset.episode(number).tasks) > 1:
            texts = dict(enumerate(self.dataset.tasks))
            tasks = self.dataset.rows(number, ["task_index"]).column("task_index").to_pylist()
            found += _spans("task", [texts.get(task, "?") for task in tasks])
        found += self._labels(number)
        for key in keys:
            found += _spans(key, self.dataset.rows(number, [key]).column(key).to_pylist())
        return found


def _spans(key: str, texts: Sequence[str | None]) -> list[dict[str, Any]]:
    """Equal neighbours as one span; nothing of a column that differs in nearly every row."""
    starts = [row for row, text in enumerate(texts) if row == 0 or text != texts[row - 1]]
    if len(starts) > MOST_TEXTS or len(starts) > len(texts) / 2 + 1:
        return []
    stops = [*starts[1:], len(texts)]
    return [{"key": key, "rows": [a, b], "text": texts[a]} for a, b in zip(starts, stops, strict=True) if texts[a]]


def _width(column: FeatureColumn) -> int:
    return int(np.prod(column.shape)) if column.shape else 1


def command(view: DatasetView, out: str) -> list[str]:
    """The command that does what the page's button does."""
    return ["telecine", "edit", view.path, out, "--edit", str(view.edits.path)]
