"""docs/so101.md: what LeRobot's display logs, and what to log instead."""

import re
from pathlib import Path

import numpy as np
import pytest

import telecine as tc

PAGE = (Path(__file__).parents[1] / "docs" / "so101.md").read_text(encoding="utf-8")
JOINTS = ("shoulder_pan.pos", "shoulder_lift.pos", "elbow_flex.pos", "wrist_flex.pos", "wrist_roll.pos", "gripper.pos")


def logged(rerun, path, log_step):
    """Two seconds of an arm and a camera whose brightness counts the frames, as the page's function logs them."""
    with rerun.RecordingStream("so101", recording_id=path.stem) as stream:
        stream.save(path)
        rerun.log("task", rerun.TextDocument("pick up the cube"), static=True)
        for step in range(60):
            joints = {name: np.sin(step / 10 + k) for k, name in enumerate(JOINTS)}
            frame = np.full((48, 64, 3), 4 * step, np.uint8)
            log_step(10**18 + step * 10**9 // 30, {**joints, "front": frame}, joints)
        stream.flush()


@pytest.fixture
def page_function(rerun):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(code, names)
    return names["log_step"]


def test_what_the_page_logs_becomes_a_dataset_with_every_frame(rerun, page_function, tmp_path):
    logged(rerun, tmp_path / "episodes.rrd", page_function)
    report = tc.convert(tmp_path / "episodes.rrd", tmp_path / "out")
    assert report.ok
    dataset = tc.open_dataset(tmp_path / "out")
    assert list(dataset.tasks) == ["pick up the cube"]
    shown = [round(float(frame.mean()) / 4) for frame in dataset[0].frames("observation.images.front")]
    assert shown == sorted(set(shown))
    assert len(shown) >= 58


def test_a_camera_that_was_logged_as_static_is_left_out_with_the_reason(rerun, page_function, tmp_path, monkeypatch):
    real = rerun.log
    monkeypatch.setattr(rerun, "log", lambda path, what, **more: real(path, what, **more | still(rerun, what)))
    logged(rerun, tmp_path / "display.rrd", page_function)
    seen = tc.inspect(tmp_path / "display.rrd")
    (entry,) = [e for e in seen.left_out if "front" in e.item.stream]
    assert entry.item.why.startswith(re.search(r"one static frame: .*(?= \.\.\.)", PAGE).group())
    assert "/so101/" in entry.item.why


def still(rerun, what):
    return {"static": True} if isinstance(what, rerun.EncodedImage) else {}
