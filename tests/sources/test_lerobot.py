"""LeRobot datasets of every version as recordings: rows, tasks, pictures, and packets that can be copied."""

import json
import os
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from support import hdf5 as make
from support.dataset import PLAIN, TOP, clip, tiff, write
from support.dataset import episode as one_episode
from telecine import convert, merge, repair
from telecine.cli.main import app
from telecine.core.depth import DepthScale
from telecine.core.episode import EpisodeFacts, FeatureColumn
from telecine.core.errors import DatasetError, EditError, PlanError, SourceError
from telecine.core.findings import has_errors
from telecine.core.outcome import stored_facts
from telecine.core.plan.model import Video, make_plan
from telecine.core.proposal.propose import propose
from telecine.core.recording import CameraCalibration
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.inspection.dataset_summary import summarize
from telecine.inspection.recordings import inspect_many
from telecine.lerobot_format.calibrations import read_calibrations
from telecine.sources import registry
from telecine.sources.shared.timing import Timing
from telecine.sources.shared.video_file import VideoFileStream
from telecine.testing import SourceContract
from telecine.video.encode import encode
from telecine.video.mp4_reader import decode_at, depth_at
from telecine.video.presets import depth_settings

FPS = 10
LENGTHS = (23, 12, 31)


def v2(root, version="v2.1", lengths=LENGTHS):
    """A dataset as lerobot 0.3 laid it out, file by file; nothing of ours takes part but the pictures."""
    features = {
        "observation.state": {"dtype": "float32", "shape": [3], "names": {"motors": ["a", "b", "c"]}},
        "action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]},
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
        "observation.images.top": {"dtype": "video", "shape": [48, 64, 3], "names": ["height", "width", "channels"]},
    }
    for key in ("timestamp", "frame_index", "episode_index", "index", "task_index"):
        features[key] = {"dtype": "float32" if key == "timestamp" else "int64", "shape": [1], "names": None}
    info = {
        "codebase_version": version, "robot_type": "so100", "fps": FPS, "chunks_size": 2, "features": features,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    }  # fmt: skip
    (root / "meta").mkdir(parents=True)
    (root / "meta" / "info.json").write_text(json.dumps(info))
    tasks = [{"task_index": i, "task": f"task {i}"} for i in (0, 1)]
    (root / "meta" / "tasks.jsonl").write_text("\n".join(map(json.dumps, tasks)))
    told = [{"episode_index": i, "tasks": [f"task {i % 2}"], "length": n} for i, n in enumerate(lengths)]
    (root / "meta" / "episodes.jsonl").write_text("\n".join(map(json.dumps, told)))
    for number, count in enumerate(lengths):
        at = {"episode_chunk": number // 2, "episode_index": number, "video_key": "observation.images.top"}
        path = root / info["data_path"].format(**at)
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = {
            "observation.state": pa.array(make.ramp(count, 3, number).tolist(), pa.list_(pa.float32())),
            "action": pa.array(make.ramp(count, 2, number).tolist(), pa.list_(pa.float32())),
            "next.reward": pa.array(np.arange(count, dtype=np.float32)),
            "timestamp": pa.array((np.arange(count) / FPS).astype(np.float32)),
            "frame_index": pa.array(np.arange(count)),
            "episode_index": pa.array(np.full(count, number)),
            "index": pa.array(np.arange(count)),
            "task_index": pa.array(np.full(count, number % 2)),
        }
        pq.write_table(pa.table(columns), path)
        make.mp4(root / info["video_path"].format(**at), make.film(count), FPS)
    return root


def converted(paths, out, **more):
    proposal = propose(inspect_many(paths).recordings)
    report = convert(paths, out, make_plan({**proposal.body, **more}))
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    return Dataset(out), report


def bars(dataset, episode, rows):
    """The column of the white bar that moves a column a step, as each row's picture shows it."""
    found = []
    for row in rows:
        path, frame = dataset.frame("observation.images.top", episode, row)
        ((_, rgb),) = decode_at(str(path), [frame])
        found.append(int(rgb[2].min(axis=1).argmax()))
    return found


@pytest.fixture(scope="module")
def v3(tmp_path_factory):
    """A v3.0 dataset of three episodes in one file each, of the v2.1 one."""
    root = tmp_path_factory.mktemp("v3")
    v2(root / "old")
    converted([root / "old"], root / "new", video={"copy": "never", "gop": 4})
    return root / "new"


@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_an_older_dataset_becomes_a_v3_one_with_its_video_copied(tmp_path, version):
    old = v2(tmp_path / "old", version)
    dataset, _ = converted([old], tmp_path / "new")
    assert not has_errors(verify(dataset.root))
    assert [e.length for e in dataset.episodes] == list(LENGTHS)
    assert (dataset.fps, dataset.robot_type, list(dataset.tasks)) == (FPS, "so100", ["task 0", "task 1"])
    assert [e.tasks for e in dataset.episodes] == [("task 0",), ("task 1",), ("task 0",)]
    features = {f.key: f for f in dataset.features}
    assert features["observation.state"].names == ("a", "b", "c")
    for episode, count in enumerate(LENGTHS):
        rows = dataset.rows(episode, ["observation.state", "next.reward"])
        assert np.array_equal(np.array(rows.column(0).to_pylist(), "f4"), make.ramp(count, 3, episode))
        assert rows.column(1).to_pylist() == list(range(count))
        assert bars(dataset, episode, (0, 7, count - 1)) == [0, 7, count - 1]
    assert all(camera["copied"] for origin in dataset.provenance for camera in origin["cameras"])


def test_episodes_out_of_one_file_are_copied_one_by_one(v3, tmp_path):
    source = Dataset(v3)
    files = {source.frame("observation.images.top", i, 0)[0] for i in range(3)}
    assert len(files) == 1  # or this shows nothing
    dataset, _ = converted([v3], tmp_path / "again")
    assert all(camera["copied"] for origin in dataset.provenance for camera in origin["cameras"])
    for episode, count in enumerate(LENGTHS):
        assert bars(dataset, episode, (0, count - 1)) == [0, count - 1]
        assert dataset.rows(episode, ["action"]).equals(source.rows(episode, ["action"]))


def test_half_the_rate_takes_every_second_row_and_its_picture(v3, tmp_path):
    dataset, _ = converted([v3], tmp_path / "slow", fps=FPS // 2)
    assert dataset.episodes[0].length == 12
    assert bars(dataset, 0, (0, 3, 8)) == [0, 6, 16]


def test_several_datasets_become_one(v3, tmp_path):
    other = v2(tmp_path / "other", lengths=(9,))
    dataset, _ = converted([v3, other], tmp_path / "all")
    assert sorted(e.length for e in dataset.episodes) == sorted((*LENGTHS, 9))
    assert not has_errors(verify(dataset.root))


def test_features_can_be_left_out_and_renamed(v3, tmp_path):
    features = {"action": "/action", "observation.images.front": "/observation.images.top"}
    dataset, _ = converted([v3], tmp_path / "few", features=features)
    assert {"action", "observation.images.front"} <= {f.key for f in dataset.features}
    assert "observation.state" not in {f.key for f in dataset.features}


def test_pictures_in_the_rows_are_read(v3, tmp_path):
    images, _ = converted([v3], tmp_path / "png", video={"preset": "images"})
    assert {f.key: f.dtype for f in images.features}["observation.images.top"] == "image"
    dataset, _ = converted([images.root], tmp_path / "video")
    assert bars(dataset, 2, (0, 30)) == [0, 30]


def test_the_command_needs_no_plan(v3, tmp_path):
    inspected = CliRunner().invoke(app, ["inspect", str(v3), "--plan", str(tmp_path / "plan.yaml")])
    assert inspected.exit_code == 0, inspected.output
    arguments = ["convert", str(v3), str(tmp_path / "out"), "--plan", str(tmp_path / "plan.yaml")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


def test_another_version_is_named(tmp_path):
    old = v2(tmp_path / "old")
    info = json.loads((old / "meta/info.json").read_text())
    (old / "meta/info.json").write_text(json.dumps({**info, "codebase_version": "v1.6"}))
    found = registry.find([old])
    assert "v1.6" in found.findings[0].message


@pytest.mark.parametrize("name", ["meta/info.json", "meta/tasks.jsonl", "meta/episodes.jsonl"])
def test_damaged_metadata_is_a_finding(tmp_path, name):
    old = v2(tmp_path / "old")
    (old / name).write_text('{"codebase_version": ')
    found = registry.find([old])
    assert found.refs == ()
    assert [f.severity for f in found.findings] == ["error"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"data_path": "../{episode_index}.parquet"}, "leads out of the dataset's folder"),
        ({"video_path": "/etc/{video_key}.mp4"}, "leads out of the dataset's folder"),
        ({"data_path": "{episode_index:999999999999d}"}, "is no template"),
        ({"fps": 1 << 40}, "fps: found 1099511627776"),
        ({"fps": 0}, "fps: found 0"),
        ({"chunks_size": 0}, "meta/info.json: chunks_size: found 0, expected a positive integer"),
    ],
)
def test_metadata_that_would_read_elsewhere_or_fill_the_memory_is_refused(tmp_path, told, said):
    old = v2(tmp_path / "old")
    info = json.loads((old / "meta/info.json").read_text())
    (old / "meta/info.json").write_text(json.dumps(info | told))
    found = registry.find([old])
    assert found.refs == ()
    assert said in found.findings[0].message
    assert "Error(" not in found.findings[0].message


