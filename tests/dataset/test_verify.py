"""A good dataset, one thing changed at a time: verify names what changed."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import FPS, TOP, WRIST, clip, episode, everything, write
from telecine.core.findings import has_errors
from telecine.dataset.reader import open_dataset
from telecine.dataset.verify.verify import verify
from telecine.inspection.dataset_summary import summarize
from telecine.inspection.quality import check_dataset
from telecine.lerobot_format.paths import Limits
from telecine.recovery.repair import repair
from telecine.video.encode import encode
from telecine.video.presets import video_settings

DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
VIDEO = f"videos/{TOP}/chunk-000/file-000.mp4"
TASKS = "meta/tasks.parquet"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Three episodes, the second of one row; rows and videos roll over after the second."""
    folder = tmp_path_factory.mktemp("good")
    episodes = everything(folder)
    limits = Limits(data_bytes=9_000, video_bytes=sum(e.clips[0].size_bytes for e in episodes[:2]) + 1000)
    return write(folder / "dataset", episodes, limits=limits)


@pytest.fixture
def dataset(good, tmp_path):
    """A copy to spoil."""
    return Path(shutil.copytree(good, tmp_path / "dataset"))


def edit_json(root, path, change):
    content = json.loads((root / path).read_text())
    change(content)
    (root / path).write_text(json.dumps(content))


def edit_info(change):
    return lambda root: edit_json(root, "meta/info.json", change)


def edit_stats(change):
    return lambda root: edit_json(root, "meta/stats.json", change)


def edit_table(path, change):
    def spoil(root):
        table = change(pq.read_table(root / path))
        pq.write_table(table, root / path)

    return spoil


def set_column(path, key, change):
    """Replace a column by what `change` makes of its Python values."""

    def changed(table):
        position = table.column_names.index(key)
        values = table.column(key).to_pylist()
        kind = table.schema.field(key)
        return table.set_column(position, kind, pa.array(change(values), kind.type))

    return edit_table(path, changed)


def put(row, value):
    def change(values):
        values[row] = value
        return values

    return change


def retype(path, key, kind):
    def changed(table):
        position = table.column_names.index(key)
        return table.set_column(position, pa.field(key, kind), table.column(key).cast(kind))

    return edit_table(path, changed)


def copied_elsewhere(source, target):
    def spoil(root):
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / source, root / target)

    return spoil


def remuxed(path, stamp, **options):
    """Write the same packets again, `stamp(number)` giving (pts, duration) or None to leave one out."""

    def spoil(root):
        spoilt = root / "spoilt.mp4"
        with av.open(str(root / path)) as source, av.open(str(spoilt), "w", options=options) as target:
            stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
            stream.time_base = source.streams.video[0].time_base
            ticks = round(1 / (FPS * stream.time_base))
            packets = [p for p in source.demux(video=0) if p.pts is not None]
            for number, packet in enumerate(packets):
                stamped = stamp(number)
                if stamped is None:
                    continue
                packet.pts = packet.dts = round(stamped * ticks)
                packet.duration = ticks
                packet.stream = stream
                target.mux(packet)
        spoilt.replace(root / path)

    return spoil


def swapped(first, second):
    def spoil(root):
        (root / first).rename(root / "held")
        (root / second).rename(root / first)
        (root / "held").rename(root / second)

    return spoil


def other_frames(root):
    """The same video with all frames white: same size, codec, count."""
    with av.open(str(root / VIDEO)) as source:
        count = sum(1 for p in source.demux(video=0) if p.pts is not None)
    white = np.full((48, 64, 3), 255, np.uint8)
    with av.open(str(root / VIDEO), "w") as target:
        stream = target.add_stream("libx264", rate=FPS, options={"bf": "0", "preset": "ultrafast", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(count):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(white, format="rgb24").reformat(format="yuv420p")))
        target.mux(stream.encode(None))


def flipped_bytes(root):
    """Damage in the middle of the frames that leaves the index whole."""
    data = bytearray((root / VIDEO).read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 400] = b"\xff" * 400
    (root / VIDEO).write_bytes(data)


def shift_span(frames):
    def change(table):
        for name in ("from_timestamp", "to_timestamp"):
            key = f"videos/{TOP}/{name}"
            times = table.column(key).to_pylist()
            times[1] += frames / FPS
            table = table.set_column(table.column_names.index(key), key, pa.array(times, pa.float64()))
        return table

    return edit_table(EPISODES, change)


