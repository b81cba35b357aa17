"""Good datasets, damaged as tools, disks and people do: what can be saved is saved exactly, what cannot is named."""

import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import FPS, TOP, WRIST, episode, everything, two_cameras, write
from support.pictures import read_frame_id
from telecine.core.errors import DatasetError
from telecine.core.findings import has_errors
from telecine.core.labels.columns import language_type
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.lerobot_format.paths import Limits
from telecine.recovery.repair import repair
from telecine.video.mp4_reader import decode_at

DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
LENGTHS = (20, 1, 11, 8)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Four episodes, the second of one row; rows and videos roll over after the second."""
    folder = tmp_path_factory.mktemp("good")
    episodes = everything(folder, LENGTHS)
    limits = Limits(data_bytes=6_500, video_bytes=sum(e.clips[0].size_bytes for e in episodes[:2]) + 1000)
    root = write(folder / "dataset", episodes, limits=limits)
    assert len(list(root.glob(f"videos/{TOP}/*/*.mp4"))) == 2
    assert [e.data.file for e in Dataset(root).episodes] == [0, 0, 1, 1]
    return root


@pytest.fixture
def dataset(good, tmp_path):
    """A copy to spoil."""
    return Path(shutil.copytree(good, tmp_path / "dataset"))


def contents(root):
    """Everything but frames, to see that nothing of it changes."""
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def repaired(dataset, good, kept=(0, 1, 2, 3), rows=None, **options):
    """Repair; the copy is clean and holds exactly the episodes `kept`, and the original is as it was."""
    before = contents(dataset)
    told = repair(dataset, **options)
    done = repair(dataset, dataset.parent / "out", **options)
    assert contents(dataset) == before
    assert [str(f) for f in done.after] == []
    assert verify(dataset.parent / "out", decode="all") == []
    assert (told.episodes, told.rows) == (done.episodes, done.rows)
    assert told.found == done.found
    same_episodes(good, dataset.parent / "out", kept, rows)
    return done


def same_episodes(good, out, kept, rows=None):
    """The copy's episodes are those of the original, values and frames, the last cut to `rows`."""
    old, new = Dataset(good), Dataset(out)
    assert len(new) == len(kept)
    columns = [c.key for c in new.features if c.key not in new.cameras][:-5]
    for number, source in enumerate(kept):
        count = new.episodes[number].length
        assert count == (rows if rows and number == len(kept) - 1 else old.episodes[source].length)
        assert new.rows(number, columns).equals(old.rows(source, columns).slice(0, count))
        assert new.episodes[number].tasks == old.episodes[source].tasks
        for camera, key in enumerate((TOP, WRIST)):
            if key in new.cameras:
                path, first = new.frame(key, number, 0)
                shown = [read_frame_id(rgb) for _, rgb in decode_at(str(path), range(first, first + count))]
                assert shown == [(row, source, camera) for row in range(count)]


def losses(done):
    return [f"{f.where}: {f.message}" for f in done.lost]


def remove_footer(path):
    """What a writer leaves that is never closed: the pages and nothing after them."""
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[: -8 - size])


def edit_table(path, change):
    pq.write_table(change(pq.read_table(path)), path)


def put(table, key, values):
    position = table.column_names.index(key)
    return table.set_column(position, table.schema.field(key), pa.array(values, table.schema.field(key).type))


