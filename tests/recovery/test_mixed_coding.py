"""Sound datasets of videos in several codings, as those that LeRobot resumes: they come out whole, and as was said."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from support.corruptions import EPISODES, FIRST_FILE, LENGTHS, SIDE, SIZES, TOP, change, make, video, wrong_rows
from support.dataset import FPS
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.recovery.repair import repair
from telecine.video.mp4_reader import decode_at, probe_file


@dataclass(frozen=True)
class Coding:
    """How the second file of a camera is coded; the first one is H.264, yuv420p, a keyframe every 5 frames."""

    codec: str
    pix_fmt: str = "yuv420p"
    options: dict = field(default_factory=dict)


CODINGS = {
    "av1": Coding("libsvtav1", options={"g": "2", "crf": "12", "preset": "10"}),
    "hevc": Coding("libx265", options={"g": "2", "crf": "10", "preset": "fast", "x265-params": "log-level=error"}),
    "hevc_b_frames": Coding(
        "libx265", options={"g": "12", "crf": "10", "x265-params": "open-gop=0:bframes=4:log-level=error"}
    ),
    "444": Coding("libx264", "yuv444p", {"g": "2", "bf": "0", "crf": "10"}),
    "10_bit": Coding("libx264", "yuv420p10le", {"g": "2", "bf": "0", "crf": "10"}),
    "one_keyframe": Coding("libx264", options={"g": "250", "bf": "0", "crf": "10"}),
    "b_frames": Coding("libx264", options={"g": "12", "bf": "2", "crf": "10"}),
}
QUICK = ("av1", "444")


def recoded(path: Path, coding: Coding, size: tuple[int, int] | None = None) -> None:
    """The video in another coding and size, each episode from a keyframe on, as writers that append have it."""
    other = path.with_name("other.mp4")
    starts = np.cumsum([0, *LENGTHS[FIRST_FILE:]]).tolist()
    with av.open(str(path)) as source:
        width, height = size or SIZES[TOP]
        scaled = (frame.reformat(width, height) for frame in source.decode(video=0))
        frames = [frame.to_ndarray(format="rgb24") for frame in scaled]
    with av.open(str(other), "w") as target:
        stream = target.add_stream(coding.codec, rate=FPS, options=coding.options | {"forced-idr": "1"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = coding.pix_fmt
        for number, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts = number
            if number in starts:
                frame.pict_type = av.video.frame.PictureType.I
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    other.replace(path)


def nothing_more(root: Path) -> None:
    del root


def statistics_gone(root: Path) -> None:
    (root / "meta/stats.json").unlink()


def spans_wrong(root: Path) -> None:
    key = f"videos/{TOP}/from_timestamp"
    change(root, EPISODES, **{key.replace("/", "__").replace(".", "_DOT_"): [0.0] * len(LENGTHS)})


def tasks_gone(root: Path) -> None:
    (root / "meta/tasks.parquet").unlink()


def file_gone(root: Path) -> None:
    video(root, SIDE, 1).unlink()


def file_of_another_size(root: Path) -> None:
    recoded(video(root, SIDE, 1), Coding("libx264", options={"g": "2", "bf": "0"}), (96, 64))


DAMAGES = (nothing_more, statistics_gone, spans_wrong, tasks_gone, file_gone, file_of_another_size)
KEPT = {file_gone: FIRST_FILE, file_of_another_size: FIRST_FILE}
"""How many episodes are left; all unless named."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def mixed(good: Path, tmp_path_factory: pytest.TempPathFactory):
    """Datasets of which one camera's second file has another coding, each made once."""
    made: dict[str, Path] = {}

    def give(name: str) -> Path:
        if name not in made:
            made[name] = Path(shutil.copytree(good, tmp_path_factory.mktemp(name) / "dataset"))
            recoded(video(made[name], TOP, 1), CODINGS[name])
        return made[name]

    return give


def frames(root: Path, number: int, key: str) -> list:
    path, first = Dataset(root).frame(key, number, 0)
    count = Dataset(root).episodes[number].length
    return [rgb for _, rgb in decode_at(str(path), range(first, first + count))]


def check(sound: Path, damage, folder: Path) -> None:
    """What is said is what is done, every frame that is kept is the same to the bit, and in the same coding."""
    root, out = Path(shutil.copytree(sound, folder / "dataset")), folder / "out"
    damage(root)
    told, done = repair(root, task="x"), repair(root, out, task="x")
    assert (told.episodes, told.rows, told.found) == (done.episodes, done.rows, done.found)
    assert done.after == ()
    assert verify(out, decode="all") == []
    kept = KEPT.get(damage, len(LENGTHS))
    assert done.episodes == kept
    assert wrong_rows(out) == []
    for number in range(kept):
        for key in SIZES:
            np.testing.assert_array_equal(frames(out, number, key), frames(sound, number, key))
    assert codings(out) == codings(sound)[:kept]


def codings(root: Path) -> list[tuple[str, str]]:
    """(codec, pixel format) of the file that each episode's frames are in."""
    dataset = Dataset(root)
    found = [probe_file(str(dataset.frame(TOP, number, 0)[0])) for number in range(len(dataset))]
    return [(facts.codec, facts.pix_fmt) for facts in found]


@pytest.mark.parametrize("name", QUICK)
def test_a_sound_dataset_of_mixed_codings_comes_out_whole(mixed, tmp_path, name):
    assert verify(mixed(name), decode="all") == []
    told = repair(mixed(name))
    assert (told.ok, told.found, told.episodes) == (True, (), len(LENGTHS))
    check(mixed(name), nothing_more, tmp_path)


@pytest.mark.parametrize("damage", [spans_wrong, file_of_another_size], ids=lambda damage: damage.__name__)
def test_one_more_damage_costs_what_is_said(mixed, tmp_path, damage):
    check(mixed("av1"), damage, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_family_of_codings_each_with_one_more_damage(mixed, tmp_path, name, damage):
    check(mixed(name), damage, tmp_path)