MUTATIONS = {
    "no info.json": (lambda r: (r / "meta/info.json").unlink(), "verify-structure", "meta/info.json"),
    "info.json is cut off": (
        lambda r: (r / "meta/info.json").write_text('{"fps": '), "verify-structure", "cannot be read as JSON"),
    "info.json is a list": (lambda r: (r / "meta/info.json").write_text("[]"), "verify-structure", "list"),
    "another version": (edit_info(lambda i: i.update(codebase_version="v2.1")), "verify-structure", "'v2.1'"),
    "fps is a fraction": (edit_info(lambda i: i.update(fps=29.97)), "verify-structure", "29.97"),
    "no features": (edit_info(lambda i: i.update(features={})), "verify-structure", "features"),
    "another data_path": (edit_info(lambda i: i.update(data_path="data/x.parquet")), "verify-structure", "data_path"),
    "no video_path": (edit_info(lambda i: i.update(video_path=None)), "verify-structure", "video_path"),
    "a chunk size of 0": (edit_info(lambda i: i.update(chunks_size=0)), "verify-structure", "chunks_size"),
    "total_frames too small": (edit_info(lambda i: i.update(total_frames=53)), "verify-counts", "expected 54"),
    "total_episodes too big": (edit_info(lambda i: i.update(total_episodes=4)), "verify-counts", "expected 3"),
    "total_tasks is 0": (edit_info(lambda i: i.update(total_tasks=0)), "verify-counts", "total_tasks"),
    "a feature without dtype": (
        edit_info(lambda i: i["features"]["action"].pop("dtype")), "verify-structure", "action"),
    "a feature with another shape": (
        edit_info(lambda i: i["features"]["action"].update(shape=[4])), "verify-structure", "action"),
    "a feature that is a string": (
        edit_info(lambda i: i["features"].update(action="float32")), "verify-structure", "action"),
    "a feature without names": (edit_info(lambda i: i["features"]["wrench"].pop("names")), "verify-structure", "names"),
    "a camera without names": (
        edit_info(lambda i: i["features"][TOP].update(names=None)), "verify-structure", "channels"),
    "a camera of another size": (
        edit_info(lambda i: i["features"][TOP].update(shape=[64, 48, 3])), "verify-video", "48 x 64"),
    "a camera of another codec": (
        edit_info(lambda i: i["features"][TOP]["info"].update({"video.codec": "av1"})), "verify-video", "is av1"),
    "a camera under another name": (
        edit_info(lambda i: i["features"].update(top=i["features"].pop(WRIST))), "verify-structure", "top"),
    "a slash in a name": (
        edit_info(lambda i: i["features"].update({"a/b": i["features"]["wrench"]})), "verify-structure", "a/b"),
    "bool observations": (
        edit_info(lambda i: i["features"].update({"observation.b": {"dtype": "bool", "shape": [1], "names": None}})),
        "verify-structure", "observation.b"),
    "another index type": (
        edit_info(lambda i: i["features"]["index"].update(dtype="int32")), "verify-structure", "index"),
    "no tasks": (lambda r: (r / TASKS).unlink(), "verify-structure", "tasks.parquet"),
    "tasks without pandas index": (
        edit_table(TASKS, lambda t: t.replace_schema_metadata(None)), "verify-tasks", "pandas"),
    "tasks in another order": (edit_table(TASKS, lambda t: t.take([1, 0])), "verify-tasks", "by position"),
    "a task twice": (set_column(TASKS, "task", put(1, "pick up the cube")), "verify-tasks", "more than once"),
    "tasks that are numbers": (
        edit_table(TASKS, lambda t: pa.table(
            {"task_index": [0, 1], "task": [1, 2]}).replace_schema_metadata(t.schema.metadata)),
        "verify-tasks", "strings"),
    "tasks without text": (edit_table(TASKS, lambda t: t.select(["task_index"])), "verify-structure", "columns"),
    "no episodes": (lambda r: shutil.rmtree(r / "meta/episodes"), "verify-structure", "meta/episodes"),
    "episodes in another order": (edit_table(EPISODES, lambda t: t.take([1, 0, 2])), "verify-index", "by position"),
    "an episode too long": (set_column(EPISODES, "length", put(0, 21)), "verify-index", "episode 0"),
    "an episode of another row range": (
        set_column(EPISODES, "dataset_from_index", put(1, 19)), "verify-index", "episode 1"),
    "an episode of another task": (
        set_column(EPISODES, "tasks", put(0, ["put it down"])), "verify-tasks", "'pick up the cube'"),
    "an episode of an unknown task": (set_column(EPISODES, "tasks", put(0, ["x"])), "verify-tasks", "x"),
    "an episode in another file": (set_column(EPISODES, "data/file_index", put(0, 1)), "verify-structure", "data"),
    "an episode that knows another place": (
        set_column(EPISODES, "meta/episodes/file_index", put(2, 1)), "verify-index", "meta/episodes"),
    "an episode without length": (set_column(EPISODES, "length", put(0, None)), "verify-values", "null"),
    "episodes without row ranges": (
        edit_table(EPISODES, lambda t: t.drop_columns(["dataset_to_index"])), "verify-structure", "dataset_to_index"),
    "times as float32": (
        retype(EPISODES, f"videos/{TOP}/from_timestamp", pa.float32()), "verify-structure", "from_timestamp"),
    "no statistics of a feature": (
        edit_table(EPISODES, lambda t: t.drop_columns(["stats/action/q50"])), "verify-stats", "stats/action/q50"),
    "a span one frame late": (shift_span(1), "verify-video", "episode 1"),
    "a span one frame early": (shift_span(-1), "verify-video", "episode 1"),
    "a span off the grid": (shift_span(0.4), "verify-video", "episode 1"),
    "a span too long": (
        set_column(EPISODES, f"videos/{TOP}/to_timestamp", put(0, 0.7)), "verify-video", "expected 0.666667 s"),
    "a stray data file": (
        copied_elsewhere(DATA, "data/chunk-000/extra.parquet"), "verify-structure", "extra.parquet"),
    "a stray video": (copied_elsewhere(VIDEO, f"videos/{TOP}/x.mp4"), "verify-structure", "x.mp4"),
    "leftover images": (copied_elsewhere(VIDEO, "images/a/frame.png"), "verify-structure", "images"),
    "stray episodes": (
        copied_elsewhere(EPISODES, "meta/episodes/chunk-000/copy.parquet"), "verify-structure", "copy.parquet"),
    "a missing data file": (lambda r: (r / DATA).unlink(), "verify-structure", DATA),
    "a damaged data file": (lambda r: (r / DATA).write_bytes(b"PAR1"), "verify-structure", DATA),
    "a missing video": (lambda r: (r / VIDEO).unlink(), "verify-structure", VIDEO),
    "rows missing at the end": (edit_table(DATA, lambda t: t.slice(0, t.num_rows - 1)), "verify-counts", DATA),
    "two rows swapped": (
        edit_table(DATA, lambda t: t.take([1, 0, *range(2, t.num_rows)])), "verify-index", "episode 0 index"),
    "index from 1": (set_column(DATA, "index", lambda v: [i + 1 for i in v]), "verify-index", "expected 0"),
    "frame_index not from 0": (set_column(DATA, "frame_index", lambda v: [i + 1 for i in v]), "verify-index", "frame"),
    "another episode_index": (set_column(DATA, "episode_index", put(0, 1)), "verify-index", "episode_index"),
    "timestamps of the whole file": (
        set_column(DATA, "timestamp", lambda v: [i / FPS for i in range(len(v))]), "verify-timestamps", "episode 1"),
    "jitter in timestamps": (set_column(DATA, "timestamp", put(3, 0.105)), "verify-timestamps", "0.105"),
    "a task_index out of range": (set_column(DATA, "task_index", put(0, 7)), "verify-tasks", "7"),
    "another task_index": (set_column(DATA, "task_index", put(0, 1)), "verify-tasks", "put it down"),
    "NaN in an action": (
        set_column(DATA, "action", put(5, [0.0, float("nan"), 0.0])), "verify-values", "first in row 5"),
    "a null": (set_column(DATA, "contacts", put(0, None)), "verify-values", "contacts"),
    "a null in a list": (set_column(DATA, "wrench", put(0, [None] * 6)), "verify-values", "wrench"),
    "a null string": (set_column(DATA, "note", put(0, None)), "verify-values", "note"),
    "scalars as lists": (
        edit_table(DATA, lambda t: t.set_column(
            t.column_names.index("contacts"), "contacts", pa.array([[1]] * t.num_rows, pa.list_(pa.int64())))),
        "verify-structure", "contacts"),
    "a ragged column": (set_column(DATA, "pose", put(0, [[1.0], [2.0]])), "verify-structure", "pose"),
    "an extra column": (
        edit_table(DATA, lambda t: t.append_column("extra", pa.array(range(t.num_rows)))), "verify-structure", "extra"),
    "a missing column": (edit_table(DATA, lambda t: t.drop_columns(["note"])), "verify-structure", "note"),
    "an altered value": (
        set_column(DATA, "action", put(5, [9.0, 0.0, 0.0])), "verify-stats", "episode 0 action"),
    "no stats.json": (lambda r: (r / "meta/stats.json").unlink(), "verify-structure", "stats.json"),
    "no statistics of the action": (edit_stats(lambda s: s.pop("action")), "verify-stats", "action"),
    "no statistics of a camera": (edit_stats(lambda s: s.pop(TOP)), "verify-stats", TOP),
    "another mean": (edit_stats(lambda s: s["action"].update(mean=[0.5] * 3)), "verify-stats", "mean"),
    "another std": (edit_stats(lambda s: s["action"].update(std=[0.1] * 3)), "verify-stats", "std"),
    "another q99": (edit_stats(lambda s: s["action"].update(q99=[0.0] * 3)), "verify-stats", "q99"),
    "another count": (edit_stats(lambda s: s["action"].update(count=[53])), "verify-stats", "count"),
    "statistics of another width": (edit_stats(lambda s: s["action"].update(max=[1.0])), "verify-stats", "shape"),
    "quantiles of another width": (edit_stats(lambda s: s["action"].update(q50=[1.0])), "verify-stats", "q50"),
    "NaN in statistics": (
        lambda r: (r / "meta/stats.json").write_text('{"action": {"min": NaN}}'), "verify-structure", "NaN"),
    "camera statistics up to 255": (
        edit_stats(lambda s: s[TOP].update({k: [[[200.0]]] * 3 for k in ("max", "q99", "mean")})),
        "verify-stats", "0 to 1"),
    "flat camera statistics": (edit_stats(lambda s: s[TOP].update(mean=[0.5] * 3)), "verify-stats", "shape"),
    "ragged camera statistics": (
        edit_stats(lambda s: s[TOP].update(mean=[[[0.5]], [[0.5]], 0.5])), "verify-stats", "shape"),
    "another camera mean": (edit_stats(lambda s: s[TOP].update(mean=[[[0.9]]] * 3)), "verify-stats", "mean"),
    "camera quantiles that fall": (edit_stats(lambda s: s[TOP].update(q10=[[[1.0]]] * 3)), "verify-stats", "rise"),
    "another camera q50": (
        edit_stats(lambda s: s[TOP].update(q50=s[TOP]["q90"])), "verify-stats", "q50"),
    "statistics of another episode": (
        set_column(EPISODES, "stats/action/mean", lambda v: [v[2], v[1], v[0]]), "verify-stats", "episode 0 action"),
    "quantiles of another episode": (
        set_column(EPISODES, "stats/action/q50", lambda v: [v[2], v[1], v[0]]), "verify-stats", "q50"),
    "a gap in a video": (remuxed(VIDEO, lambda i: i + (i >= 7)), "verify-video", VIDEO),
    "a video that starts late": (remuxed(VIDEO, lambda i: i + 15), "verify-video", VIDEO),
    "a video of varying rate": (remuxed(VIDEO, lambda i: i + 0.2 * (i % 2)), "verify-video", VIDEO),
    "a frame missing at the end": (remuxed(VIDEO, lambda i: None if i == 20 else i), "verify-video", "20"),
    "a video that starts without keyframe": (remuxed(VIDEO, lambda i: i - 1 if i else None), "verify-video", VIDEO),
    "a truncated video": (
        lambda r: (r / VIDEO).write_bytes((r / VIDEO).read_bytes()[:3000]), "verify-video", VIDEO),
    "a video that is none": (lambda r: (r / VIDEO).write_bytes(b"no video" * 100), "verify-video", VIDEO),
    "cameras swapped": (swapped(VIDEO, VIDEO.replace(TOP, WRIST)), "verify-video", "48 x 64"),
    "files of a camera swapped": (swapped(VIDEO, VIDEO.replace("file-000", "file-001")), "verify-video", VIDEO),
    "other frames": (other_frames, "verify-stats", "as in the frames"),
    "damaged frames": (flipped_bytes, "verify-video", "cannot be decoded"),
}  # fmt: skip


