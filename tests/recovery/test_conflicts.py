"""Witnesses that disagree: a repair names them, and never shows a row the frame of another."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.corruptions import recoded
from support.dataset import FPS, TOP, WRIST, everything, write
from support.dataset import episode as one_episode
from support.pictures import read_frame_id
from telecine import convert
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.lerobot_format.paths import PROVENANCE
from telecine.recovery.repair import repair
from telecine.video.encode import encode
from telecine.video.mp4_reader import decode_at
from telecine.video.presets import video_settings

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
    assert conflicts(repair(dataset)) == []


def without_statistics(root):
    """No second witness."""
    table = pq.read_table(root / EPISODES)
    pq.write_table(table.select([n for n in table.column_names if not n.startswith("stats/")]), root / EPISODES)
    (root / "meta/stats.json").unlink()


def without_episodes(root):
    shutil.rmtree(root / "meta/episodes")


def nothing(root):
    del root


WITNESSES = [nothing, without_statistics, without_episodes]


def with_frames(path, order, times=None):
    recoded(path, order, times, crf="23")  # x264's own default


def without_rows(root, gone, renumbered):
    """The rows without some, with columns counted anew."""
    table = pq.read_table(root / DATA)
    table = table.take(pa.array([i for i in range(table.num_rows) if i not in gone]))
    frames: list[int] = []
    episodes = table.column("episode_index").to_pylist()
    for number, episode in enumerate(episodes):
        frames.append(0 if not number or episodes[number - 1] != episode else frames[-1] + 1)
    counted = {"frame_index": frames, "timestamp": [f / FPS for f in frames], "index": list(range(len(frames)))}
    pq.write_table(table, root / DATA)
    for key in renumbered:
        change(root, DATA, key, counted[key])


def twice(root):
    with_frames(video(root), [*range(24), *range(23, sum(LENGTHS))])


def left_between(root):
    with_frames(video(root), [*range(29), *range(5), *range(29, sum(LENGTHS))])


def row_gone(root):
    without_rows(root, {24}, ("frame_index", "timestamp", "index"))


def gap_and_twice(root):
    order = [k for k in range(sum(LENGTHS)) if k != 33]
    with_frames(video(root), [*order[:10], 9, *order[10:]], [*order[:10], 9.5, *order[10:]])


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("spoil", [twice, left_between, row_gone, gap_and_twice])
def test_where_counts_or_times_leave_two_ways_nothing_is_written_untold(dataset, spoil, witness):
    spoil(dataset)
    witness(dataset)
    done = repair(dataset)
    assert not done.ok
    assert {c.where.rpartition(" ")[2] for c in done.conflicts} <= {TOP, WRIST}
    assert done.conflicts
    assert all("--trust video or --trust meta" in f.fix for f in done.conflicts)


def test_who_trusts_the_video_is_told_what_was_doubted_and_who_does_not_loses_the_episodes(dataset):
    row_gone(dataset)
    done = repair(dataset, dataset.parent / "out", trust="meta")
    assert (done.ok, [f.where for f in done.lost]) == (False, ["episode 1"])
    frames = shown(dataset.parent / "out")
    assert frames[0, TOP] == [(row, 0, 0) for row in range(20)]
    assert frames[1, WRIST] == [(row, 2, 1) for row in range(11)]
    told = repair(dataset, trust="video")
    assert (told.ok, told.episodes) == (False, 3)
    assert all("believed: video" in c.message for c in told.conflicts)


def test_frames_of_a_discarded_take_are_left_out_and_named(dataset):
    left_between(dataset)
    starts, ends = (pq.read_table(dataset / EPISODES).column(f"videos/{TOP}/{n}").to_pylist()
                    for n in ("from_timestamp", "to_timestamp"))  # fmt: skip
    change(dataset, EPISODES, f"videos/{TOP}/from_timestamp", [*starts[:2], starts[2] + 5 / FPS])
    change(dataset, EPISODES, f"videos/{TOP}/to_timestamp", [ends[0], ends[1] + 5 / FPS, ends[2] + 5 / FPS])
    done = repair(dataset, dataset.parent / "out")
    assert "episode 1" in conflicts(done)[0]
    assert "behind those of the rows; believed: video" in conflicts(done)[0]
    frames = shown(dataset.parent / "out")
    assert [frames[n, TOP] for n in range(3)] == [[(row, n, 0) for row in range(c)] for n, c in enumerate(LENGTHS)]


def test_an_episode_that_the_metadata_forgot_is_between_its_neighbours(dataset):
    table = pq.read_table(dataset / EPISODES)
    pq.write_table(table.take(pa.array([0, 2])), dataset / EPISODES)
    done = repair(dataset, dataset.parent / "out")
    assert (done.ok, done.episodes) == (True, 3)
    assert shown(dataset.parent / "out")[1, TOP] == [(row, 1, 0) for row in range(9)]


def test_rows_that_count_from_elsewhere_are_all_there(dataset):
    change(dataset, DATA, "frame_index", list(range(sum(LENGTHS))))
    done = repair(dataset, dataset.parent / "out")
    assert (done.ok, done.rows) == (True, sum(LENGTHS))


@pytest.mark.parametrize("witness", [nothing, without_episodes])
def test_a_rate_that_rows_and_videos_contradict_is_named(dataset, witness):
    info = json.loads((dataset / "meta/info.json").read_text())
    (dataset / "meta/info.json").write_text(json.dumps(info | {"fps": 15}))
    witness(dataset)
    done = repair(dataset)
    assert (done.ok, done.conflicts[0].where) == (False, "meta/info.json fps")
    assert f"{FPS} rows a second, info.json says 15" in done.conflicts[0].message
    told = repair(dataset, dataset.parent / "out", trust="rows")
    assert told.episodes == 3
    assert Dataset(dataset.parent / "out").fps == FPS
    assert verify(dataset.parent / "out", decode="all") == []


def test_rows_that_are_those_of_another_episodes_statistics_are_named(tmp_path):
    root = write(tmp_path / "dataset", [one_episode(9, i) for i in range(3)])
    table = pq.read_table(root / DATA)
    for key in ("action", "observation.state"):
        values = table.column(key).to_pylist()
        change(root, DATA, key, [*values[9:18], *values[:9], *values[18:]])
    done = repair(root)
    assert [c.where for c in done.conflicts] == ["episode 0", "episode 1"]
    assert all("--trust rows or --trust meta" in c.fix for c in done.conflicts)
    told = repair(root, tmp_path / "out", trust="meta")
    assert (told.episodes, len(told.lost)) == (1, 2)


@pytest.mark.parametrize("trust", [None, "rows", "meta"])
def test_rows_that_are_like_no_statistics_are_not_written_untold(tmp_path, trust):
    root = write(tmp_path / "dataset", [one_episode(9, i) for i in range(3)])
    values = pq.read_table(root / DATA).column("action").to_pylist()
    change(root, DATA, "action", [*values[:9], [7.0] * 3, *values[10:]])
    done = repair(root, tmp_path / "out", trust=trust)
    assert "action: its statistics are not those of its rows" in done.conflicts[0].message
    lost = ["episode 1"] if trust == "meta" else []
    assert (done.ok, [f.where for f in done.lost]) == (False, lost)
    assert (done.out is None, done.episodes) == (trust is None, 3 - len(lost))
    assert trust is None or verify(tmp_path / "out", decode="all") == []


def test_rows_whose_mean_alone_is_another_are_named_by_repair_and_convert(tmp_path):
    root = write(tmp_path / "dataset", [one_episode(9, i) for i in range(3)])
    values = pq.read_table(root / DATA).column("observation.state").to_pylist()
    change(root, DATA, "observation.state", [*values[:10], *values[11:17], values[10], *values[17:]])
    for row in (12, 13, 14):
        values[row] = values[17]
    change(root, DATA, "observation.state", values)
    (conflict,) = repair(root, tmp_path / "out").conflicts
    report = convert(root, tmp_path / "converted", workers=0)
    (rejected,) = report.rejected
    said = "observation.state: its statistics are not those of its rows"
    assert (said in conflict.message, said in str(rejected)) == (True, True)


def test_rows_of_another_episode_are_named_by_the_judgement_of_convert(tmp_path):
    root = write(tmp_path / "dataset", [one_episode(9, i) for i in range(3)])
    for key in ("action", "observation.state"):
        values = pq.read_table(root / DATA).column(key).to_pylist()
        change(root, DATA, key, [*values[:9], *values[:9], *values[18:]])
    done = repair(root, tmp_path / "out")
    assert (done.ok, done.out, [c.where for c in done.conflicts]) == (False, None, ["episode 1"])
    report = convert(root, tmp_path / "converted", workers=0)
    refused = "action: its rows are not those of its statistics, but those of episode 0's"
    assert refused in done.conflicts[0].message
    assert [refused in r.reason.message for r in report.rejected] == [True]
    told = repair(root, tmp_path / "out", trust="meta")
    assert (told.episodes, [f.where for f in told.lost]) == (2, ["episode 1"])
    assert repair(root, trust="rows").episodes == 3


def row_and_last_frames_gone(root, *, spans):
    """Row 5 of the first episode and the last frame of each video are gone; rows and lengths are counted anew."""
    without_rows(root, {5}, ("frame_index", "timestamp", "index"))
    lengths = [LENGTHS[0] - 1, *LENGTHS[1:]]
    ends = np.cumsum(lengths).tolist()
    change(root, EPISODES, "length", lengths)
    change(root, EPISODES, "dataset_from_index", [0, *ends[:-1]])
    change(root, EPISODES, "dataset_to_index", ends)
    for key in (TOP, WRIST):
        with_frames(video(root, key), range(sum(LENGTHS) - 1))
        if spans:
            change(root, EPISODES, f"videos/{key}/from_timestamp", [end / FPS for end in (0, *ends[:-1])])
            change(root, EPISODES, f"videos/{key}/to_timestamp", [end / FPS for end in ends])
    (root / PROVENANCE).unlink()


@pytest.mark.parametrize(("spans", "witness"), [(True, nothing), (False, nothing), (False, without_statistics)])
def test_as_many_frames_as_rows_are_not_theirs_where_a_row_was_lost(dataset, spans, witness):
    row_and_last_frames_gone(dataset, spans=spans)
    witness(dataset)
    done = repair(dataset, dataset.parent / "out")
    assert (done.ok, done.out) == (False, None)
    name = "statistics" if witness is nothing else "spans in its videos"
    assert [c.where for c in done.conflicts] == [f"episodes 0, 1, 2 {key}" for key in (TOP, WRIST)]
    assert all(f"episode 0 had 20 rows by its {name}, 19 are there" in c.message for c in done.conflicts)
    assert all("--trust video or --trust meta" in c.fix for c in done.conflicts)
    told = repair(dataset, trust="meta")
    assert (told.episodes, [f.where for f in told.lost]) == (0, ["episode 0", "episode 1", "episode 2"])
    told = repair(dataset, trust="video")
    assert (told.ok, told.episodes, told.rows) == (False, 3, sum(LENGTHS) - 1)


def test_a_lost_row_is_named_without_any_video_too(tmp_path):
    root = write(tmp_path / "dataset", [one_episode(9, i) for i in range(3)])
    without_rows(root, {12}, ("frame_index", "timestamp", "index"))
    done = repair(root, tmp_path / "out")
    assert (done.ok, done.out) == (False, None)
    assert conflicts(done)[0].startswith("episode 1: it had 9 rows by its statistics, 8 are there")
    assert repair(root, trust="rows").rows == 26
    told = repair(root, tmp_path / "out", trust="meta")
    assert (told.rows, [f.where for f in told.lost]) == (18, ["episode 1"])


def null_tasks(root, rows, kind=None):
    table = pq.read_table(root / DATA)
    at = table.column_names.index("task_index")
    values = [None if row in rows else number for row, number in enumerate(table.column("task_index").to_pylist())]
    pq.write_table(table.set_column(at, "task_index", pa.array(values, kind or pa.int64())), root / DATA)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64()])
def test_rows_without_task_are_of_the_one_that_their_episode_has(dataset, good, kind):
    null_tasks(dataset, {0, 1, 2}, kind)
    done = repair(dataset, dataset.parent / "out")
    assert (done.ok, done.episodes, done.lost) == (True, 3, ())
    assert [f.message for f in done.found if f.where == "episode 0 task_index"] == [
        "3 of 20 rows have null in its place: of 'pick up the cube', the one task of the episode in meta/episodes"
    ]
    tasks = [[e.tasks for e in Dataset(root).episodes] for root in (dataset.parent / "out", good)]
    assert tasks[0] == tasks[1]


def test_an_episode_whose_rows_and_metadata_lack_a_task_is_lost_and_no_other(dataset):
    null_tasks(dataset, set(range(20, 29)))
    change(dataset, EPISODES, "tasks", [["pick up the cube"], ["put it down", "pick up the cube"], []])
    done = repair(dataset, dataset.parent / "out")
    assert [f.where for f in done.lost] == ["episode 1"]
    assert "--task" in done.lost[0].fix
    assert repair(dataset, task="put it down").episodes == 3


def test_a_task_that_the_metadata_does_not_name_is_a_conflict_beside_nulls_too(dataset):
    null_tasks(dataset, {0, 1})
    change(dataset, EPISODES, "tasks", [["put it down"], ["put it down"], ["pick up the cube"]])
    assert conflicts(repair(dataset)) == [
        "episode 0: its rows are of 'pick up the cube', meta/episodes says 'put it down'"
    ]


def test_task_numbers_that_are_nowhere_null_lose_only_what_has_no_task(dataset):
    null_tasks(dataset, set(range(sum(LENGTHS))), pa.null())
    assert repair(dataset).episodes == 3


@pytest.fixture
def exchanged_statistics(tmp_path):
    """Statistics of two episodes are each other's: of rows and of frames."""
    colours = [np.full((48, 64, 3), colour, np.uint8) for colour in ((200, 30, 30), (30, 30, 200), (90, 200, 90))]
    clips = [(coloured(tmp_path, number, colour),) for number, colour in enumerate(colours)]
    root = write(tmp_path / "dataset", [one_episode(9, i, clips=own) for i, own in enumerate(clips)])
    table = pq.read_table(root / EPISODES)
    for name in [n for n in table.column_names if n.startswith("stats/")]:
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(at), table.column(name).take(pa.array([1, 0, 2])))
    pq.write_table(table, root / EPISODES)
    return root