@pytest.mark.parametrize("length", [-1, 0, 1 << 40])
def test_episodes_of_absurd_lengths_are_refused(tmp_path, length):
    old = v2(tmp_path / "old")
    (old / "meta/episodes.jsonl").write_text(json.dumps({"episode_index": 0, "tasks": [], "length": length}))
    found = registry.find([old])
    assert found.refs == ()
    assert f"length: found {length}" in found.findings[0].message


def test_a_picture_outside_of_the_dataset_is_not_read(v3, tmp_path):
    (tmp_path / "private.png").write_bytes(b"private")
    root = tmp_path / "pictures"
    shutil.copytree(v3, root)
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    told = [{"bytes": None, "path": "../private.png"}] * len(table)
    pq.write_table(table.append_column("shot", pa.array(told)), path)
    info = json.loads((root / "meta/info.json").read_text())
    info["features"]["shot"] = {"dtype": "image", "shape": [48, 64, 3], "names": ["height", "width", "channels"]}
    (root / "meta/info.json").write_text(json.dumps(info))
    with registry.open(registry.find([root]).refs[0]) as recording, pytest.raises(SourceError, match="leads out"):
        list(recording.streams["/shot"].take(np.arange(1), "step"))


def test_rows_that_are_fewer_than_the_metadata_says_are_refused(tmp_path):
    old = v2(tmp_path / "old")
    path = old / "data/chunk-000/episode_000001.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with (
        registry.open(registry.find([old]).refs[1]) as recording,
        pytest.raises(SourceError, match="holds 11 rows of episode 1, expected 12"),
    ):
        recording.streams["/action"].take(np.arange(2), "time")


