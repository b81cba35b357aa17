"""The recordings that everything is measured on, made with rerun-sdk's own writer.

State and action share their stamps, and the cameras run without jitter: the peer converts nothing else. telecine
has no such wish; on recordings without common stamps there would be nothing to compare with.
"""

import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import rerun as rr
from pictures import CAMERAS, FPS, HEIGHT, WIDTH, jpeg, scene, small_scene

ACTION_HZ = 50
START_NS = 1_700_000_000_000_000_000


def copy_set(folder: Path, *, episodes: int = 2, seconds: int = 30) -> Path:
    """Three H.264 cameras (one keyframe a second, no B-frames), packets as a camera's encoder would send them."""
    streams = [list(h264(scene(camera, seconds * FPS))) for camera in range(len(CAMERAS))]
    for episode in range(episodes):
        with Recorded(folder, episode, seconds) as recording:
            for name, packets in zip(CAMERAS, streams, strict=True):
                recording.log(f"/camera/{name}", rr.VideoStream(codec=rr.VideoCodec.H264), static=True)
                _in_parts(recording, f"/camera/{name}", FPS, packets, lambda part: rr.VideoStream.columns(sample=part))
    return folder


def short_set(folder: Path, *, episodes: int, seconds: int = 10) -> Path:
    """A few seconds of two 320x240 H.264 cameras, again and again."""
    streams = [list(h264(small_scene(camera, seconds * FPS))) for camera in range(2)]
    for episode in range(episodes):
        with Recorded(folder, episode, seconds) as recording:
            for name, packets in zip(CAMERAS[:2], streams, strict=True):
                recording.log(f"/camera/{name}", rr.VideoStream(codec=rr.VideoCodec.H264), static=True)
                _in_parts(recording, f"/camera/{name}", FPS, packets, lambda part: rr.VideoStream.columns(sample=part))
    return folder


def long_set(folder: Path, *, seconds: int) -> Path:
    """One H.264 camera for as long as wanted: the same ten seconds of packets, a keyframe a second, over and over."""
    packets = list(h264(scene(0, 10 * FPS)))
    with Recorded(folder, 0, seconds) as recording:
        recording.log("/camera/front", rr.VideoStream(codec=rr.VideoCodec.H264), static=True)
        endless = [packets[k % len(packets)] for k in range(seconds * FPS)]
        _in_parts(recording, "/camera/front", FPS, endless, lambda part: rr.VideoStream.columns(sample=part))
    return folder


def jpeg_set(folder: Path, *, episodes: int = 2, seconds: int = 20) -> Path:
    """Two cameras that send JPEG."""
    streams = [[jpeg(picture) for picture in scene(camera, seconds * FPS)] for camera in range(2)]
    for episode in range(episodes):
        with Recorded(folder, episode, seconds) as recording:
            for name, pictures in zip(CAMERAS[:2], streams, strict=True):
                _in_parts(
                    recording,
                    f"/camera/{name}",
                    FPS,
                    pictures,
                    lambda part: rr.EncodedImage.columns(blob=part, media_type=["image/jpeg"] * len(part)),
                )
    return folder


def raw_set(folder: Path, *, seconds: int) -> Path:
    """Two cameras that send raw RGB, and the same pictures as arrays for LeRobot's writer: front.npy, wrist.npy."""
    with Recorded(folder, 0, seconds) as recording:
        form = rr.components.ImageFormat(
            width=WIDTH, height=HEIGHT, color_model=rr.ColorModel.RGB, channel_datatype=rr.ChannelDatatype.U8
        )
        for camera, name in enumerate(CAMERAS[:2]):
            pictures = np.stack(list(scene(camera, seconds * FPS)))
            np.save(folder / f"{name}.npy", pictures)
            _in_parts(
                recording,
                f"/camera/{name}",
                FPS,
                [picture.tobytes() for picture in pictures],
                lambda part: rr.Image.columns(buffer=part, format=[form] * len(part)),
            )
    return folder


def h264(pictures: Iterator[npt.NDArray[np.uint8]]) -> Iterator[bytes]:
    """One access unit per picture."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "17", "g": str(FPS), "bf": "0"}
    for k, picture in enumerate(pictures):
        if not k:
            encoder.height, encoder.width = picture.shape[:2]
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = k
        yield from map(bytes, encoder.encode(frame))
    yield from map(bytes, encoder.encode(None))


class Recorded:
    """An open recording with joints, action and task already in it."""

    def __init__(self, folder: Path, episode: int, seconds: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.stream = rr.RecordingStream("telecine-bench", recording_id=f"episode-{episode}")
        self.stream.save(str(folder / f"episode_{episode}.rrd"))
        times = np.arange(seconds * ACTION_HZ + 1) / ACTION_HZ
        for entity, phase in (("/observation/state", 0.0), ("/action", 0.1)):
            values = np.stack([np.sin(times + phase + joint) for joint in range(14)], axis=1)
            column = rr.Scalars.columns(scalars=values.ravel()).partition([values.shape[1]] * len(values))
            self.stream.send_columns(entity, [_stamps(0, len(times), ACTION_HZ)], column)
        self.stream.log("/task", rr.TextDocument("put the red block into the bowl"), static=True)

    def __enter__(self) -> rr.RecordingStream:
        return self.stream

    def __exit__(self, *_: object) -> None:
        self.stream.flush()
        self.stream.disconnect()


def _stamps(first: int, stop: int, rate: int) -> rr.TimeColumn:
    stamps = START_NS + np.arange(first, stop, dtype=np.int64) * 10**9 // rate
    return rr.TimeColumn("real_time", timestamp=stamps.view("datetime64[ns]"))


def _in_parts(recording: rr.RecordingStream, entity: str, rate: int, items: Sequence[bytes], columns: object) -> None:
    """In chunks of a few samples, as a live recording has them."""
    for first in range(0, len(items), 16):
        part = items[first : first + 16]
        recording.send_columns(entity, [_stamps(first, first + len(part), rate)], columns(part))


if __name__ == "__main__":
    kind, folder, *number = sys.argv[1:]
    makers = {"copy": copy_set, "jpeg": jpeg_set, "raw": raw_set, "long": long_set, "short": short_set}
    units = ("episodes", "seconds") if kind == "short" else ("seconds",)
    makers[kind](Path(folder), **dict(zip(units, map(int, number), strict=False)))
