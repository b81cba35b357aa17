"""rerun-lerobot 0.3: its command with flags and guided mode, its functions, and the script of Rerun's current guide."""

import json
import logging
import runpy
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from support import guide
from support.pictures import draw_frame_id, to_jpeg
from support.rrd import Columns, Encoded, Vectors, write_rrd
from telecine.compat import rerun_lerobot
from telecine.compat.rerun_lerobot import (
    LeRobotConversionConfig,
    VideoSpec,
    convert_catalog_dataset_to_lerobot,
    convert_dataset_to_lerobot,
    convert_dataset_url_to_lerobot,
    convert_rrd_dataset_to_lerobot,
    infer_features,
    inspect_catalog_dataset,
    inspect_dataset_url,
    inspect_rrd_dataset,
    main,
)
from telecine.core.errors import DatasetError, PlanError, SourceError
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify

ACTION, STATE = "/action/joint_positions:Scalars:scalars", "/observation/joint_positions:Scalars:scalars"
TASK = "/language_instruction:TextDocument:text"
SCRIPT = Path(__file__).with_name("lerobot_script.py")
FLAGS = ["--rrd-dir", "robot_recordings", "--output", "out", "--fps", "15"]
COLUMNS = ["--action", ACTION, "--state", STATE, "--task", TASK, "--video", "front:/camera/front"]


def config(**changes):
    given = {"fps": 15, "index_column": "real_time", "action": ACTION, "state": STATE, "task": TASK,
             "videos": [VideoSpec(key="front", path="/camera/front")], **changes}  # fmt: skip
    return LeRobotConversionConfig(**given)


@pytest.fixture(scope="module")
def recordings(rerun, tmp_path_factory):
    return guide.write_folder(tmp_path_factory.mktemp("lerobot") / "robot_recordings", 3)


@pytest.fixture
def here(recordings, tmp_path, monkeypatch):
    (tmp_path / "robot_recordings").symlink_to(recordings)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    try:
        return main(list(words))
    except SystemExit as stop:
        return stop.code


def info(root):
    return json.loads((Path(root) / "meta" / "info.json").read_text())


def test_the_current_guide_runs_with_only_its_imports_changed(catalog, here, capsys):
    runpy.run_path(str(SCRIPT))
    assert [len(Dataset(here / name)) for name in ("one", "every")] == [1, 3]
    assert sorted(p["recording_id"] for p in Dataset(here / "every").provenance) == ["rec_0", "rec_1", "rec_2"]
    assert verify(here / "every", decode="all") == []
    assert "Total episodes: 3" in capsys.readouterr().out


def test_the_command_takes_the_flags_of_rerun_lerobot(here, capsys):
    more = ("--dataset-name", "robot_demos", "--repo-id", "me/demos", "--index", "real_time")
    assert run(*FLAGS, *COLUMNS, *more, "--action-names", "a,b,c,d", "--state-names", "e,f,g,h") == 0
    made = Dataset(here / "out")
    assert (made.fps, len(made)) == (15, 3)
    assert {f.key: f.names for f in made.features if f.key == "action"} == {"action": ("a", "b", "c", "d")}
    assert "me/demos: 3 episodes" in capsys.readouterr().out
    assert verify(here / "out") == []


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        (("--segments", "rec_2", "rec_0"), ["rec_0", "rec_2"]),
        (("--max-segments", "2"), ["rec_0", "rec_1"]),
        (("--segments", "rec_1", "rec_2", "--max-segments", "1"), ["rec_1"]),
        (("--segments",), ["rec_0", "rec_1", "rec_2"]),
    ],
)
def test_segments_are_chosen_by_id_and_number(here, more, kept):
    assert run(*FLAGS, *COLUMNS, *more) == 0
    assert [p["recording_id"] for p in Dataset(here / "out").provenance] == kept


def test_an_unknown_segment_is_an_error_with_the_nearest_name(here, capsys):
    assert run(*FLAGS, *COLUMNS, "--segments", "rec_7") == 1
    assert "no recording is called 'rec_7'; did you mean 'rec_" in capsys.readouterr().err
    assert not (here / "out").exists()


