"""LeRobot's default decoder really runs here: without it the reference tests would prove less, silently."""

import importlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


def write_ramp(path: Path, *, frames: int, fps: int) -> None:
    """A video whose frame k is uniformly grey at level 8k."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "0", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for k in range(frames):
            picture = np.full((48, 64, 3), 8 * k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_torchcodec_decodes_the_frame_asked_for(tmp_path: Path) -> None:
    write_ramp(tmp_path / "ramp.mp4", frames=20, fps=10)
    decoders = importlib.import_module("torchcodec.decoders")
    frame = decoders.VideoDecoder(str(tmp_path / "ramp.mp4")).get_frame_at(7)
    assert frame.pts_seconds == pytest.approx(0.7)
    assert float(frame.data.float().mean()) == pytest.approx(56, abs=2)


def test_lerobot_chooses_torchcodec_on_its_own() -> None:
    video_utils = importlib.import_module("lerobot.datasets.video_utils")
    assert video_utils.get_safe_default_video_backend() == "torchcodec"
