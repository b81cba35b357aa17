"""Witnesses that disagree: a repair names them, and never shows a row the frame of another."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import FPS, TOP, WRIST, everything, write
from support.pictures import read_frame_id
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.recovery.repair import repair
from telecine.video.mp4_reader import decode_at

LENGTHS = (20, 9, 11)
DATA, EPISODES = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return write(folder / "dataset", everything(folder, LENGTHS))


@pytest.fixture
def dataset(good, tmp_path):
    return Path(shutil.copytree(good, tmp_path / "dataset"))


def video(root, key=TOP):
    return root / f"videos/{key}/chunk-000/file-000.mp4"


def without_frame(path, missing, *, keep_times):
    """The video re-encoded without one frame: its time stays empty, or what follows closes up."""
    rest = path.with_name("rest.mp4")
    with av.open(str(path)) as source, av.open(str(rest), "w") as target:
        stream = target.add_stream("h264", rate=FPS, options={"g": "2", "bf": "0"})
        old = source.streams.video[0]
        stream.width, stream.height, stream.pix_fmt = old.width, old.height, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number != missing:
                frame.pts = number - (0 if keep_times or number < missing else 1)
                frame.time_base = 1 / stream.codec_context.framerate
                target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    rest.replace(path)


def change(root, path, key, values):
    table = pq.read_table(root / path)
    position = table.column_names.index(key)
    kind = table.schema.field(key).type
    pq.write_table(table.set_column(position, table.schema.field(key), pa.array(values, kind)), root / path)


def shown(root, keys=(TOP, WRIST)):
    """(row, episode, camera) of every row, as the frames show them."""
    dataset = Dataset(root)
    found = {}
    for number, episode in enumerate(dataset.episodes):
        for key in keys:
            path, first = dataset.frame(key, number, 0)
            frames = decode_at(str(path), range(first, first + episode.length))
            found[number, key] = [read_frame_id(rgb) for _, rgb in frames]
    return found


def conflicts(done):
    return [f"{f.where}: {f.message}" for f in done.conflicts]


def test_a_gap_in_time_costs_the_episode_it_is_in_and_shifts_no_other(dataset):
    without_frame(video(dataset), 24, keep_times=True)
    done = repair(dataset, dataset.parent / "out")
    assert [f.where for f in done.lost] == ["episode 1"]
    assert "row 4 has no frame" in done.lost[0].message
    assert not done.ok
    frames = shown(dataset.parent / "out")
    assert frames[0, TOP] == [(row, 0, 0) for row in range(20)]
    assert frames[1, TOP] == [(row, 2, 0) for row in range(11)]
    assert verify(dataset.parent / "out", decode="all") == []


def test_a_missing_frame_that_nothing_locates_costs_all_episodes_of_its_file(dataset):
    without_frame(video(dataset), 24, keep_times=False)
    done = repair(dataset)
    assert [f.where for f in done.lost] == ["episode 0", "episode 1", "episode 2"]
    assert done.episodes == 0
    assert all("39 frames for 40 rows" in f.message for f in done.lost)


def test_a_file_that_ends_early_keeps_the_episodes_that_are_whole(dataset):
    path = video(dataset)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 5])
    done = repair(dataset, dataset.parent / "out")
    assert any(f.code == "repair-recovered" and "ends early" in f.message for f in done.found)
    frames = shown(dataset.parent / "out")
    assert frames[0, TOP] == [(row, 0, 0) for row in range(20)]
    assert all(found == (row, number, 0) for (number, key), ids in frames.items() if key == TOP
               for row, found in enumerate(ids))  # fmt: skip


def test_rows_in_another_order_are_sorted_and_none_is_lost(dataset, good):
    table = pq.read_table(dataset / DATA)
    order = np.arange(table.num_rows)
    order[[5, 6]] = order[[6, 5]]
    pq.write_table(table.take(pa.array(order)), dataset / DATA)
    done = repair(dataset, dataset.parent / "out")
    assert (done.ok, done.rows, done.lost) == (True, sum(LENGTHS), ())
    columns = ["action", "note", "frame_index", "timestamp"]
    for number in range(len(LENGTHS)):
        assert Dataset(dataset.parent / "out").rows(number, columns).equals(Dataset(good).rows(number, columns))


def exchange(root):
    front, wrist, between = video(root), video(root, WRIST), root / "between.mp4"
    front.rename(between)
    wrist.rename(front)
    between.rename(wrist)


def test_exchanged_cameras_are_named_and_nothing_is_written_untold(dataset, good):
    exchange(dataset)
    done = repair(dataset, dataset.parent / "out")
    assert (done.ok, done.out) == (False, None)
    assert not (dataset.parent / "out").exists()
    assert all("--trust video or --trust meta" in f.fix for f in done.conflicts)
    assert f"those of {WRIST} are the other way round" in conflicts(done)[0]
    told = repair(dataset, dataset.parent / "out", trust="meta")
    assert (told.ok, told.lost, told.episodes) == (False, (), 3)
    assert shown(dataset.parent / "out") == shown(good)


def test_frames_that_are_not_those_of_their_statistics_are_named(dataset, good):
    rows = pq.read_table(dataset / EPISODES).to_pylist()
    darker = [[[[0.01]], [[0.01]], [[0.01]]] if row["episode_index"] == 1 else row[f"stats/{TOP}/mean"] for row in rows]
    for name in ("min", "q01", "q10", "mean"):
        change(dataset, EPISODES, f"stats/{TOP}/{name}",
               darker if name == "mean" else [[[[0.0]], [[0.0]], [[0.0]]]] * 3)  # fmt: skip
    done = repair(dataset, dataset.parent / "out")
    assert done.out is None
    assert [text.partition(":")[0] for text in conflicts(done)] == [f"episode 1 {TOP}"]
    trusted = repair(dataset, dataset.parent / "meta", trust="meta")
    assert [f.where for f in trusted.lost] == ["episode 1"]
    assert repair(dataset, dataset.parent / "video", trust="video").episodes == 3
    assert shown(dataset.parent / "video") == shown(good)


def test_tasks_of_rows_and_episodes_that_differ_are_named(dataset):
    rows = pq.read_table(dataset / DATA).num_rows
    change(dataset, DATA, "task_index", [0] * rows)
    done = repair(dataset, dataset.parent / "out")
    assert done.out is None
    assert conflicts(done) == ["episode 1: its rows are of 'pick up the cube', meta/episodes says 'put it down'"]
    for trust, task in (("rows", "pick up the cube"), ("meta", "put it down")):
        told = repair(dataset, dataset.parent / trust, trust=trust)
        assert not told.ok
        assert Dataset(dataset.parent / trust).episodes[1].tasks == (task,)


def test_without_a_second_witness_there_is_no_conflict(dataset):
    shutil.rmtree(dataset / "meta/episodes")
    rows = pq.read_table(dataset / DATA).num_rows
    change(dataset, DATA, "task_index", [0] * rows)
    info = json.loads((dataset / "meta/info.json").read_text())
    (dataset / "meta/info.json").write_text(json.dumps(info))
    assert conflicts(repair(dataset)) == []
