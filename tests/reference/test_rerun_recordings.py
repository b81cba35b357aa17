"""LeRobot reads what became of Rerun recordings: layers, video joined late, a video file, depth, joints."""

from functools import partial

import numpy as np
import pytest

from support import video
from support.pictures import read_frame_id
from support.rrd import Columns, Texts, Vectors, Video, image_format, write_rrd
from telecine.conversion.pipeline import convert
from telecine.core.proposal.propose import propose
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many

N, JOINED_AT = 90, 20
START = 1_700_000_000_000_000_000
FRAME_NS = 33_333_333
T = START + np.arange(N) * FRAME_NS
JOINTS = ("shoulder.pos", "elbow.pos", "gripper.pos")


def depth_mm(number):
    """(96, 128) distances that move with the frame."""
    rows, columns = np.mgrid[:96, :128]
    return 300 + 40 * number + 20 * rows + 5 * columns


def film(path, count, episode):
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"x264-params": "bframes=0:keyint=10", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for i in range(count):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(video.picture(i, episode), format="rgb24")))
        file.mux(stream.encode(None))
    return path.read_bytes()


def write(folder, episode, scratch):
    """A recording in two files: the robot's process and that of the cameras, which joined a stream 20 frames late."""
    import rerun as rr

    ident = f"take_{episode}"
    seconds = np.arange(N) / 30
    robot = {
        f"/{kind}.{joint}": Vectors(T, (seconds + number)[:, None])
        for kind in ("observation", "action")
        for number, joint in enumerate(JOINTS)
    }
    write_rrd(folder / f"robot_{episode}.rrd", {**robot, "/task": Texts(None, ["pick"])}, recording_id=ident)
    packets = video.x264(N, gop=15, episode=episode)[JOINED_AT:]
    blob = film(scratch / f"{episode}.mp4", N, episode)
    begins = rr.AssetVideo(contents=blob, media_type="video/mp4").read_frame_timestamps_nanos()
    depth = {
        "buffer": [(depth_mm(i) * 5).astype(np.uint16).tobytes() for i in range(N)],
        "format": [image_format("gray16le", 128, 96)] * N,
        "meter": [5000.0] * N,
    }
    cameras = {
        "/observation.images.live": Video(T[JOINED_AT:], packets),
        "/observation.images.film": [
            Columns(None, "AssetVideo", {"blob": [blob]}),
            Columns(T, "VideoFrameReference", {"timestamp": begins}),
        ],
        "/observation.images.depth": Columns(T, "DepthImage", depth),
    }
    write_rrd(folder / f"cams_{episode}.rrd", cameras, recording_id=ident)


@pytest.fixture(scope="module")
def made(rerun, tmp_path_factory):
    folder, scratch = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("scratch")
    for episode in range(2):
        write(folder, episode, scratch)
    proposal = inspect_many([folder], proposing=partial(propose, fps=30)).proposal
    root = tmp_path_factory.mktemp("out") / "dataset"
    report = convert([folder], root, proposal.plan)
    assert report.ok
    assert len(report.episodes) == 2
    return root, report


def test_the_report_says_what_was_done(made):
    _, report = made
    for episode in report.episodes:
        clips = {clip.key.rpartition(".")[2]: clip for clip in episode.clips}
        assert (clips["live"].copied, clips["live"].why) == (True, "exact")
        assert clips["film"].codec == "h264"
        assert [f.message.split()[0] for f in episode.findings if f.code == "video-damaged"] == ["10"]


@pytest.mark.parametrize("backend", ["torchcodec", "pyav"])
def test_every_row_has_its_own_frames_numbers_and_distances(made, lerobot_dataset, backend):
    root, _ = made
    dataset, origins = lerobot_dataset(root, backend), Dataset(root).provenance
    names = {f.key: f.names for f in Dataset(root).features}
    assert names["action"] == names["observation.state"] == JOINTS
    assert [dataset.meta.episodes[i]["length"] for i in range(2)] == [N - 30] * 2
    for row in range(len(dataset)):
        item = dataset[row]
        episode, at = int(item["episode_index"]), int(item["frame_index"])
        number = round((origins[episode]["start_ns"] - START) / FRAME_NS) + at
        assert number == 30 + at
        for camera in ("live", "film"):
            rgb = np.round(item[f"observation.images.{camera}"].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
            assert read_frame_id(rgb)[:2] == (number, episode)
        assert item["action"].tolist() == pytest.approx([number / 30, number / 30 + 1, number / 30 + 2], abs=1e-5)
        depth = item["observation.images.depth"].numpy()[0]
        assert np.abs(depth - depth_mm(number)).max() <= 4.4 / 2 + 1
        assert item["task"] == "pick"


def test_it_passes_the_conformance_check(made, conformance):
    conformance(made[0])