@pytest.mark.parametrize("output_format", ["png", "h264", "hevc", "av1"])
def test_output_formats(here, output_format):
    assert run(*FLAGS, *COLUMNS, "--output-format", output_format, "--max-segments", "1") == 0
    camera = info("out")["features"]["observation.images.front"]
    assert camera["dtype"] == ("image" if output_format == "png" else "video")
    if output_format != "png":
        assert camera["info"]["video.codec"] == output_format


def test_columns_are_concatenated_in_order(here):
    assert run(*FLAGS, "--action", STATE, "--action", ACTION, "--state", STATE, "--max-segments", "1") == 0
    made = Dataset(here / "out")
    assert info("out")["features"]["action"]["shape"] == [8]
    rows = made.rows(0)
    state = np.array(rows["observation.state"].to_pylist())
    assert np.array_equal(np.array(rows["action"].to_pylist())[:, :4], state)


def test_png_cameras_stay_png_unless_asked(rerun, tmp_path):
    from fractions import Fraction

    import av

    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "rgb24", Fraction(1, 30)
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9, np.uint8), format="rgb24")
    (packet,) = encoder.encode(frame)
    t = np.arange(30) * 33_333_333 + 10**18
    joints = Vectors(t, np.zeros((30, 2)))
    write_rrd(tmp_path / "in" / "a.rrd", {
        "/a": joints, "/s": joints, "/camera/front": Encoded(t, [bytes(packet)] * 30, "image/png"),
    })  # fmt: skip
    words = ["--rrd-dir", str(tmp_path / "in"), "--fps", "30", "--action", "/a", "--state", "/s"]
    for name, more in (("a", ()), ("b", ("--output-format", "h264"))):
        assert run(*words, "--video", "front:/camera/front", "--output", str(tmp_path / name), *more) == 0
    kinds = [info(tmp_path / name)["features"]["observation.images.front"]["dtype"] for name in "ab"]
    assert kinds == ["image", "video"]


def test_without_columns_the_command_guides_and_its_command_works(here, capsys):
    assert run(*FLAGS[:4]) == 0
    text = capsys.readouterr().out
    assert "3 segment(s)" in text
    for line in (ACTION, STATE, "4 numbers, Scalars", "real_time", "timestamp[ns]", TASK, "front:/camera/front"):
        assert line in text
    assert "Missing: --action, --state, --fps." in text
    command = text.partition("Command to start from:")[2].partition("Missing")[0].replace("\\\n", " ")
    words = shlex.split(command)
    assert words[0] == "telecine-rerun-lerobot"
    assert run(*words[1:]) == 0
    assert len(Dataset(here / "out")) == 3


def test_inspect_converts_nothing(here, capsys):
    assert run(*FLAGS, *COLUMNS, "--inspect") == 0
    assert "Missing" not in capsys.readouterr().out
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rrd-dir", "nowhere", "--inspect"], "is not a folder"),
        (["--rrd-dir", ".", "--catalog-token", "s3cret"], "--catalog-token goes with"),
        (["--catalog-url", "rerun+http://127.0.0.1:1"], "--catalog-url needs --dataset-name"),
        ([], "one of the arguments --rrd-dir --catalog-url --dataset-url is required"),
        ([*FLAGS[:2], *FLAGS[4:], *COLUMNS], "--output is needed"),
        ([*FLAGS, *COLUMNS, "--video", "front"], "not of the form key:path"),
        ([*FLAGS, *COLUMNS, "--video", "front:/camera/wrist"], "'front' is given twice"),
        ([*FLAGS, *COLUMNS, "--max-segments", "0"], "not a whole number above 0"),
        ([*FLAGS, *COLUMNS, "--output-format", "jpg"], "invalid choice: 'jpg'"),
    ],
)
def test_a_wrong_command_line_ends_with_exit_code_2(here, capsys, words, message):
    assert run(*words) == 2
    text = capsys.readouterr().err
    assert message in text
    assert "s3cret" not in text