def test_a_plan_that_rows_do_not_complete_says_why_they_cannot_be_read(v3, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(v3, damaged)  # others read it, too
    next(damaged.glob("data/*/*.parquet")).unlink()
    with pytest.raises(PlanError, match=r"12 streams cannot be read, the first: .*/data/.*telecine repair"):
        convert(damaged, tmp_path / "out", workers=0)


def test_a_video_with_other_pictures_than_rows_is_refused(tmp_path):
    old = v2(tmp_path / "old")
    make.mp4(old / "videos/chunk-000/observation.images.top/episode_000001.mp4", make.film(11), FPS)
    with (
        registry.open(registry.find([old]).refs[1]) as recording,
        pytest.raises(SourceError, match="11 frames and the recording 12"),
    ):
        recording.streams["/observation.images.top"].times("time")


def test_depth_in_impossible_steps_is_left_out_and_named(v3, tmp_path):
    old = v2(tmp_path / "old")
    info = json.loads((old / "meta/info.json").read_text())
    info["features"]["observation.images.top"]["info"] = {"video.is_depth_map": True, "video.depth_max": 0.001}
    (old / "meta/info.json").write_text(json.dumps(info))
    with registry.open(registry.find([old]).refs[0]) as recording:
        assert "/observation.images.top" not in recording.streams
        assert [(i.stream, "depth" in i.why) for i in recording.left_out] == [("/observation.images.top", True)]


SCALES = [DepthScale(), DepthScale(0.1, 2.0, 0.5, unit="m")]


def depth_video(folder, count, scale, *, start=0):
    """A clip of which every pixel of frame i is code 40 * (start + i)."""
    levels = scale.levels("m").astype(np.float32)
    frames = [
        av.VideoFrame.from_ndarray(np.full((48, 64), levels[40 * (start + i)], np.float32), format="grayf32le")
        for i in range(count)
    ]
    how = {"count": count, "key": TOP, "path": str(folder / f"depth-{start}.clip"), "why": "made for a test"}
    return encode(frames, depth_settings(Video(), scale), 30, **how)


def with_depth_videos(folder, scale, lengths=(31, 20)):
    """A dataset with depth in videos, of any scale, as LeRobot's encoder has it."""
    folder.mkdir()
    starts = np.cumsum([0, *lengths])
    return write(
        folder / "in",
        [one_episode(n, i, clips=[depth_video(folder, n, scale, start=int(starts[i]))]) for i, n in enumerate(lengths)],
    )


def codes_of(root, episode):
    """The code of every row's frame."""
    dataset = Dataset(root)
    path, first = dataset.frame(TOP, episode, 0)
    shown = list(depth_at(str(path), range(first, first + dataset.episodes[episode].length)))
    assert all(np.unique(codes).size == 1 for _, codes in shown)
    return [int(codes[0, 0]) for _, codes in shown]


@pytest.fixture(scope="module")
def depth_datasets(tmp_path_factory):
    """One of each scale."""
    folder = tmp_path_factory.mktemp("depth")
    return [with_depth_videos(folder / str(number), scale) for number, scale in enumerate(SCALES)]


@pytest.mark.parametrize(("number", "fps", "step"), [(0, 30, 1), (1, 15, 2), (1, 10, 3)])
def test_depth_videos_keep_every_code_and_their_scale(tmp_path, depth_datasets, number, fps, step):
    root, scale = depth_datasets[number], SCALES[number]
    report = convert(root, tmp_path / "out", fps=fps, workers=0)
    assert report.ok, report.findings
    for episode, (start, length) in enumerate([(0, 31), (31, 20)]):
        assert codes_of(tmp_path / "out", episode) == [40 * (start + k) for k in range(0, length, step)]
    made, before = Dataset(tmp_path / "out"), Dataset(root)
    assert (made.depth(TOP), before.depth(TOP)) == (scale, scale)
    encoded = sum(clip.pictures.encoded for e in report.episodes for clip in e.clips)
    assert (encoded == 0) == (step < 3)  # a keyframe every other frame
    stats = made.json("meta/stats.json")[TOP]
    last = 40 * max(30 // step * step, 31 + 19 // step * step)
    assert stats["max"][0][0][0] <= scale.levels(scale.unit)[last]
    assert stats["min"][0][0][0] == scale.levels(scale.unit)[0]
    assert not [f for f in verify(tmp_path / "out", decode="all") if f.severity != "info"]


def test_depth_of_two_scales_is_never_one_dataset(tmp_path, depth_datasets):
    report = convert(depth_datasets, tmp_path / "out", fps=30, workers=0)
    assert {"depth in steps of" in rejected.reason.message for rejected in report.rejected} == {True}
    assert len(report.rejected) == 2
    with pytest.raises(EditError, match="its depth is in other units or steps"):
        merge(depth_datasets, tmp_path / "merged")


def test_repair_keeps_depth_to_the_code(tmp_path, depth_datasets):
    scale = SCALES[1]
    root = Path(shutil.copytree(depth_datasets[1], tmp_path / "broken"))
    (root / "meta/stats.json").unlink()
    repaired = repair(root, tmp_path / "out")
    assert repaired.ok, (repaired.found, repaired.after)
    assert [codes_of(tmp_path / "out", n) for n in (0, 1)] == [codes_of(root, n) for n in (0, 1)]
    assert Dataset(tmp_path / "out").depth(TOP) == scale


def with_depth_images(tmp_path, frames):
    """A dataset with depth in its rows as LeRobot 0.6.1 writes it: TIFF files."""
    root = write(
        tmp_path / "depth", [one_episode(len(frames), clips=[clip(tmp_path, TOP, len(frames), preset="images")])]
    )
    info = json.loads((root / "meta/info.json").read_text())
    unit = {"is_depth_map": True, "depth_unit": "mm" if frames[0].dtype == np.uint16 else "m"}
    info["features"][TOP] |= {"shape": [*frames[0].shape, 1], "info": unit}
    (root / "meta/info.json").write_text(json.dumps(info))
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    cells = [{"bytes": tiff(frame), "path": f"frame-{i:06d}.tiff"} for i, frame in enumerate(frames)]
    at = table.column_names.index(TOP)
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(cells, table.schema.field(at).type)), path)
    return root


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_depth_in_tiff_files_is_read_and_shown(tmp_path, dtype):
    metres = np.linspace(0.5, 4, 5 * 48 * 64).reshape(5, 48, 64)
    frames = (metres * 1000).astype(dtype) if dtype == "uint16" else metres.astype(dtype)
    root = with_depth_images(tmp_path, frames)
    with registry.open(registry.find([root]).refs[0]) as recording:
        stream = recording.streams[f"/{TOP}"]
        assert (stream.schema.dtype, stream.schema.unit) == (dtype, "mm" if dtype == "uint16" else "m")
        images = list(stream.take(np.array([0, 3]), "time"))
    for image, expected in zip(images, frames[[0, 3]], strict=True):
        assert np.array_equal(np.frombuffer(image.data, dtype).reshape(48, 64), expected)
    assert not any(f.code == "look-counts" for f in summarize(root).findings)
    report = convert(root, tmp_path / "out", fps=30, task="x", workers=0)
    assert [c.key for c in report.episodes[0].clips] == [TOP]
    assert Dataset(tmp_path / "out").info["features"][TOP]["info"]["is_depth_map"]


