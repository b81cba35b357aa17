"""info.json, stats.json, tasks, provenance and the rest of meta/ of a new dataset."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine._version import __version__
from telecine.core.data import arrow
from telecine.core.derive.derived import meanings_of, record
from telecine.core.derive.functions import Meaning
from telecine.core.findings import Finding
from telecine.core.plan.model import Plan, parse_plan
from telecine.core.recording import CameraCalibration
from telecine.dataset.assembly.episode_table import keys_with_stats, pooled
from telecine.dataset.assembly.made_columns import added_columns
from telecine.dataset.assembly.rows import WrittenRows
from telecine.dataset.assembly.selection import Selection, facts_of
from telecine.dataset.assembly.videos import WrittenVideos, link
from telecine.dataset.camera_sheet import write_sheet
from telecine.dataset.card import card, license_of
from telecine.dataset.existing import OF_ALL_VIDEOS, card_at, has_our_card
from telecine.dataset.metadata_files import write_json
from telecine.dataset.reader import Dataset
from telecine.dataset.relative_stats import relative_keys, write_relative_stats
from telecine.dataset.units import units_of
from telecine.lerobot_format import paths, schema
from telecine.lerobot_format.calibrations import read_calibrations, write_calibrations
from telecine.lerobot_format.metadata import INDEX_KEYS, channels_last, names_of

CROPPED = "cropped by an edit"
"""In place of a reason: the frames can no longer be compared with the recording's."""
_MADE = (
    paths.CAMERAS,
    paths.INFO,
    paths.STATS,
    paths.TASKS,
    paths.PROVENANCE,
    paths.HISTOGRAMS,
    paths.RELATIVE_STATS,
    paths.REPORT,
    paths.REPORT_ROWS,
    paths.CARD,
    paths.SHEET,
    paths.PLAN,
    paths.DERIVED,
)


def write_metadata(
    selection: Selection, folder: Path, rows: WrittenRows, videos: Mapping[str, WrittenVideos], episodes: pa.Table
) -> list[Finding]:
    """Everything in meta/ but meta/episodes, and the card; what is to be said of it. Raises: OSError."""
    info = _info(selection, rows, videos)
    write_json(folder / paths.INFO, info)
    write_json(folder / paths.STATS, _stats(episodes))
    with (folder / paths.TASKS).open("wb") as sink:
        pq.write_table(schema.tasks_table(list(rows.texts)), sink)
    plan_yaml = _write_plans(selection, folder)
    _write_provenance(selection, folder, rows, videos)
    _write_derived(selection, folder)
    _link_others(selection, folder)
    inputs = zip(selection.inputs, selection.keys, strict=True)
    relative = [keys[key] for dataset, keys in inputs for key in relative_keys(dataset.root) if key in keys]
    write_relative_stats(folder, dict.fromkeys(relative))
    calibrations: dict[str, dict[str, CameraCalibration]] = {}
    for dataset, keys in zip(selection.inputs, selection.keys, strict=True):
        for key, own in read_calibrations(dataset.root).items():
            if key in keys:
                calibrations.setdefault(keys[key], {}).update(own)
    write_calibrations(folder, calibrations)
    found, first = write_sheet(folder), selection.inputs[0]
    if has_our_card(first.root, first.info, first.tasks):
        sheet, stated = (folder / paths.SHEET).is_file(), license_of(card_at(first.root))
        text = card(info, list(rows.texts), plan_yaml, units=units_of(folder), license=stated, sheet=sheet)
        (folder / paths.CARD).write_text(text, encoding="utf-8")
    elif (first.root / paths.CARD).is_file():
        shutil.copyfile(first.root / paths.CARD, folder / paths.CARD)
    return found


def _info(selection: Selection, rows: WrittenRows, videos: Mapping[str, WrittenVideos]) -> dict[str, Any]:
    """The first input's info.json, with the features and counts that the new dataset has."""
    info, keys = selection.inputs[0].info, selection.keys[0]
    features: dict[str, Any] = {}
    added = {column.key: schema.column_entry(column) for column in added_columns(selection)}
    for key, entry in info["features"].items():
        if key in INDEX_KEYS:
            features |= added
        if key in INDEX_KEYS or key in keys:
            features[keys.get(key, key)] = entry
    for key, made in videos.items():
        if made.encoder is not None and made.size is not None:
            features[key] = _recoded(features[key], made)
    counts = {
        "total_episodes": len(selection.episodes),
        "total_frames": sum(e.length for e in selection.episodes),
        "total_tasks": len(rows.texts),
    }
    return info | {"features": features, **counts, "splits": {"train": f"0:{len(selection.episodes)}"}}


def _recoded(entry: Mapping[str, Any], made: WrittenVideos) -> dict[str, Any]:
    assert made.size is not None
    width, height = made.size
    old = dict(entry.get("info") or {})
    kept = {name: value for name, value in old.items() if name in OF_ALL_VIDEOS}
    size = {"video.height": height, "video.width": width, "video.codec": made.codec, "video.pix_fmt": "yuv420p"}
    shape, names = channels_last(entry["dtype"], tuple(entry["shape"]), names_of(entry, tuple(entry["shape"])))
    info = {**kept, **size, **(made.encoder or {})}
    return {**entry, "shape": [height, width, shape[-1]], "names": names and list(names), "info": info}


def _stats(episodes: pa.Table) -> dict[str, Any]:
    """stats.json, pooled from the statistics of the episodes."""
    found = {key: pooled(episodes, key) for key in keys_with_stats(episodes)}
    return {key: stats.lists() for key, stats in found.items() if stats is not None}


