"""Copying with pictures left out or repeated: `python bench/splices.py [--seconds 100]` prints JSON, CPU seconds each.

One H.264 camera (640x480, a keyframe every 30 pictures, CABAC) as packets in memory, and rows that leave out, or
repeat, one picture in so many, each at a random place. Decision, packets and statistics are included; reading a
recording and writing a dataset are not, for they cost the same whatever is done with the pictures. Beside them, what
it costs to look for damage in every picture (`check: pictures`), which is then to be added.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pictures import FPS, HEIGHT, WIDTH, scene
from recordings import h264

from telecine.core.bitstream.packets import index_packets
from telecine.core.copying.decide import decide
from telecine.core.copying.splice import Splice
from telecine.core.grid import Rows
from telecine.core.recording import MemoryStream, Schema
from telecine.video.decode import frames
from telecine.video.decode_check import damaged_packets
from telecine.video.encode import encode
from telecine.video.presets import video_settings
from telecine.video.splice import splice

CLOCK, CAMERA = "time", "camera"
ONE_IN = (1000, 300, 100, 30)


def main(seconds: int, repeat: int) -> None:
    """Print what each way took, the cheapest of the runs."""
    packets = list(h264(scene(0, seconds * FPS)))
    count = len(packets)
    stream = MemoryStream(
        CAMERA, "video", Schema("uint8", (HEIGHT, WIDTH, 3), encoding="h264"), {CLOCK: np.arange(count)}, packets
    )
    every = np.arange(count)
    took: dict[str, dict[str, object]] = {"bare": timed(stream, every, repeat), "full": fully(stream, every)}
    took["look"] = looked(stream)
    for one_in in ONE_IN:
        random = np.random.default_rng(one_in)
        places = (np.arange(count // one_in) * one_in + random.integers(1, one_in, count // one_in)).astype(np.int64)
        took[f"drop {one_in}"] = timed(stream, np.setdiff1d(every, places), repeat)
        took[f"repeat {one_in}"] = timed(stream, np.sort(np.append(every, places)), repeat)
    print(json.dumps({"pictures": count, "bytes": sum(map(len, packets)), "took": took}))


def timed(stream: MemoryStream, rows: Rows, repeat: int) -> dict[str, object]:
    """CPU seconds of what `convert` would do with these rows, and what that was."""
    costs, told = [], {}
    for _ in range(repeat):
        began = time.process_time()
        index = index_packets(stream.values, "h264")
        decision = decide(rows, index, video_settings("train"))
        if not isinstance(decision, Splice):
            sys.exit(f"not copied: {decision.why}")
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "clip")
            clip = splice(stream, CLOCK, index, decision, rows, FPS, key=CAMERA, path=path, why="")
        costs.append(time.process_time() - began)
        told = {
            "copied": decision.copied,
            "repeated": decision.repeated,
            "encoded": decision.encoded,
            "bytes": clip.size_bytes,
        }
    return {"cpu_s": min(costs), **told}


def looked(stream: MemoryStream) -> dict[str, object]:
    """CPU seconds of decoding every picture for damage."""
    index = index_packets(stream.values, "h264")
    began = time.process_time()
    if damaged_packets(stream, CLOCK, index):
        sys.exit("the packets are damaged")
    return {"cpu_s": time.process_time() - began}


def fully(stream: MemoryStream, rows: Rows) -> dict[str, object]:
    """CPU seconds of encoding every row."""
    began = time.process_time()
    index = index_packets(stream.values, "h264")
    with tempfile.TemporaryDirectory() as folder:
        pictures = frames(stream, rows, CLOCK, index=index)
        path = str(Path(folder) / "clip")
        clip = encode(pictures, video_settings("train"), FPS, count=rows.size, key=CAMERA, path=path, why="")
    return {"cpu_s": time.process_time() - began, "encoded": int(rows.size), "bytes": clip.size_bytes}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    main(given.seconds, given.repeat)