def remuxed(path, keep):
    """The first `keep` packets of a video."""
    spoilt = path.with_name("spoilt.mp4")
    with av.open(str(path)) as source, av.open(str(spoilt), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        stream.time_base = source.streams.video[0].time_base
        for number, packet in enumerate(source.demux(video=0)):
            if packet.pts is not None and number < keep:
                packet.stream = stream
                target.mux(packet)
    spoilt.replace(path)


def test_a_task_that_neither_rows_nor_episodes_know_is_named(dataset):
    edit_table(dataset / "meta/tasks.parquet", with_a_task_more)
    (named,) = repair(dataset).found
    assert (named.code, named.where) == ("repair-changed", "meta/tasks.parquet 'place the cube'")


def with_a_task_more(table):
    more = pa.table({"task_index": [99], table.column_names[1]: ["place the cube"]}).cast(table.schema)
    return pa.concat_tables([table, more])


def test_a_sound_dataset_needs_nothing(dataset, good):
    told = repair(dataset)
    assert (told.ok, told.wrong, told.found, told.episodes) == (True, (), (), 4)
    assert repaired(dataset, good).ok


def test_rows_without_footer_come_back(dataset, good):
    for path in dataset.glob("data/*/*.parquet"):
        remove_footer(path)
    done = repaired(dataset, good)
    assert done.ok
    assert has_errors(done.wrong)
    assert [f.code for f in done.found] == ["repair-recovered"] * 2


def test_a_recorder_that_died_within_an_episode_loses_that_one(dataset, good):
    path = dataset / "data/chunk-000/file-001.parquet"
    remove_footer(path)
    path.write_bytes(path.read_bytes()[:-300])
    done = repaired(dataset, good, kept=(0, 1, 2))
    assert losses(done) == ["episode 3: the metadata tells of 8 rows, none can be read"]


def test_metadata_that_is_gone_is_derived(dataset, good):
    shutil.rmtree(dataset / "meta" / "episodes")
    (dataset / "meta" / "stats.json").unlink()
    assert repaired(dataset, good).ok


def test_tasks_that_are_gone_are_taken_from_the_episodes_or_asked_for(dataset, good):
    (dataset / "meta" / "tasks.parquet").unlink()
    assert repair(dataset).episodes == 4 - sum(len(e.tasks) > 1 for e in Dataset(good).episodes)
    shutil.rmtree(dataset / "meta" / "episodes")
    with pytest.raises(DatasetError, match="no episode") as caught:
        repair(dataset, dataset.parent / "out")
    assert "--task" in "".join(caught.value.__notes__)
    done = repair(dataset, dataset.parent / "out", task="tidy up")
    assert done.ok
    assert Dataset(dataset.parent / "out").tasks == ("tidy up",)


def test_metadata_out_of_step_is_set_right(dataset, good):
    def change(table):
        table = put(table, "length", [n + 3 for n in table.column("length").to_pylist()])
        return put(table, "dataset_from_index", [0] * len(table))

    edit_table(dataset / EPISODES, change)
    info = json.loads((dataset / "meta/info.json").read_text())
    info |= {"total_frames": 7, "total_episodes": 99, "chunks_size": -1}
    (dataset / "meta/info.json").write_text(json.dumps(info))
    assert repaired(dataset, good).ok


def test_wrong_offsets_of_videos_are_set_right(dataset, good):
    def change(table):
        for name in ("from", "to"):
            key = f"videos/{TOP}/{name}_timestamp"
            table = put(table, key, [t + 1 / FPS for t in table.column(key).to_pylist()])
        return table

    edit_table(dataset / EPISODES, change)
    done = repaired(dataset, good)
    assert done.ok
    assert any("the metadata said frames 1 to 20, the counts say 0 to 19" in f.message for f in done.found)


def test_wrong_index_columns_and_timestamps_are_made_anew(dataset, good):
    def change(table):
        clock = np.array(table.column("timestamp").to_pylist()) * 1.05 + 100
        table = put(table, "timestamp", (clock - clock[0]).astype(np.float32))
        return put(table, "index", [5] * len(table))

    edit_table(dataset / DATA, change)
    done = repaired(dataset, good)
    assert any("plays 5 % off the measured time" in f.message for f in done.found)


def test_a_video_that_was_cut_loses_the_rows_it_has_no_picture_for(dataset, good):
    remuxed(dataset / f"videos/{TOP}/chunk-000/file-001.mp4", 11 + 5)
    done = repaired(dataset, good, rows=5, trust="video")
    assert losses(done) == ["episode 3: rows 5 to 7: the videos hold no frame for them"]
    assert not done.ok


def test_dropped_frames_lose_their_episode_alone(dataset, good):
    """As LeRobot's streaming encoder leaves it: fewer frames, and metadata that says how many."""
    remuxed(dataset / f"videos/{TOP}/chunk-000/file-001.mp4", 11 + 5)
    key = f"videos/{TOP}/to_timestamp"
    edit_table(dataset / EPISODES, lambda t: put(t, key, [*t.column(key).to_pylist()[:3], 16 / FPS]))
    done = repaired(dataset, good, kept=(0, 1, 2))
    assert "8 rows have 5 frames, and nothing tells which rows are without" in losses(done)[0]


def test_a_lost_video_loses_its_episodes_or_with_without_the_camera(dataset, good):
    (dataset / f"videos/{TOP}/chunk-000/file-001.mp4").write_bytes(b"not a video")
    done = repaired(dataset, good, kept=(0, 1))
    assert any("file-001.mp4" in text for text in losses(done))
    shutil.rmtree(dataset.parent / "out")
    assert repaired(dataset, good, without=[TOP]).ok
    assert Dataset(dataset.parent / "out").cameras == (WRIST,)


def test_a_video_that_nothing_names_is_given_back_by_its_count(dataset, good):
    path = next((dataset / "meta/episodes").rglob("*.parquet"))
    edit_table(path, lambda table: put(table, f"videos/{TOP}/file_index", [0, 0, 9, 9]))
    done = repaired(dataset, good)
    given = [f for f in done.found if f.code == "repair-recovered" and "which nothing names" in f.message]
    assert [f.where for f in given] == [f"episode 2 {TOP}", f"episode 3 {TOP}"]


@pytest.mark.parametrize("named", ["chunk-9f86d081/file-000", "chunk-000/file-9f86d081", "take/front"])
def test_videos_whose_names_have_no_number_are_given_back_by_their_count(dataset, good, named):
    for number, before in enumerate(sorted((dataset / "videos" / TOP).rglob("*.mp4"))):
        after = (dataset / "videos" / TOP / named).with_name(f"{9 - number}-{Path(named).name}.mp4")
        after.parent.mkdir(exist_ok=True)
        before.rename(after)
    done = repaired(dataset, good)
    given = [f.where for f in done.found if f.code == "repair-recovered" and "which nothing names" in f.message]
    assert given == [f"episode {number} {TOP}" for number in range(4)]


def test_videos_whose_names_have_no_number_are_not_put_in_an_order(dataset, good):
    shutil.rmtree(dataset / "meta/episodes")
    for number, before in enumerate(sorted((dataset / "videos" / TOP).rglob("*.mp4"))):
        before.rename(before.with_name(f"{'ba'[number]}.mp4"))
    done = repair(dataset)
    assert done.episodes == 0
    assert all("no video holds its frames" in text for text in losses(done) if text.startswith("episode"))


@pytest.mark.parametrize("kind", [pa.null(), language_type("language_persistent")])
def test_labels_that_are_null_cost_no_episode(dataset, good, kind):
    key = "language_persistent"
    for path in sorted((dataset / "data").rglob("*.parquet")):
        table = pq.read_table(path)
        pq.write_table(table.append_column(key, pa.nulls(table.num_rows, kind)), path)
    info = json.loads((dataset / "meta/info.json").read_text())
    info["features"][key] = {"dtype": "language", "shape": [1], "names": None}
    (dataset / "meta/info.json").write_text(json.dumps(info))
    done = repair(dataset, dataset.parent / "out")
    assert (done.episodes, losses(done), done.after) == (4, [], ())
    rows = pq.read_table(dataset.parent / "out" / DATA).column(key)
    assert rows.null_count == 0
    assert set(map(len, rows.to_pylist())) == {0}
    assert any(f"episode 3 {key}" == f.where and "8 rows with null" in f.message for f in done.found)


def test_a_camera_without_any_video_is_left_out(dataset, good):
    shutil.rmtree(dataset / "videos" / WRIST)
    done = repaired(dataset, good)
    assert losses(done) == [f"{WRIST}: no readable video of this camera is there; the copy is without it"]


def test_values_that_break_training_lose_their_episode(dataset, good):
    def change(table):
        values = table.column("action").to_pylist()
        values[3] = [1.0, float("nan"), 0.0]
        return put(table, "action", values)

    edit_table(dataset / DATA, change)
    foreseen = repair(dataset)
    done = repair(dataset, dataset.parent / "out")
    assert (foreseen.episodes, foreseen.lost) == (done.episodes, done.lost)
    assert "action: NaN" in losses(done)[0]
    same_episodes(good, dataset.parent / "out", (1, 2, 3))


def test_rows_after_a_hole_are_lost(dataset, good):
    edit_table(dataset / DATA, lambda table: pa.concat_tables([table.slice(0, 12), table.slice(15)]))
    done = repair(dataset, dataset.parent / "out")
    assert "5 of 17 rows: row 12 says it is row 15" in losses(done)[0]
    assert Dataset(dataset.parent / "out").episodes[0].length == 12


def test_a_stray_copy_of_rows_is_left_out(dataset, good):
    shutil.copyfile(dataset / DATA, dataset / "data/chunk-000/file-000-copy.parquet")
    done = repaired(dataset, good)
    assert all(re.search("repeats? an episode", text) for text in losses(done))


def v2_under_a_v3_label(root):
    """The tree that some exporters write: v2 names and metadata, `codebase_version: v3.0`, nothing measured."""
    old = Dataset(root)
    info = json.loads((root / "meta/info.json").read_text())
    lines = []
    for number, facts in enumerate(old.episodes):
        rows = old.rows(number)
        clock = pa.array((np.arange(facts.length) * 0.034).astype(np.float32))
        rows = rows.set_column(rows.column_names.index("timestamp"), "timestamp", clock)
        variable = pa.array(rows.column("action").to_pylist(), pa.list_(pa.float32()))
        rows = rows.set_column(rows.column_names.index("action"), "action", variable)
        pq.write_table(rows.replace_schema_metadata(None), root / f"data/chunk-000/episode_{number:06d}.parquet")
        for key in (TOP, WRIST):
            path, first = old.frame(key, number, 0)
            folder = root / "videos/chunk-000" / key
            folder.mkdir(parents=True, exist_ok=True)
            cut_video(path, folder / f"episode_{number:06d}.mp4", first, facts.length)
        lines.append(json.dumps({"episode_index": number, "tasks": list(facts.tasks), "length": facts.length}))
    for key in (TOP, WRIST):
        info["features"][key] |= {"shape": [0, 0, 3], "video_info": {"video.codec": "h264"}}
        info["features"][key].pop("info")
        shutil.rmtree(root / "videos" / key)
    for path in root.glob("data/chunk-000/file-*.parquet"):
        path.unlink()
    info |= {"data_path": "data/chunk-{episode_chunk:s}/episode_{episode_index}.parquet", "splits": {"train": "0:89"}}
    tasks = [json.dumps({"task_index": i, "task": text}) for i, text in enumerate(old.tasks)]
    shutil.rmtree(root / "meta")
    (root / "meta").mkdir()
    (root / "meta/info.json").write_text(json.dumps(info))
    (root / "meta/tasks.jsonl").write_text("\n".join(tasks) + "\n")
    (root / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")


def cut_video(source, target, first, count):
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        base = stream.time_base = old.streams.video[0].time_base
        start = round(first / FPS / base)
        for number, packet in enumerate(old.demux(video=0)):
            if packet.pts is not None and first <= number < first + count:
                packet.pts, packet.dts, packet.stream = packet.pts - start, packet.dts - start, stream
                new.mux(packet)


def test_a_v2_tree_under_a_v3_label_becomes_v3(dataset, good):
    v2_under_a_v3_label(dataset)
    done = repaired(dataset, good)
    assert done.ok
    assert any("timestamps ran over" in f.message for f in done.found)


def test_frames_in_rows_are_kept_byte_for_byte(tmp_path):
    episodes = [episode(n, i, clips=two_cameras(tmp_path, n, i, preset="images")) for i, n in enumerate((12, 5))]
    root = write(tmp_path / "dataset", episodes)
    remove_footer(root / DATA)
    done = repair(root, tmp_path / "out")
    assert done.ok
    whole = write(tmp_path / "whole", [episode(n, i, clips=two_cameras(tmp_path, n, i, preset="images")) for i, n in
                                       enumerate((12, 5))])  # fmt: skip
    assert pq.read_table(tmp_path / "out" / DATA).equals(pq.read_table(whole / DATA))


def test_other_codecs_are_encoded_and_said_so(tmp_path):
    root = write(tmp_path / "dataset", [episode(12, 0, clips=two_cameras(tmp_path, 12, 0))])
    path = root / f"videos/{TOP}/chunk-000/file-000.mp4"
    pictures = [rgb for _, rgb in decode_at(str(path), range(12))]
    with av.open(str(path), "w") as target:
        stream = target.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 4_000_000
        for rgb in pictures:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        target.mux(stream.encode(None))
    done = repair(root, tmp_path / "out")
    assert done.ok
    assert any("mpeg4 video cannot be copied" in f.message for f in done.found)
    shown = decode_at(str(tmp_path / "out" / f"videos/{TOP}/chunk-000/file-000.mp4"), range(12))
    assert [read_frame_id(rgb)[0] for _, rgb in shown] == list(range(12))


def test_video_packets_are_copied(dataset, good):
    def packets(root):
        with av.open(str(root / f"videos/{TOP}/chunk-000/file-000.mp4")) as source:
            return [bytes(p) for p in source.demux(video=0) if p.pts is not None]

    shutil.rmtree(dataset / "meta" / "episodes")
    repair(dataset, dataset.parent / "out")
    assert packets(dataset.parent / "out")[:21] == packets(good)


def test_provenance_is_carried_over(dataset, good):
    shutil.rmtree(dataset / "meta" / "episodes")
    repair(dataset, dataset.parent / "out")
    old, new = Dataset(good).provenance, Dataset(dataset.parent / "out").provenance
    assert [(p["source"], p["recording_id"], p["start_ns"]) for p in new] == [
        (p["source"], p["recording_id"], p["start_ns"]) for p in old
    ]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "copy meta/info.json"),
        (lambda path: path.write_text("[" * 100_000), "cannot be read"),
        (lambda path: path.write_text('{"fps": 29.97, "features": {"a": {}}}'), "fps: found 29.97"),
    ],
    ids=["no info", "nested info", "odd fps"],
)
def test_without_the_rate_and_the_features_all_is_lost_and_said_why(dataset, spoil, said):
    spoil(dataset / "meta/info.json")
    done = repair(dataset, dataset.parent / "out")
    assert (done.ok, done.out, done.episodes) == (False, None, 0)
    assert [lost.where for lost in done.lost] == ["meta/info.json"]
    assert said in done.lost[0].message
    assert "meta/info.json" in done.wrong[0].where
    assert {path.name for path in dataset.parent.iterdir()} <= {"dataset"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: shutil.rmtree(root / "data"), "no episode can be read"),
        (lambda root: shutil.rmtree(root), "no such folder"),
    ],
    ids=["no data", "nothing"],
)
def test_what_cannot_be_repaired_says_why_and_writes_nothing(dataset, spoil, said):
    spoil(dataset)
    with pytest.raises(DatasetError, match=said):
        repair(dataset, dataset.parent / "out")
    assert {path.name for path in dataset.parent.iterdir()} <= {"dataset"}