def test_language_columns_that_cannot_be_read_are_left_out_by_name_and_the_rest_converts(v3, tmp_path):
    old = v2(tmp_path / "old", lengths=(5,))
    info = json.loads((old / "meta/info.json").read_text())
    info["features"]["language_events"] = {"dtype": "language", "shape": [1], "names": None}
    (old / "meta/info.json").write_text(json.dumps(info))
    with registry.open(registry.find([old]).refs[0]) as recording:
        (item,) = recording.left_out
        assert (item.stream, item.what) == ("/language_events", "unreadable")
        assert "has no column language_events" in item.why
        assert "/action" in recording.streams


def test_bools_and_texts_under_observation_are_offered_and_the_rest_converts(tmp_path):
    columns = (*PLAIN, FeatureColumn("flag", "bool", (1,)), FeatureColumn("words", "string", (1,)))
    root = write(tmp_path / "in", [one_episode(20, columns=columns)])
    named = {"flag": "observation.flag", "words": "action.words"}
    info = json.loads((root / "meta/info.json").read_text())
    info["features"] = {named.get(key, key): entry for key, entry in info["features"].items()}
    (root / "meta/info.json").write_text(json.dumps(info))
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.rename_columns([named.get(name, name) for name in table.column_names]), path)
    report = convert(root, tmp_path / "out", task="x", workers=0)
    assert len(report.episodes) == 1
    why = {entry.item.stream: entry.item.why for entry in report.left_out}
    assert "ends LeRobot's training" in why["/observation.flag"]
    assert "ends LeRobot's training" in why["/action.words"]
    features = Dataset(tmp_path / "out").info["features"]
    assert "action" in features
    assert not set(named.values()) & set(features)


