"""A finished dataset on one page, whatever its version, and what is wrong with it stated."""

import json
import shutil

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from support import corruptions
from support.dataset import PLAIN, TOP, clip, episode, two_cameras, with_column, write
from support.old_dataset import CAMERA, write_old
from support.pictures import read_frame_id
from telecine.cli.main import app
from telecine.core.errors import DatasetError, VideoError
from telecine.dataset.reader import open_dataset
from telecine.dataset.values import to_arrow
from telecine.inspection.dataset_frames import episode_frames
from telecine.inspection.dataset_summary import summarize
from telecine.lerobot_format import row_files as dataset_reader
from telecine.video.frames.png import read_png, sheet, write_png


def inspect(*arguments):
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture
def dataset(tmp_path):
    return write(tmp_path / "set", [episode(n, i, clips=two_cameras(tmp_path, n, i)) for i, n in enumerate((40, 35))])


def found(page):
    return {f.code for f in page.findings}


@pytest.mark.parametrize("flags", [["--all"], ["--recover"], ["--contact-sheet", "x.png"], ["--timeout", "9"]])
def test_what_only_recordings_have_is_refused_of_a_dataset(dataset, flags):
    code, out = inspect(dataset, *flags)
    assert (code, f"{flags[0]}: of recordings only" in " ".join(out.split())) == (2, True)


def test_the_page_has_what_a_person_asks_first(dataset):
    code, out = inspect(dataset)
    assert code == 0
    for said in ("v3.0", "75 (2.5 s at 30 fps)", "shoulder, elbow, gripper", "h264 64x48, 30 fps", "pick up the cube"):
        assert said in out, out


def test_the_same_page_for_version_2(tmp_path):
    root = write_old(tmp_path / "old")
    page = summarize(root)
    assert (page.version, page.robot_type, page.fps, page.frames, page.tasks) == ("v2.1", "arm", 30, 70, ("lift",))
    assert [(e.length, e.verdicts) for e in page.episodes] == [(30, ()), (40, ())]
    assert page.cameras[0].codec == "h264"
    assert inspect(root)[0] == 0


def test_pictures_are_those_of_their_rows(tmp_path, dataset):
    for root, key, last in ((write_old(tmp_path / "old"), CAMERA, 39), (dataset, TOP, 34)):
        shown = [read_frame_id(p)[:2] for p in episode_frames(open_dataset(root), key, 1, 3)]
        assert shown == [(0, 1), (round(last / 2), 1), (last, 1)]


def test_a_copied_state_and_nan_and_idle_rows_are_verdicts(tmp_path):
    same = episode(60)
    same = with_column(same, "action", same.rows.column("observation.state"))
    still = with_column(episode(60, 1), "observation.state", to_arrow(np.ones((60, 3), np.float32), PLAIN[1]))
    still = with_column(still, "action", to_arrow(np.ones((60, 3), np.float32), PLAIN[0]))
    page = summarize(write(tmp_path / "set", [same, still, episode(6, 2)]))
    assert "look-action-state" in page.episodes[0].verdicts
    assert "look-idle" in page.episodes[1].verdicts
    assert "look-short" in page.episodes[2].verdicts


def test_dark_and_frozen_cameras_are_verdicts(tmp_path):
    from telecine.video.encode import encode
    from telecine.video.presets import video_settings

    def flat(level, number):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
        path = str(tmp_path / f"{number}.clip")
        return encode([frame] * 30, video_settings("train"), 30, count=30, key=TOP, path=path, why="flat")

    root = write(tmp_path / "set", [episode(30, i, clips=[flat(level, i)]) for i, level in enumerate((3, 120))])
    page = summarize(root)
    assert "look-dark" in page.episodes[0].verdicts
    assert "look-frozen" not in page.episodes[0].verdicts, "what is dark shows one frame anyway"
    assert "look-dark" not in page.episodes[1].verdicts


def test_broken_datasets_are_errors_and_exit_code_1(dataset, tmp_path):
    path = dataset / "data" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(path)
    stamps = table.column("timestamp").to_numpy().copy()
    stamps[3] += 0.01
    states = table.column("action").combine_chunks().flatten().to_numpy(zero_copy_only=False).copy()
    states[4] = np.nan
    table = table.set_column(table.column_names.index("timestamp"), "timestamp", pa.array(stamps))
    broken = pa.FixedSizeListArray.from_arrays(pa.array(states), 3)
    table = table.set_column(table.column_names.index("action"), "action", broken)
    pq.write_table(table, path)
    info = json.loads((dataset / "meta" / "info.json").read_text())
    info["total_frames"] += 1
    info["features"][TOP]["shape"] = [480, 640, 3]
    info["features"]["observation.state"]["shape"] = [4]
    (dataset / "meta" / "info.json").write_text(json.dumps(info))
    page = summarize(dataset)
    assert {"look-timestamps", "look-values", "look-counts", "look-width"} <= found(page)
    assert inspect(dataset)[0] == 1