def coloured(folder, number, pixels):
    frames = (av.VideoFrame.from_ndarray(pixels, format="rgb24") for _ in range(9))
    path = str(folder / f"{number}.clip")
    return encode(frames, video_settings("train"), FPS, count=9, key=TOP, path=path, why="made for a test")


def test_conflicts_of_rows_and_of_videos_are_answered_together(exchanged_statistics):
    root = exchanged_statistics
    done = repair(root, root.parent / "out")
    assert (done.out, done.answers) == (None, (("video", "rows"), ("meta",)))
    assert {c.fix.partition(": ")[2] for c in done.conflicts} == {
        "--trust video or --trust meta", "--trust rows or --trust meta"
    }  # fmt: skip
    half = repair(root, root.parent / "out", trust="rows")
    assert (half.out, half.answers) == (None, (("rows", "video"), ("rows", "meta")))
    told = repair(root, root.parent / "out", trust=("rows", "video"))
    assert (told.ok, told.episodes, told.lost, told.answers) == (False, 3, (), ())
    assert verify(root.parent / "out", decode="all") == []
    assert repair(root, trust=["meta"]).episodes == 1


def test_the_first_that_a_conflict_is_about_decides_it(exchanged_statistics):
    told = repair(exchanged_statistics, trust=("video", "meta"))
    assert {c.message.rpartition("; ")[2] for c in told.conflicts} == {"believed: video", "believed: meta"}
    told = repair(exchanged_statistics, trust=("meta", "video"))
    assert {c.message.rpartition("; ")[2] for c in told.conflicts} == {"believed: meta"}


def test_whom_nobody_can_trust_is_refused(exchanged_statistics):
    with pytest.raises(ValueError, match="'me' is none of 'rows', 'meta', 'video'"):
        repair(exchanged_statistics, trust=("rows", "me"))