def test_facts_and_calibrations_of_episodes_come_along(tmp_path):
    clips = [clip(tmp_path, TOP, 6)]
    seen = {TOP: CameraCalibration(64, 48, frame="base")}
    known = [EpisodeFacts(False, "timeout", "slipped", tags=("a", "b")), EpisodeFacts(True, "success"), EpisodeFacts()]
    made = [replace(one_episode(6, i, clips=clips), facts=f, calibrations=seen) for i, f in enumerate(known)]
    root, out = write(tmp_path / "in", made), tmp_path / "out"
    assert len(converted([root], out)[0]) == 3
    stored = [stored_facts(e.facts) for e in Dataset(out).episodes]
    assert [(f.success, f.outcome) for f in stored] == [(False, "timeout"), (True, "success"), (None, "unknown")]
    assert (stored[0].error_cause, stored[0].tags) == ("slipped", ("a", "b"))
    assert [Dataset(out).rows(i).column("next.success")[-1].as_py() for i in range(3)] == [False, True, False]
    assert set(read_calibrations(out)[TOP]) == {f.recording for f in stored}


class TestLeRobot(SourceContract):
    """The contract, on the old layout and the new one."""

    @pytest.fixture
    def places(self, v3, tmp_path):
        return [str(v3), str(v2(tmp_path / "old", lengths=(5,)))]