def test_a_missing_video_is_an_error(dataset):
    shutil.rmtree(dataset / "videos")
    code, out = inspect(dataset, "--json")
    assert code == 1
    assert any(f["code"] == "look-counts" and "missing" in f["message"] for f in json.loads(out)["findings"])


@pytest.mark.parametrize("name", ["meta/tasks.jsonl", "meta/episodes.jsonl"])
def test_a_damaged_version_2_is_named(tmp_path, name):
    root = write_old(tmp_path / "old")
    (root / name).write_text("{")
    (found,) = summarize(root).findings
    assert (found.code, found.severity, found.where) == ("verify-structure", "error", name)
    assert "telecine repair" in found.fix
    code, out = inspect(root)
    assert code == 1
    assert name in out


def test_version_2_with_a_missing_file_says_which(tmp_path):
    root = write_old(tmp_path / "old")
    for path in root.rglob("episode_000001.*"):
        path.unlink()
    page = summarize(root)
    assert [f.severity for f in page.findings if f.where.startswith("episode 1")] == ["error", "error"]
    assert "episode_000001" in " ".join(f.message for f in page.findings)


def test_what_is_no_dataset_is_said(tmp_path):
    with pytest.raises(DatasetError, match="not a LeRobot dataset"):
        summarize(tmp_path)
    root = write_old(tmp_path / "old")
    (root / "meta" / "info.json").write_text('{"codebase_version": "v2.1"}')
    (found,) = summarize(root).findings
    assert str(found).startswith("error verify-structure meta/info.json: fps: found None, expected an integer")


def test_drawing_needs_a_dataset(tmp_path):
    assert inspect(tmp_path, "--png", tmp_path / "png")[0] == 2


def test_without_matplotlib_pictures_are_refused_before_any_work(dataset, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out = inspect(dataset, "--png", tmp_path / "png")
    assert code == 1
    assert "pip install 'telecine[plot]'" in " ".join(out.split())
    assert not (tmp_path / "png").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sheets_show_each_camera_of_each_episode(dataset, tmp_path, matplotlib):
    assert inspect(dataset, "--png", tmp_path / "png")[0] == 0
    drawn = sorted(p.name for p in (tmp_path / "png").glob("*_pictures.png"))
    assert drawn == ["episode_000000_pictures.png", "episode_000001_pictures.png"]
    picture = read_png((tmp_path / "png" / drawn[0]).read_bytes())
    assert picture.shape == (11 + 135 + 122, 8 * 164, 3)  # 160 px wide, 120 and 107 high, border 2, captions 11


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_curves_of_state_and_action_are_drawn(dataset, tmp_path, matplotlib):
    code, _ = inspect(dataset, "--png", tmp_path / "png")
    assert code == 0
    picture = read_png((tmp_path / "png" / "episode_000001_curves.png").read_bytes())
    assert picture.std() > 5


def test_pictures_in_rows_are_looked_at_too(tmp_path):
    root = write(tmp_path / "set", [episode(12, clips=[clip(tmp_path, TOP, 12, preset="images")])])
    assert read_frame_id(episode_frames(open_dataset(root), TOP, 0, 2)[1])[0] == 11
    assert summarize(root).cameras[0].codec == "png"


def test_numbers_are_read_without_the_frames_beside_them(tmp_path, monkeypatch):
    root = write(tmp_path / "set", [episode(12, clips=[clip(tmp_path, TOP, 12, preset="images")])])
    read, asked = dataset_reader.read_rows, []

    def noted(path, meta, columns):
        asked.append(columns)
        return read(path, meta, columns)

    monkeypatch.setattr(dataset_reader, "read_rows", noted)
    summarize(root)
    assert [columns for columns in asked if TOP in columns] == [[TOP]]  # for the few frames that are shown


def test_a_png_is_what_was_written(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    write_png(tmp_path / "a.png", rgb)
    np.testing.assert_array_equal(read_png((tmp_path / "a.png").read_bytes()), rgb)
    with pytest.raises(VideoError):
        write_png(tmp_path / "no folder" / "a.png", rgb)
    with pytest.raises(VideoError):
        read_png(b"\x89PNG")
    assert sheet([]).shape == (1, 1, 3)


def test_frames_of_exchanged_cameras_are_compared_unless_no_check_decodes(tmp_path):
    root = corruptions.make(tmp_path)
    code, out = inspect(root)
    assert (code, "nothing broken, frames sampled" in out) == (0, True)
    corruptions.cameras_exchanged(root)
    code, out = inspect(root)
    assert (code, "its statistics are not those of its frames" in out) == (1, True)
    code, out = inspect(root, "--checks", "rows")
    assert (code, "frames were not compared" in out) == (0, True)
