"""A part of the generated recordings through LeRobot's own reader: rows show the values and the frame of their time."""

import json

import numpy as np
import pytest

from support.matrix import Case, write
from support.pictures import read_frame_id
from telecine import convert
from telecine.core.plan.model import make_plan
from telecine.inspection.recordings import inspect_many

CASES = [
    Case("offline", (30, 50), "h264", "none"),
    Case("live", (10, 100), "jpeg", "late"),
    Case("stale", (15, 15), "raw", "pause"),
    Case("steps", (15, 15), "odd", "none"),
    Case("both", (30, 50), "mid_gop", "none"),
    Case("duration", (30, 50), "depth", "none"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lerobot_reads_what_a_proposal_made(case, tmp_path, rerun, lerobot_dataset):
    truth = write(case, tmp_path / "in", rerun)
    body = dict(inspect_many([tmp_path / "in"]).proposal.body)
    body["clock"] = body["clock"] | ({"rate": case.rate} if case.rate else {})
    body["fps"] = case.rate or body["fps"]
    report = convert([tmp_path / "in"], tmp_path / "out", make_plan({**body, "task": "x"}))
    assert report.ok
    dataset = lerobot_dataset(tmp_path / "out")
    assert len(dataset) == report.rows
    first = 3 if case.camera == "mid_gop" else 0  # the number that frame 0 of the recording shows
    sources = [e.recording.rpartition("/")[2].partition("#")[0] for e in report.episodes]
    for position in range(0, len(dataset), 5):
        item = dataset[position]
        times = truth[sources[int(item["episode_index"])]]
        depth = case.camera == "depth"
        front = item[f"observation.images.front{'_depth' * depth}"].numpy()
        if depth:
            number = round((float(front[0, 0, 0]) - 500) / 10)
        else:
            number = read_frame_id((front.transpose(1, 2, 0) * 255).round().astype(np.uint8))[0]
        state = float(item["observation.state"][0])  # the row's time lies between this sample and the next
        span = np.array([state - 1e-6, state + 1 / case.rates[1]])
        least, most = np.searchsorted(times["camera"], span, side="right") - 1
        assert least <= number - first <= most
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert info["fps"] == case.rates[0]
