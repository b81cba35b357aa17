"""What messages advise is tried, word for word: rates, clocks, splits, limits, sizes and merged files."""

import json
import re

import numpy as np
import pytest
import yaml

from support.cli import telecine
from support.matrix import Case, write
from support.robot import Camera, jittered, write_robot
from support.rrd import merge_rrd


def converted(inputs, out, *flags):
    code, text, error = telecine("convert", inputs, out, "--task-text", "x", "--json", "--workers", "0", *flags)
    return code, json.loads(text) if text else error


def reasons(report):
    return " ".join(r["reason"]["message"] for r in report["rejected"])


@pytest.fixture
def steps(tmp_path, rerun):
    write(Case("steps", (15, 15), "jpeg", "none"), tmp_path / "in", rerun)
    return tmp_path / "in"


def test_the_rate_that_a_counting_clock_asks_for(steps, tmp_path):
    code, error = converted(steps, tmp_path / "a")
    assert code == 2
    assert "say how many a second with --rate" in error
    assert converted(steps, tmp_path / "b", "--rate", "15")[0] == 0


def test_the_index_that_is_asked_for_where_no_clock_is_time(tmp_path, rerun):
    """The recorder's time of a file that was written as fast as the disk, and nothing else."""
    path = tmp_path / "a.rrd"
    with rerun.RecordingStream("telecine_test", recording_id="a") as stream:
        stream.save(str(path))
        ns = 1_700_000_000 * 10**9 + np.cumsum(np.random.default_rng(0).exponential(9e4, 120)).astype(np.int64)
        index = [rerun.TimeColumn("log_time", timestamp=ns.astype("datetime64[ns]"))]
        stream.send_columns("/action", index, rerun.Scalars.columns(scalars=np.zeros((120, 2))))
    code, error = converted(path, tmp_path / "out")
    assert code == 2
    assert "looks like the time of writing the file" in error
    assert "name one with --index if it is right all the same" in error
    flags = ("--index", "log_time", "--fps", "1000", "--action", "/action")
    assert converted(path, tmp_path / "out", *flags)[0] == 0


@pytest.fixture
def gappy(tmp_path, rerun):
    """`gappy(lost)`: a recording whose camera lost frames [60, 60 + lost)."""

    def make(lost):
        times = np.delete(jittered(150, jitter_ms=0), range(60, 60 + lost))
        write_robot(tmp_path / "in/a.rrd", {"front": Camera(times, "jpeg")})
        return tmp_path / "in"

    return make


FLAGS = ("--fps", "30", "--index", "real_time", "--action", "/action", "--video", "front:/camera/front")


def plan_of(path, **feature):
    """A plan file with more said of the camera."""
    camera = {"from": "/camera/front", **feature.pop("camera", {})}
    body = {"fps": 30, "clock": {"timeline": "real_time"}, "features": {"action": "/action"}, "task": "x", **feature}
    body["features"]["observation.images.front"] = camera
    path.write_text(yaml.safe_dump(body))
    return path


def test_the_limit_that_accepts_a_short_gap(gappy, tmp_path):
    inputs = gappy(12)
    code, report = converted(inputs, tmp_path / "a", *FLAGS)
    assert code == 1
    limit = re.search(r"a limit of (\w+) would accept the gap", reasons(report))[1]
    plan = plan_of(tmp_path / "plan.yaml", camera={"limit": limit})
    assert converted(inputs, tmp_path / "b", "--plan", plan)[0] == 0


def test_the_split_that_takes_a_long_gap_out(gappy, tmp_path):
    inputs = gappy(60)
    code, report = converted(inputs, tmp_path / "a", *FLAGS)
    assert code == 1
    assert "would accept" not in reasons(report)
    rule = yaml.safe_load(re.search(r"`(split: [^`]+)`", reasons(report))[1])
    code, report = converted(inputs, tmp_path / "b", "--plan", plan_of(tmp_path / "plan.yaml", **rule))
    assert (code, len(report["episodes"])) == (0, 2)


@pytest.mark.parametrize("remedy", ["split", "repeats"])
def test_the_remedies_for_a_camera_that_may_be_of_any_age(gappy, tmp_path, remedy):
    inputs = gappy(60)
    code, report = converted(inputs, tmp_path / "a", "--plan", plan_of(tmp_path / "a.yaml", camera={"limit": "none"}))
    assert code == 1
    said = reasons(report)
    assert "`limit: auto`" in said
    assert "`repeats: allowed`" in said
    if remedy == "repeats":
        plan = plan_of(tmp_path / "b.yaml", camera={"limit": "none", "repeats": "allowed"})
    else:
        plan = plan_of(tmp_path / "b.yaml", **yaml.safe_load(re.search(r"`(split: [^`]+)`", said)[1]))
    assert converted(inputs, tmp_path / "b", "--plan", plan)[0] == 0


def test_the_command_for_recordings_that_do_not_fit(tmp_path, rerun):
    write(Case("duration", (30, 50), "jpeg", "width"), tmp_path / "in", rerun)
    code, out, _ = telecine("inspect", tmp_path / "in", "--json")
    assert code == 0
    (guess,) = [g for g in json.loads(out)["guesses"] if "not fit and will be rejected" in g]
    path = guess.rpartition("telecine convert ")[2].partition(" OUT")[0]
    assert converted(path, tmp_path / "out")[0] == 0


def test_files_that_were_joined_with_cat_are_merged_by_rerun(tmp_path, rerun):
    parts = [tmp_path / f"{n}.rrd" for n in range(2)]
    for number, part in enumerate(parts):
        write_robot(part, {"front": Camera(jittered(20, seed=number), "x264")}, episode=number)
    joined = tmp_path / "in/joined.rrd"
    joined.parent.mkdir()
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    code, out, _ = telecine("inspect", joined, "--json")
    assert code == 1
    assert "`rerun rrd merge FILE -o NEW_FILE` makes one file of both" in out
    merge_rrd(tmp_path / "whole.rrd", [joined])
    code, report = converted(tmp_path / "whole.rrd", tmp_path / "out")
    assert (code, len(report["episodes"])) == (0, 2)
