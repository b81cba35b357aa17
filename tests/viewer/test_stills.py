"""Stills of every codec show the frame of their row, and a notebook's still shows it with its curves."""

import base64
import re

import numpy as np
import pytest

import telecine as tc
from support.pictures import read_frame_id
from support.viewer import DEPTH, HEVC, LENGTHS, STORED, VIDEOS, depth_mm
from telecine.core.errors import DatasetError
from telecine.dataset.reader import Dataset
from telecine.video.frames.png import read_png
from telecine.viewer.stills import Stills


@pytest.fixture
def stills(codecs):
    made = Stills(Dataset(codecs))
    yield made
    made.close()


ROWS = [(0, 0), (0, 29), (1, 0), (0, 7), (0, 8), (2, 25), (2, 3), (1, 21), (1, 20), (1, 21)]


@pytest.mark.parametrize("key", [*VIDEOS, HEVC, STORED])
def test_a_still_is_the_frame_of_its_row_in_any_order(stills, key):
    for number, row in ROWS:
        still = stills.still(key, number, row)
        assert still.media_type == "image/jpeg"
        assert read_frame_id(read_png(still.data))[:2] == (row, number)


def test_depth_tells_the_distance_of_a_pixel_and_colours_from_near_to_far(stills):
    for number, row in ROWS:
        assert stills.depth_mm(DEPTH, number, row, 32, 7) == pytest.approx(depth_mm(row, number), rel=0.01)
    still = stills.still(DEPTH, 0, 0)
    assert (still.media_type, read_png(still.data).shape) == ("image/png", (48, 64, 3))
    with pytest.raises(DatasetError, match="has no pixel 64, 0"):
        stills.depth_mm(DEPTH, 0, 0, 64, 0)
    with pytest.raises(DatasetError, match="holds no depth"):
        stills.depth_mm(HEVC, 0, 0, 0, 0)


def test_a_still_can_be_smaller(stills):
    assert read_png(stills.still(HEVC, 0, 0, 64).data).shape == (48, 64, 3)
    assert read_png(stills.still(HEVC, 0, 0, 4000).data).shape == (96, 128, 3)


def test_rows_that_are_not_there_are_named(stills):
    for key in (HEVC, STORED, DEPTH):
        with pytest.raises(DatasetError, match="no row 30"):
            stills.still(key, 0, 30)


def test_an_episode_shows_a_row_as_a_still_with_its_curves(codecs):
    shown = tc.open_dataset(codecs)[1].show(row=12)
    html = shown._repr_html_()
    frames = [base64.b64decode(data) for data in re.findall(r"image/jpeg;base64,([^\"]+)", html)]
    assert [read_frame_id(read_png(data))[:2] for data in frames] == [(12, 1)] * 5
    assert all(name in html for name in ("shoulder", "elbow", "gripper", f"row 12 of {LENGTHS[1]}", "put it down"))
    value = np.asarray(Dataset(codecs).rows(1).column("action")[12].as_py())[0]
    assert f"{value:.4g}" in html
    with pytest.raises(DatasetError, match="no row 22"):
        tc.open_dataset(codecs)[1].show(row=22)
