"""Datasets at another rate, through LeRobot's own reader: every row shows exactly the frame that its time asks for."""

import numpy as np
import pytest

from support.dataset import FPS, TOP, WRIST, episode, two_cameras, write
from support.pictures import read_frame_id
from telecine import convert
from telecine.core.plan.model import make_plan
from telecine.core.proposal.propose import propose
from telecine.inspection.recordings import inspect_many

LENGTHS = (23, 1, 12, 31, 2)


@pytest.fixture(scope="module", params=["train", "lerobot"])
def source(request, tmp_path_factory):
    """(preset, dataset) of 30 fps with two cameras whose frames carry their row, their episode and their camera."""
    folder = tmp_path_factory.mktemp("source")
    options = {"gop": 4} if request.param == "train" else {}
    episodes = [
        episode(n, i, clips=two_cameras(folder, n, i, preset=request.param, **options)) for i, n in enumerate(LENGTHS)
    ]
    return request.param, write(folder / "dataset", episodes)


def resampled(roots, out, fps):
    proposal = propose(inspect_many(roots).recordings)
    report = convert(roots, out, make_plan({**proposal.body, "fps": fps}))
    assert report.ok, [str(f) for f in (*report.findings, *(r.reason for r in report.rejected))]
    return report


def check(dataset, expected):
    """expected: (episode and row of the source) for each row of the dataset."""
    assert len(dataset) == len(expected)
    for position, (number, row) in enumerate(expected):
        item = dataset[position]
        for camera, key in enumerate((TOP, WRIST)):
            frame = (item[key].numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
            assert read_frame_id(frame) == (row, number, camera), (position, key)


def rows_at(fps, source_fps=FPS):
    return [(i, row * source_fps // fps) for i, n in enumerate(LENGTHS) for row in range(-(-n * fps // source_fps))]


@pytest.mark.parametrize("fps", [15, 10, 60, 20])
def test_every_row_of_another_rate_shows_exactly_its_source_row(source, fps, tmp_path, lerobot_dataset):
    preset, root = source
    report = resampled([root], tmp_path / "out", fps)
    check(lerobot_dataset(tmp_path / "out"), rows_at(fps))
    assert [clip.pictures.shifted for e in report.episodes for clip in e.clips] == [0] * 10
    if (preset, fps) == ("lerobot", 15):  # LeRobot's own keyframes, every second frame
        assert all(clip.copied and clip.pictures.encoded == 0 for e in report.episodes for clip in e.clips)


def test_a_merge_of_two_rates_repeats_the_rows_that_it_names(source, tmp_path, lerobot_dataset):
    _, root = source
    resampled([root], tmp_path / "slow", 15)
    report = resampled([root, tmp_path / "slow"], tmp_path / "out", 30)
    slow = [(i, row // 2 * 2) for i, n in enumerate(LENGTHS) for row in range(2 * -(-n // 2))]
    names = [e.recording for e in report.episodes]
    expected = [*rows_at(30), *slow] if "slow" in names[-1] else [*slow, *rows_at(30)]
    check(lerobot_dataset(tmp_path / "out"), expected)
    (found,) = [f for f in report.findings if f.code == "align-rates"]
    assert "15 Hz, so each sample fills 2 rows, and rows 1, 3, 5 and so on repeat" in found.message
    assert "30 Hz" in found.message