@pytest.mark.parametrize("depth", ["all", "sample", "none"])
def test_a_good_dataset_has_no_findings(good, depth):
    assert verify(good, decode=depth) == []


def test_the_good_dataset_has_several_files(good):
    assert len(list(good.glob("data/*/*.parquet"))) > 1
    assert len(list(good.glob(f"videos/{TOP}/*/*.mp4"))) > 1


def channels_first(info):
    """What scripts for ALOHA state, and LeRobot reads by the names."""
    for entry in info["features"].values():
        if entry["dtype"] == "video":
            entry["shape"] = [entry["shape"][2], *entry["shape"][:2]]
            entry["names"] = ["channels", "height", "width"]


LEROBOT_WRITES = {
    "shapes with the channels first": edit_info(channels_first),
    "a size that is no integer": edit_info(lambda i: i.update(data_files_size_in_mb=0.008, video_files_size_in_mb=0.5)),
    "a rate that is whole and a float": edit_info(lambda i: i.update(fps=float(i["fps"]))),
    "a hole in the numbers of files": lambda root: renumbered(root, 1, 3),
}


def renumbered(root, old, new):
    """The last file of rows with a greater number, as LeRobot leaves it when a recording is resumed after a crash."""
    folder = root / "data/chunk-000"
    (folder / f"file-{old:03d}.parquet").rename(folder / f"file-{new:03d}.parquet")
    for path in (root / "meta/episodes").rglob("*.parquet"):
        table = pq.read_table(path)
        at = table.column_names.index("data/file_index")
        values = [new if index == old else index for index in table.column(at).to_pylist()]
        pq.write_table(table.set_column(at, table.schema.field(at), pa.array(values, pa.int64())), path)


