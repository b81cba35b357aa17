"""A dataset whose cameras are coded in every way there is, and requests as no browser would send them."""

import http.client
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from support.dataset import clip, episode, write
from support.video import make_clip, x264
from telecine.core.depth import DepthScale
from telecine.core.plan.model import Video
from telecine.video.encode import encode
from telecine.video.presets import depth_settings
from telecine.viewer.entries import find_entries
from telecine.viewer.server import Server, ServerOptions

IMAGES = "observation.images."
B_FRAMES, AV1, H264, HEVC, STORED, DEPTH = (f"{IMAGES}{n}" for n in ("bframes", "av1", "h264", "hevc", "png", "depth"))
VIDEOS = (B_FRAMES, AV1, H264)
"""Cameras that Chromium plays."""
STILLS = (HEVC, STORED, DEPTH)
LENGTHS = (30, 22, 26)
SHOWN = """() => [...document.querySelectorAll("figure[data-camera]")].map(figure => {
  const source = figure.querySelector("video.front") ?? figure.querySelector("img");
  const box = figure.querySelector(".frame"), canvas = document.createElement("canvas");
  const g = canvas.getContext("2d", { willReadFrequently: true });
  canvas.width = 160; canvas.height = 40;
  if (source) g.drawImage(source, 0, 0, 160, 40);
  const data = g.getImageData(0, 0, 160, 40).data;
  const cell = (column, row) => data.subarray(((row * 10 + 5) * 160 + column * 10 + 5) * 4).subarray(0, 3);
  const bits = (row, many) => [...Array(many).keys()].reduce((sum, b) => sum + (cell(b, row)[1] > 127 ? 1 << b : 0), 0);
  return { ...figure.dataset, covered: box.classList.contains("waiting"), frame: bits(1, 16), number: bits(2, 12),
           middle: [...cell(8, 2)], tag: source?.tagName };
})"""
"""In a page: what each camera says that it shows, and what its pixels say."""
SIZE = (128, 96)
DEPTH_RANGE = (300, 3000)
"""mm at the left and the right edge of each depth frame."""


def depth_mm(row, number):
    """What the middle of the depth camera's frame shows."""
    return 500 + 20 * row + 700 * number


def _depth(folder, count, number):
    depths = np.full((count, 48, 64), [[[depth_mm(row, number)]] for row in range(count)], np.uint16)
    depths[:, :, :16], depths[:, :, 48:] = DEPTH_RANGE
    frames = (av.VideoFrame.from_ndarray(mm, format="gray16le") for mm in depths)
    how = {"count": count, "key": DEPTH, "path": str(folder / f"depth-{number}.clip"), "why": "made for a test"}
    return encode(frames, depth_settings(Video(), DepthScale()), 30, **how)


def every_codec(root: Path, lengths=LENGTHS) -> Path:
    """Several episodes in each file; frames carry row and episode."""
    folder = root.parent
    episodes = []
    for number, count in enumerate(lengths):
        packets = x264(count, episode=number, gop=10, bframes=2, preset="veryfast", params="b-adapt=0")
        how = {"episode": number, "size": SIZE}
        clips = [
            clip(folder, AV1, count, codec="av1", camera=1, **how),
            make_clip(packets, "h264", folder / f"bframes-{number}.clip"),
            clip(folder, H264, count, camera=2, gop=30, **how),
            clip(folder, HEVC, count, codec="hevc", camera=3, **how),
            clip(folder, STORED, count, preset="images", camera=4, **how),
            _depth(folder, count, number),
        ]
        clips[1] = replace(clips[1], key=B_FRAMES)
        episodes.append(episode(count, number, clips=clips, task=("pick up the cube", "put it down")[number % 2]))
    return write(root, episodes)


@contextmanager
def served(path, **options):
    """A server of this process for a path."""
    server = Server(
        str(path), find_entries(str(path), follow_links=options.get("follow_links", False)), ServerOptions(**options)
    )
    try:
        yield server
    finally:
        server.stop()


class Client:
    """Raw requests with the cookie of the first visit."""

    def __init__(self, server):
        self.port = server.port
        self.token = server.address().rpartition("token=")[2]
        self.cookie = {"cookie": f"telecine-{self.port}={self.token}"}

    def ask(self, method, path, body=None, **headers):
        """(status, headers, body); header names with _ for -; None leaves a header out."""
        host = f"127.0.0.1:{self.port}"
        whole = {"host": host, **self.cookie, **({"origin": f"http://{host}"} if method not in ("GET", "HEAD") else {})}
        whole |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            data = body.encode() if isinstance(body, str) else body
            if data is not None and "content-length" not in whole:
                whole["content-length"] = str(len(data))
            for name, value in whole.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()
