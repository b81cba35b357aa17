"""The contact sheet shows every camera as it would be stored, and with red and blue exchanged."""

import numpy as np
import pytest
from typer.testing import CliRunner

from support import hdf5 as make
from telecine.cli.main import app
from telecine.core.errors import SourceError
from telecine.inspection.contact_sheet import HEIGHT_PX, contact_sheet
from telecine.sources import registry
from telecine.video.frames.png import read_png

ROW_PX = HEIGHT_PX + 12 + 2 * 11
"""Of the sheet for each camera: the frame with its border, below its name and what each side is."""


def test_left_is_true_and_framed_in_green_right_is_exchanged(h5py, tmp_path):
    make.aloha(h5py, tmp_path / "a.hdf5")
    make.droid(h5py, tmp_path / "d" / "trajectory.h5")
    sheet = contact_sheet(registry.find([tmp_path]).refs)
    rgb = sheet.rgb
    assert rgb.shape == (2 * ROW_PX, 2 * (240 + 12), 3)
    for top in (22, ROW_PX + 22):
        middle = rgb[top + 100]
        assert [int(middle[6 + int(240 * x)].argmax()) for x in (1 / 6, 1 / 2, 5 / 6)] == [0, 1, 2]
        assert [int(middle[258 + int(240 * x)].argmax()) for x in (1 / 6, 1 / 2, 5 / 6)] == [2, 1, 0]
        assert np.array_equal(middle[0], [0, 200, 0])
    assert sheet.rows[0].endswith("red and blue exchanged")
    assert sheet.rows[1].endswith("as it is")


def test_without_a_camera_there_is_nothing_to_show(h5py, tmp_path):
    make.robosuite(h5py, tmp_path / "x.hdf5")
    with pytest.raises(SourceError, match="no recording has a camera"):
        contact_sheet(registry.find([tmp_path]).refs)


def test_inspect_writes_the_sheet_and_says_what_it_shows(h5py, tmp_path):
    make.aloha(h5py, tmp_path / "a.hdf5")
    out = tmp_path / "sheet.png"
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "a.hdf5"), "--contact-sheet", str(out)])
    assert result.exit_code == 0, result.output
    assert "exchanged" in " ".join(result.output.split())
    assert read_png(out.read_bytes()).shape[0] == ROW_PX
