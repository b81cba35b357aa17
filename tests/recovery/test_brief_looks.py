"""What a camera shows for a moment is in few of the frames that statistics are made of, and still the episode's."""

import av
import numpy as np
import pytest

from support.dataset import FPS, TOP, episode, write
from telecine import convert
from telecine.dataset.verify.verify import verify
from telecine.recovery.repair import repair
from telecine.video.encode import encode
from telecine.video.presets import video_settings

SIZE = (64, 80, 3)


def lit(row, dark):
    """A frame of two greys, or of almost none."""
    frame = np.full(SIZE, 10 if row in dark else 150, np.uint8)
    frame[: SIZE[0] // 2] += 20
    return av.VideoFrame.from_ndarray(frame, format="rgb24")


@pytest.mark.parametrize(
    ("count", "dark"),
    [(17, range(15, 17)), (120, range(111, 120)), (120, range(44, 53))],
    ids=["the end of a short one", "the end", "between two samples"],
)
def test_an_episode_whose_light_goes_out_for_a_moment_is_sound_in_every_command(tmp_path, count, dark):
    shown = (lit(row, dark) for row in range(count))
    settings, path = video_settings("train"), str(tmp_path / "clip")
    clip = encode(shown, settings, FPS, count=count, key=TOP, path=path, why="made for a test")
    source = write(tmp_path / "source", [episode(count, clips=[clip])])
    assert verify(source, decode="all") == []

    report = convert(source, tmp_path / "converted", task="x", workers=0)
    assert report.rejected == ()
    for decode in ("sample", "all"):
        assert verify(tmp_path / "converted", decode=decode) == []
    assert repair(source, tmp_path / "repaired").ok
    again = convert(tmp_path / "converted", tmp_path / "again", task="x", workers=0)
    assert again.rejected == ()