def test_a_dataset_is_one_place_although_it_holds_many_files(v3):
    found = registry.find([Path(v3).parent])
    assert {r.path for r in found.refs} == {str(v3), str(v3.parent / "old")}


def test_timestamps_off_their_grid_are_said_when_converting(tmp_path):
    root = v2(tmp_path / "old")
    path = root / "data/chunk-000/episode_000001.parquet"
    table = pq.read_table(path)
    times = pa.array((np.arange(12) / FPS + 0.004 * (np.arange(12) > 6)).astype(np.float32))
    pq.write_table(table.set_column(table.column_names.index("timestamp"), "timestamp", times), path)
    _, report = converted([root], tmp_path / "new")
    found = [(e.index, f.message) for e in report.episodes for f in e.findings if f.code == "source-timestamps"]
    assert [(index, text.partition(",")[0]) for index, text in found] == [
        (1, "5 of 12 timestamps are off the grid of 10 fps")
    ]


def test_a_video_that_changed_is_read_again_although_its_time_is_put_back(tmp_path):
    path = tmp_path / "a.mp4"
    counts = []
    for count in (5, 7):
        make.mp4(path, make.film(count), FPS)
        os.utime(path, ns=(10**18, 10**18))
        stream = VideoFileStream("/top", str(path), Timing(Fraction(FPS)))
        counts.append(len(stream.times("step")))
    assert counts == [5, 7]


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_repair_makes_depth_video_of_depth_in_tiff_files(tmp_path, dtype):
    metres = np.linspace(0.5, 4, 5 * 48 * 64).reshape(5, 48, 64)
    root = with_depth_images(tmp_path, (metres * (1000 if dtype == "uint16" else 1)).astype(dtype))
    done = repair(root, tmp_path / "out")
    assert (done.lost, done.episodes) == ((), 1)
    assert not has_errors(done.after)
    assert any("becomes depth video" in f.message for f in done.found)
    path, first = Dataset(tmp_path / "out").frame(TOP, 0, 0)
    shown = DepthScale().levels()[np.stack([codes for _, codes in depth_at(str(path), range(first, first + 5))])]
    assert np.abs(shown - metres * 1000).max() < 4


@pytest.mark.parametrize("spoil", [lambda data: b"\x89PNG" + data, lambda data: data[:60]])
def test_repair_leaves_out_depth_that_is_in_no_plain_tiff_file(tmp_path, spoil):
    root = with_depth_images(tmp_path, np.full((5, 48, 64), 900, np.uint16))
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    at, field = table.column_names.index(TOP), table.schema.field(TOP)
    cells = [{"bytes": spoil(cell["bytes"]), "path": cell["path"]} for cell in table.column(TOP).to_pylist()]
    pq.write_table(table.set_column(at, field, pa.array(cells, field.type)), path)
    done = repair(root, tmp_path / "out")
    assert [f.where for f in done.lost] == [TOP]
    assert Dataset(tmp_path / "out").cameras == ()


def test_repair_loses_an_episode_of_depth_in_two_types(tmp_path):
    root = with_depth_images(tmp_path, np.full((5, 48, 64), 900, np.uint16))
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    at, field = table.column_names.index(TOP), table.schema.field(TOP)
    cells = table.column(TOP).to_pylist()
    cells[2]["bytes"] = tiff(np.full((48, 64), 0.9, np.float32))
    pq.write_table(table.set_column(at, field, pa.array(cells, field.type)), path)
    with pytest.raises(DatasetError, match="no episode can be recovered") as error:
        repair(root, tmp_path / "out")
    assert any("depth of float32 and uint16" in note for note in error.value.__notes__)