def _write_provenance(
    selection: Selection, folder: Path, rows: WrittenRows, videos: Mapping[str, WrittenVideos]
) -> None:
    """Where each episode came from: a cut one from the part of the recording that it still is."""
    records = []
    known = [{int(row["episode_index"]): row for row in dataset.provenance} for dataset in selection.inputs]
    for number, episode in enumerate(selection.episodes):
        dataset = selection.inputs[episode.source[0]]
        row = dict(known[episode.source[0]].get(episode.source[1]) or _origin(dataset, episode.source[1]))
        length = selection.facts(episode).length
        if not set(rows.tasks[number]) <= set(selection.facts(episode).tasks):
            row["relabelled"] = True
        if row.get("start_ns") is not None and not selection.is_whole(episode):
            step = Fraction(10**9, dataset.fps)
            start = int(row["start_ns"])
            row["start_ns"] = start + int(episode.start * step + Fraction(1, 2))
            if episode.stop < length:
                row["stop_ns"] = start + int(episode.stop * step + Fraction(1, 2))
        row |= {"episode_index": number, "ticks": episode.length, **facts_of(episode)}
        row["cameras"] = list(_cameras(selection, number, row.get("cameras") or (), videos))
        defaults = {"cameras": [], "tags": [], "interrupted": False, "relabelled": False}
        names = schema.PROVENANCE_SCHEMA.names
        records.append({name: defaults.get(name) if row.get(name) is None else row[name] for name in names})
    path = folder / paths.PROVENANCE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as sink:
        pq.write_table(arrow.table(records, schema.PROVENANCE_SCHEMA), sink)


def _cameras(
    selection: Selection, number: int, there: Sequence[Mapping[str, Any]], videos: Mapping[str, WrittenVideos]
) -> Iterator[dict[str, Any]]:
    """The provenance of an episode's cameras: new files hold no frame that no row shows."""
    episode = selection.episodes[number]
    keys = selection.keys[episode.source[0]]
    for entry in there:
        key = keys.get(entry["key"])
        if key is None:
            continue
        rebuilt = key in videos and number in videos[key].rebuilt
        own: dict[str, Any] = {}
        if rebuilt or not selection.is_whole(episode):
            own = {"preroll": 0, "frames": episode.length}
        if (edit := selection.cameras.get(key)) is not None:
            is_cropped = edit.crop is not None or entry["why"] == CROPPED
            own |= {"copied": False, "why": CROPPED if is_cropped else "re-encoded by an edit"}
        yield {**entry, "key": key, **own}


def _origin(dataset: Dataset, episode: int) -> dict[str, Any]:
    """What is known of an episode of a dataset that does not say where it came from."""
    name = dataset.root.resolve().name
    return {"source": name, "recording_id": f"/episode_{episode}", "recording": f"{name}#/episode_{episode}",
            "start_ns": 0, "stop_ns": 0, "tool": f"telecine {__version__}"}  # fmt: skip


def _write_plans(selection: Selection, folder: Path) -> str | None:
    """The plans of the inputs with features named as they are now; that of the first input as YAML."""
    first: str | None = None
    for number, dataset in enumerate(selection.inputs):
        path = dataset.root / paths.PLAN
        if not path.is_file():
            continue
        text = _renamed(path.read_text(encoding="utf-8"), selection.keys[number])
        if number == 0:
            first = text
            target = folder / paths.PLAN
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        digest = dataset.provenance[-1].get("plan_digest") if dataset.provenance else None
        earlier = {p.stem: p for p in sorted((dataset.root / paths.PLANS).glob("*.yaml"))}
        for stem, plan in {**earlier, **({str(digest): path} if digest else {})}.items():
            target = folder / paths.PLANS / f"{stem}.yaml"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_renamed(plan.read_text(encoding="utf-8"), selection.keys[number]), encoding="utf-8")
    return first


def _renamed(text: str, keys: Mapping[str, str]) -> str:
    """A plan with the features that are still there, under their new keys."""
    plan: Plan = parse_plan(text)
    features = tuple(f.model_copy(update={"key": keys[f.key]}) for f in plan.features if f.key in keys)
    return plan.model_copy(update={"features": features}).to_yaml()


def _write_derived(selection: Selection, folder: Path) -> None:
    """How columns were computed, and the way back: those that the first input has, and new ones."""
    first, keys = selection.inputs[0], selection.keys[0]
    there = first.json(paths.DERIVED) if (first.root / paths.DERIVED).is_file() else {}
    known = {c.key: there.get(c.key) or {} for c in first.features}
    meanings = {}
    for column in first.features:
        units, frame = known[column.key].get("units") or "", known[column.key].get("frame") or ""
        meanings[column.key] = Meaning(column.names, units, frame, column.key)
    made = {keys[key]: entry for key, entry in there.items() if key in keys}
    found = meanings_of(selection.derived, meanings, selection.tools)
    made |= record(selection.derived, found, selection.tools)
    if made:
        write_json(folder / paths.DERIVED, made)


def _link_others(selection: Selection, folder: Path) -> None:
    """Whatever else the first input has beside rows, videos and metadata that is made anew: linked."""
    root = selection.inputs[0].root
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or name in _MADE or name.startswith(("data/", "videos/", "meta/episodes/")):
            continue
        if not (folder / name).exists():
            link(path, folder / name)