def test_an_empty_folder_is_an_error(here, capsys):
    (here / "empty").mkdir()
    assert run("--rrd-dir", "empty") == 1
    assert "error: " in capsys.readouterr().err


def test_a_timeline_that_counts_needs_a_rate(rerun, tmp_path):
    steps = {"step": np.arange(60)}
    values = np.arange(120).reshape(60, 2)
    write_rrd(tmp_path / "in" / "a.rrd", {"/action": Vectors(steps, values), "/state": Vectors(steps, values)})
    words = ["--rrd-dir", str(tmp_path / "in"), "--index", "step", "--action", "/action", "--state", "/state"]
    assert run(*words, "--output", str(tmp_path / "a"), "--fps", "20") == 1
    assert run(*words, "--output", str(tmp_path / "b"), "--fps", "10", "--rate", "20") == 0
    assert Dataset(tmp_path / "b").frames == 30


def test_the_functions_convert_a_folder(here):
    report = convert_rrd_dataset_to_lerobot(
        rrd_dir=Path("robot_recordings"), output_dir=Path("out"), dataset_name="demos", repo_id="demos",
        config=config(output_format="hevc"), segments=["rec_1"], max_segments=5,
    )  # fmt: skip
    assert (report.ok, len(Dataset(here / "out"))) == (True, 1)
    assert info("out")["features"]["observation.images.front"]["info"]["video.codec"] == "hevc"
    with pytest.raises(ValueError, match="exists already"):
        convert_rrd_dataset_to_lerobot(rrd_dir="robot_recordings", output_dir="out", config=config())
    with pytest.raises(ValueError, match="is not a folder"):
        convert_rrd_dataset_to_lerobot(rrd_dir="nowhere", output_dir="other", config=config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_format": "jpg"}, "output_format 'jpg' is not one of png, h264"),
        ({"videos": [VideoSpec(key="f", path="/camera/front")] * 2}, "'f' is given twice"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(here, changes, message):
    with pytest.raises(PlanError, match=message):
        convert_rrd_dataset_to_lerobot(rrd_dir="robot_recordings", output_dir="out", config=config(**changes))


def test_a_camera_may_have_a_timeline_of_its_own(rerun, tmp_path, capsys):
    times = np.arange(30) * 33_333_333 + 10**18
    frames = [to_jpeg(draw_frame_id(number, 0, 0, 64, 64)) for number in range(30)]
    joints = Vectors(times, np.zeros((30, 2)))
    device, count_from_zero = Encoded({"device": times}, frames), Encoded({"video_time": times - times[0]}, frames)
    write_rrd(tmp_path / "in" / "a.rrd", {"/a": joints, "/device": device, "/video": count_from_zero})
    words = ["--rrd-dir", str(tmp_path / "in"), "--fps", "30", "--action", "/a", "--state", "/a", "--output"]
    assert run(*words, str(tmp_path / "out"), "--video", "d:/device:device") == 0
    assert len(Dataset(tmp_path / "out").rows(0)) == 30
    assert run(*words, str(tmp_path / "no"), "--video", "v:/video:video_time") == 1
    assert "do they use one clock?" in capsys.readouterr().out + capsys.readouterr().err
    other = config(videos=[VideoSpec(key="v", path="/video", index="video_time")])
    columns = {name: [0] for name in ("real_time", ACTION, STATE, "/video:VideoStream:sample")}
    with pytest.raises(PlanError, match="'v' is on 'video_time', but the table is on 'real_time'"):
        infer_features(table=pa.table(columns), config=other)


def test_no_segment_asked_for_is_an_error_too(segments, here):
    with pytest.raises(DatasetError, match="max_segments leaves none"):
        convert_rrd_dataset_to_lerobot(rrd_dir="robot_recordings", output_dir="out", config=config(), max_segments=0)


def test_recordings_that_cannot_be_used_are_logged_and_none_is_an_error(here, caplog):
    with caplog.at_level(logging.WARNING, "telecine.compat"), pytest.raises(DatasetError, match="none of 3 recordings"):
        convert_rrd_dataset_to_lerobot(
            rrd_dir="robot_recordings", output_dir="out", config=config(state="/nothing:S:s")
        )
    assert len(caplog.records) == 3
    assert not (here / "out").exists()


def test_a_configuration_has_the_properties_of_rerun_lerobot():
    made = config(action=[ACTION, STATE], videos=[VideoSpec(key="f", path="/f", index="other")])
    assert (made.action_columns, made.state_columns, made.reference_column) == ([ACTION, STATE], [STATE], ACTION)
    assert made.camera_index_column(made.videos[0]) == "other"


def test_an_inspection_lists_what_can_be_converted(here):
    seen = inspect_rrd_dataset(Path("robot_recordings"), dataset_name="demos")
    assert (seen.dataset_name, seen.num_segments) == ("demos", 3)
    candidates = [(c.name, c.component, c.dim) for c in seen.action_state_candidates]
    assert {(ACTION, "Scalars", 4), (STATE, "Scalars", 4)} <= set(candidates)
    assert len(candidates) == 5
    assert ("real_time", "timestamp[ns]", True) in [(t.name, t.arrow_type, t.is_temporal) for t in seen.timelines]
    assert TASK in [c.name for c in seen.task_candidates]
    assert seen.video_paths == ["/camera/front", "/camera/wrist"]
    action, state = seen.guess_action_and_state()
    assert (seen.guess_index(), action) == ("real_time", ACTION)
    assert state in (STATE, "/robot/state:Scalars:scalars")
    assert "Command to start from" not in seen.format_report()
    with pytest.raises(ValueError, match="is not a folder"):
        inspect_rrd_dataset("nowhere")


def test_drawn_geometry_is_no_candidate(rerun, tmp_path):
    t = np.arange(30) * 33_000_000 + 10**18
    drawn = Columns(t, "Points3D", {"positions": np.zeros((30, 3))})
    write_rrd(tmp_path / "a.rrd", {"/points": drawn, "/x": Vectors(t, np.zeros((30, 2)))})
    seen = inspect_rrd_dataset(tmp_path)
    assert [c.name for c in seen.action_state_candidates] == ["/x:Scalars:scalars"]


def test_a_catalog_is_converted_by_name_by_address_and_connected(segments, here):
    import rerun as rr

    server = rr.server.Server(datasets={"robots": Path("robot_recordings")}, host="127.0.0.1")
    try:
        url = server.url()
        entry = server.client().get_dataset(name="robots")
        convert_catalog_dataset_to_lerobot(
            catalog_url=url, dataset_name="robots", output_dir="a", repo_id="r", config=config(), max_segments=1
        )
        address = f"{url}/entry/{entry.id}"
        convert_dataset_url_to_lerobot(dataset_url=address, output_dir="b", config=config(), segments=["rec_1"])
        convert_dataset_to_lerobot(entry, output_dir="c", config=config())
        assert [len(Dataset(here / name)) for name in "abc"] == [1, 1, 3]
        assert inspect_catalog_dataset(catalog_url=url, dataset_name="robots").num_segments == 3
        assert inspect_dataset_url(address).video_paths == ["/camera/front", "/camera/wrist"]
        words = ["--catalog-url", url, "--dataset-name", "robots", "--output", "d", "--fps", "15"]
        assert run(*words, *COLUMNS, "--segments", "rec_2") == 0
        assert run("--dataset-url", address) == 0
        with pytest.raises(SourceError) as failed:
            inspect_catalog_dataset(catalog_url=url, dataset_name="other")
        assert "no dataset 'other'" in failed.value.__notes__[0]
    finally:
        server.shutdown()


def test_every_name_is_there():
    assert all(hasattr(rerun_lerobot, name) for name in rerun_lerobot.__all__)