def test_the_copy_is_never_written_into_the_original(dataset):
    before = contents(dataset)
    for out in (dataset, dataset / "fixed"):
        with pytest.raises(DatasetError, match="inside the dataset"):
            repair(dataset, out)
    assert contents(dataset) == before


def test_names_that_would_leave_the_folder_are_refused(dataset, good):
    info = json.loads((dataset / "meta/info.json").read_text())
    for key in ("observation.images/../../../outside", "..", "a\nb", "x" * 4096):
        info["features"][key] = {"dtype": "video", "shape": [1, 1, 3], "names": None}
    (dataset / "meta/info.json").write_text(json.dumps(info))
    done = repaired(dataset, good)
    assert len(done.lost) == 4


@pytest.mark.parametrize("damaged", [0, 1])
def test_values_that_cannot_be_read_cost_their_episode_alone(tmp_path, damaged):
    root = write(tmp_path / "dataset", [episode(20, i) for i in range(3)])
    path = root / DATA
    group = pq.ParquetFile(path).metadata.row_group(damaged)
    chunk = next(c for i in range(group.num_columns) if (c := group.column(i)).path_in_schema.startswith("action"))
    data, start = bytearray(path.read_bytes()), chunk.dictionary_page_offset or chunk.data_page_offset
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)
    foreseen, done = repair(root), repair(root, tmp_path / "out")
    assert (foreseen.episodes, foreseen.rows) == (done.episodes, done.rows) == (2, 40)
    assert foreseen.found == done.found
    assert [finding.where for finding in done.lost] == [f"episode {damaged}"]