@pytest.mark.parametrize("name", LEROBOT_WRITES)
def test_what_lerobot_writes_and_loads_is_no_finding(dataset, name):
    LEROBOT_WRITES[name](dataset)
    assert [str(f) for f in verify(dataset, decode="none")] == []


def test_frames_whose_channels_are_stated_first_have_their_size(dataset):
    edit_info(channels_first)(dataset)
    assert verify(dataset) == []
    stated = open_dataset(dataset)
    assert {c.key: (c.shape, c.names) for c in stated.features if c.dtype == "video"} == {
        TOP: ((48, 64, 3), ("height", "width", "channels")),
        WRIST: ((64, 96, 3), ("height", "width", "channels")),
    }
    assert check_dataset(dataset, checks=["width"], remember=False) == ()
    assert repair(dataset).lost == ()


def test_a_dataset_without_cameras_may_have_a_template_for_videos(tmp_path):
    root = write(tmp_path / "out", [episode(6, 0)])
    edit_info(lambda i: i.update(video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"))(
        root
    )
    assert verify(root) == []


def test_files_of_another_codec_that_were_added_are_no_finding(tmp_path):
    both = [episode(6, i, clips=[clip(tmp_path, TOP, 6, episode=i, codec=c)]) for i, c in enumerate(("h264", "av1"))]
    roots = [write(tmp_path / f"d{i}", [one]) for i, one in enumerate(both)]
    root = write(tmp_path / "out", [both[0], both[0]], limits=Limits(video_bytes=1))
    shutil.copyfile(roots[1] / f"videos/{TOP}/chunk-000/file-000.mp4", root / f"videos/{TOP}/chunk-000/file-001.mp4")
    assert [f for f in verify(root, decode="none") if "codec" in f.message or "declared" in f.message] == []


def test_times_that_float32_cannot_say_better_are_no_finding(tmp_path):
    root = write(tmp_path / "out", [episode(3 * 2100, 0, fps=3)], fps=3)
    assert verify(root) == []
    assert [f for f in repair(root).found if "timestamp" in f.where] == []


def grey_clip(folder, number, level, count=30):
    """Images in rows of one grey level each, give or take 2."""
    noise = np.random.default_rng(number).integers(-2, 3, (count, 48, 64, 3))
    frames = (av.VideoFrame.from_ndarray((level + one).astype(np.uint8), format="rgb24") for one in noise)
    path, settings = str(folder / f"{number}.clip"), video_settings("images")
    return encode(frames, settings, FPS, count=count, key=TOP, path=path, why="made for a test")


@pytest.mark.parametrize("depth", ["sample", "all"])
def test_images_in_the_rows_of_another_episode_are_named_by_whose_they_are(tmp_path, depth):
    greys = [episode(30, i, clips=[grey_clip(tmp_path, i, level)]) for i, level in enumerate((100, 112, 150))]
    root = write(tmp_path / "out", greys)
    assert verify(root, decode=depth) == []
    table = pq.read_table(root / DATA)
    images = table.column(TOP).combine_chunks()
    exchanged = pa.concat_arrays([images[30:60], images[:30], images[60:]])
    at = table.column_names.index(TOP)
    pq.write_table(table.set_column(at, table.schema.field(at), exchanged), root / DATA, row_group_size=30)
    found = [f for f in verify(root, decode=depth) if f.code == "verify-stats"]
    assert [(f.episode, f"like those of episode {1 - f.episode}" in f.message) for f in found] == [(0, True), (1, True)]
    done = repair(root, tmp_path / "fixed")
    assert (done.ok, done.out, [c.where for c in done.conflicts]) == (
        False, None, [f"episode {n} {TOP}" for n in (0, 1)],
    )  # fmt: skip
    told = repair(root, tmp_path / "fixed", trust="meta")
    assert (told.episodes, verify(tmp_path / "fixed", decode="all")) == (1, [])


def test_a_row_without_a_frame_is_named_without_decoding_it(tmp_path):
    root = write(tmp_path / "out", [episode(30, i, clips=[grey_clip(tmp_path, i, 100)]) for i in range(2)])
    table = pq.read_table(root / DATA)
    images = table.column(TOP).to_pylist()
    kind = table.schema.field(TOP).type
    for lost, said in (([*images[:7], None, *images[8:]], "1 row holds no frame"),
                       ([{**i, "bytes": None, "path": "x.png"} for i in images], "60 rows hold no frame")):  # fmt: skip
        changed = table.set_column(table.column_names.index(TOP), table.schema.field(TOP), pa.array(lost, kind))
        pq.write_table(changed, root / DATA, row_group_size=30)
        assert next(f.message for f in verify(root) if TOP in f.where) == said
        assert any(f.message == said for f in summarize(root).findings)


def test_rows_that_no_episode_names_are_not_called_stray(dataset):
    for path in (dataset / "meta/episodes").rglob("*.parquet"):
        table = pq.read_table(path)
        at = table.column_names.index("data/file_index")
        zeros = pa.array([0] * table.num_rows, pa.int64())
        pq.write_table(table.set_column(at, table.schema.field(at), zeros), path)
    about = [f for f in verify(dataset, decode="none") if "file-001.parquet" in f.where]
    assert [("holds" in f.message, "telecine repair" in f.fix) for f in about] == [(True, True)]


def test_an_index_of_another_type_is_a_finding(dataset):
    (path,) = (dataset / "meta/episodes").rglob("*.parquet")
    table = pq.read_table(path)
    at = table.column_names.index("data/chunk_index")
    pq.write_table(table.set_column(at, "data/chunk_index", pa.array(["none"] * table.num_rows)), path)
    findings = verify(dataset)
    assert any("data/chunk_index" in f.where and "found string" in f.message for f in findings)


OF_ROWS = ("verify-counts", "verify-index", "verify-timestamps", "verify-tasks", "verify-values")


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_single_change_is_found_and_named(dataset, name):
    spoil, code, words = MUTATIONS[name]
    spoil(dataset)
    findings = verify(dataset, decode="all" if name == "damaged frames" else "sample")
    assert has_errors(findings)
    named = [f for f in findings if f.code == code and words in f"{f.where}: {f.message}"]
    assert named, "\n".join(map(str, findings))
    assert all(f.fix for f in findings if f.severity == "error")
    assert not any(str(dataset.parent) in f.where for f in findings)
    together = verify(dataset, decode="none")
    assert [f for f in together if f.code in OF_ROWS] == [f for f in findings if f.code in OF_ROWS]
