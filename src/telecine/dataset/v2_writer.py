"""Writes LeRobot v2.1 (GR00T's layout, with modality.json) from a v3.0 dataset: a file an episode, nothing re-encoded.

For trainers that have not moved on. What v2.1 has no place for (where episodes lie in shared files) is left out.
Layout: LeRobot 0.3, `lerobot/datasets/v2`, as its converter to v3.0 reads it.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.core.findings import Finding
from telecine.core.label import LANGUAGE
from telecine.dataset.card import card
from telecine.dataset.metadata_files import write_json
from telecine.dataset.reader import Dataset
from telecine.dataset.units import units_of
from telecine.dataset.v2_labels import SUBTASK, V2Labels
from telecine.lerobot_format import paths
from telecine.lerobot_format.modality import modality
from telecine.lerobot_format.read import read_statistics
from telecine.video.append import VideoFile
from telecine.video.cut import ClipRange, cut
from telecine.video.presets import video_settings

_INT64 = {"dtype": "int64", "_type": "Value"}
V2Layout = Literal["v2.1", "gr00t"]
_OURS = (
    paths.PLAN, paths.PROVENANCE, paths.REPORT, paths.REPORT_ROWS, paths.LEFT_OUT, paths.CAMERAS, paths.RELATIVE_STATS,
    paths.DERIVED, paths.SHEET,
)  # fmt: skip


def write_v2(source: Path, folder: Path, kind: V2Layout, *, scratch: Path) -> list[Finding]:
    """Write the dataset at `source`, of version 3.0, into the empty `folder`; clips pass through `scratch`.

    Returns: what the layout has no place for.

    Raises: DatasetError or VideoError when it cannot be read, OSError when the disk refuses.
    """
    dataset = Dataset(source)
    labels = V2Labels(dataset, annotates=kind == "gr00t")
    v2_info = _info(dataset, labels)
    for number in range(len(dataset)):
        path = folder / _path(v2_info, paths.V2_DATA_PATH, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as sink:
            pq.write_table(_as_sequences(labels.rows(number, dataset.rows(number))), sink, compression="snappy")
    for key in _video_keys(dataset):
        _videos(dataset, key, folder, v2_info, scratch)
    _meta(dataset, v2_info, folder, labels)
    if kind == "gr00t":
        write_json(folder / paths.MODALITY, _modality(dataset, labels))
        write_json(
            folder / paths.STATS, _without_counts(json.loads((source / paths.STATS).read_text(encoding="utf-8")))
        )
    for name in _OURS:
        if (source / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    return list(labels.findings(str(source)))


def _modality(dataset: Dataset, labels: V2Labels) -> dict[str, Any]:
    made = modality(dataset.features, dataset.cameras)
    if labels.annotates:
        made["annotation"]["human.subtask"] = {"original_key": SUBTASK.key}
    return made


def _as_sequences(rows: pa.Table) -> pa.Table:
    """The rows with lists called by the name that the package datasets before 4.0 has for them; later ones read both.

    LeRobot 0.3 and openpi need those versions, which end at a type `List` in the schema's metadata.
    """
    metadata = dict(rows.schema.metadata or {})
    if b"huggingface" in metadata:
        types = json.loads(metadata[b"huggingface"], object_hook=_sequence)
        own = types["info"]["features"] | ({SUBTASK.key: _INT64} if SUBTASK.key in rows.column_names else {})
        types["info"]["features"] = {key: kind for key, kind in own.items() if key not in LANGUAGE}
        metadata[b"huggingface"] = json.dumps(types).encode()
    return rows.replace_schema_metadata(metadata or None)


def _sequence(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"_type": "Sequence"} if entry.get("_type") in ("List", "LargeList") else entry


def _without_counts(stats: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Statistics as GR00T N1 and N1.5 read them: they slice each by the elements of a part, and `count` has but one."""
    return {key: {name: value for name, value in found.items() if name != "count"} for key, found in stats.items()}


def _info(dataset: Dataset, labels: V2Labels) -> dict[str, Any]:
    info, videos = dataset.info, _video_keys(dataset)
    chunk = int(info.get("chunks_size", 1000))
    return {
        "codebase_version": "v2.1",
        "robot_type": info.get("robot_type"),
        "total_episodes": len(dataset),
        "total_frames": dataset.frames,
        "total_tasks": len(dataset.tasks),
        "total_videos": len(dataset) * len(videos),
        "total_chunks": -(-len(dataset) // chunk),
        "chunks_size": chunk,
        "fps": dataset.fps,
        "splits": {"train": f"0:{len(dataset)}"},
        "data_path": paths.V2_DATA_PATH,
        "video_path": paths.V2_VIDEO_PATH if videos else None,
        "features": labels.features(info["features"]),
    }


def _video_keys(dataset: Dataset) -> list[str]:
    return [column.key for column in dataset.features if column.dtype == "video"]


def _path(v2_info: Mapping[str, Any], template: str, episode: int, **more: str) -> str:
    return template.format(episode_chunk=episode // v2_info["chunks_size"], episode_index=episode, **more)


def _videos(dataset: Dataset, key: str, folder: Path, v2_info: Mapping[str, Any], scratch: Path) -> None:
    """One MP4 an episode, file by file of the dataset."""
    files: dict[Path, list[tuple[int, ClipRange]]] = {}
    for facts in dataset.episodes:
        path, first = dataset.frame(key, facts.index, 0)
        one = ClipRange(first, facts.length, str(scratch / f"cut-{facts.index:06d}.clip"))
        files.setdefault(path, []).append((facts.index, one))
    for path, wanted in files.items():
        clips = cut(str(path), [one for _, one in wanted], key=key, fps=dataset.fps, settings=video_settings("train"))
        for (episode, _), clip in zip(wanted, clips, strict=True):
            target = folder / _path(v2_info, paths.V2_VIDEO_PATH, episode, video_key=key)
            target.parent.mkdir(parents=True, exist_ok=True)
            file = VideoFile(target, dataset.fps)
            file.append(clip)
            file.close()
            Path(clip.path).unlink()


def _meta(dataset: Dataset, v2_info: Mapping[str, Any], folder: Path, labels: V2Labels) -> None:
    meta = folder / "meta"
    meta.mkdir(exist_ok=True)
    _write_lines(meta / "tasks.jsonl", ({"task_index": i, "task": task} for task, i in labels.texts.items()))
    lines = ({"episode_index": e.index, "tasks": list(e.tasks), "length": e.length} for e in dataset.episodes)
    _write_lines(meta / "episodes.jsonl", lines)
    stats = (
        {"episode_index": i, "stats": found | ({SUBTASK.key: labels.stats[i]} if i in labels.stats else {})}
        for i, found in enumerate(read_statistics(dataset.root))
    )
    _write_lines(folder / paths.V2_EPISODE_STATS, stats)
    write_json(meta / "info.json", {**v2_info, "total_tasks": len(labels.texts)})
    units, sheet = units_of(dataset.root), (dataset.root / paths.SHEET).is_file()
    text = card(dict(v2_info), list(dataset.tasks), units=units, sheet=sheet)
    (folder / paths.CARD).write_text(text, encoding="utf-8")


def _write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line and no line more: GR00T parses every line."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
