"""Where the time of encoding goes: frames per CPU-second of each stage, on generated scenes.

    PYTHONPATH=tests python bench/encode_stages.py [--size 640x480] [--count 150] [--jpeg-quality 4]

CPU seconds of this process, helper threads of the encoders included; the best of three runs counts.
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

from support.pictures import scene, to_jpeg
from telecine.core.recording import Image, MemoryStream, Schema
from telecine.core.video import VideoSettings
from telecine.video.decode import frames
from telecine.video.encode import encode
from telecine.video.frames.colour import to_rgb, to_yuv420p
from telecine.video.frames.histogram import Histogram, sample_indices
from telecine.video.presets import video_settings

FPS = 30
CLOCK = "time"
DIFFERENT = 30
"""Pictures made; longer runs show them again, forwards and backwards."""


def stream_of(pictures: list[Image], count: int) -> MemoryStream:
    """`count` pictures that go back and forth through `pictures`."""
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    values = [there_and_back[i % len(there_and_back)] for i in range(count)]
    return MemoryStream("camera", "image", Schema("uint8"), {CLOCK: np.arange(count, dtype=np.int64)}, values)


def best(stage: Callable[[], int]) -> float:
    """Frames per CPU-second."""
    rates = []
    for _ in range(3):
        start = time.process_time()
        done = stage()
        rates.append(done / (time.process_time() - start))
    return max(rates)


def decoded(stream: MemoryStream) -> Iterator[av.VideoFrame]:
    """Every picture of the stream."""
    return frames(stream, np.arange(len(stream.values)), CLOCK)


def stages(name: str, stream: MemoryStream) -> None:
    """Print the rates of decoding, colour, statistics and the whole, for one kind of source."""
    count = len(stream.values)
    ready = list(decoded(stream_of(stream.values[:DIFFERENT], DIFFERENT)))

    def decode() -> int:
        return sum(1 for _ in decoded(stream))

    def colour() -> int:
        for i in range(count):
            to_yuv420p(ready[i % DIFFERENT])
        return count

    def statistics() -> int:
        histogram = Histogram()
        for i in sample_indices(count):
            histogram.add(to_rgb(ready[i % DIFFERENT]))
        return count

    print(f"{name:>28}: decode {best(decode):6.0f}  colour {best(colour):6.0f}  statistics {best(statistics):6.0f}")
    for preset in ("train", "lerobot", "archive", "images"):
        want, sizes = video_settings(preset), []
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "clip")
            rate = best(functools.partial(whole, stream, want, path, sizes))
        print(f"{'-> ' + preset:>28}: {rate:6.0f} fps  {sizes[-1] / count / 1000:6.1f} KB per picture")


def whole(stream: MemoryStream, want: VideoSettings, path: str, sizes: list[int]) -> int:
    """Decode, convert, count and encode every picture."""
    count = len(stream.values)
    clip = encode(decoded(stream), want, FPS, count=count, key="camera", path=path, why="")
    sizes.append(clip.size_bytes)
    return count


def main() -> None:
    """Print all stages for raw RGB and for JPEG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--jpeg-quality", type=int, default=4, help="FFmpeg's scale, 1 (best) to 31")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    scenes = [scene(i, width, height) for i in range(DIFFERENT)]
    raw = [Image(rgb.tobytes(), "rgb24", width, height) for rgb in scenes]
    jpeg = [Image(to_jpeg(rgb, quality=given.jpeg_quality), "jpeg") for rgb in scenes]
    print(f"frames per CPU-second, {given.size}, PyAV {av.__version__}")
    stages("RGB", stream_of(raw, given.count))
    stages(f"JPEG {len(jpeg[0].data) / 1000:.0f} KB", stream_of(jpeg, given.count))


if __name__ == "__main__":
    main()
