"""What an encoding costs to make and to read, against how good and how large it is: `python bench/frontier.py`.

Needs the extras `all` and `reference`. Each scene is encoded with each setting at four qualities; figures are those at
the PSNR that LeRobot's default (AV1 preset 12, crf 30, a keyframe every 2) has on that scene, between two of them.
Reads are LeRobot's own, through torchcodec, of files that nothing has read before: single frames in random order, and
windows of 4. CPU seconds with all threads, settings by turns, the least of several. `--crops DIR` writes enlarged weak
texture of each for the eye.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from ffmpeg import environment_for_torchcodec
from pictures import FPS, HEIGHT, WIDTH, scene

Frames = npt.NDArray[np.uint8]
READS, WINDOWS, WINDOW = 60, 20, 4
BLOCK = 8
WEAK = (0.7, 3.0)
"""Deviations of brightness within a block of weak texture, in levels of 255."""
LEROBOT = "LeRobot's default AV1"


class Setting(NamedTuple):
    """An encoder, its options without quality, and the qualities that are tried."""

    encoder: str
    options: dict[str, str]
    crfs: tuple[int, ...]


def _x264(preset: str, gop: int, params: str = "", crfs: tuple[int, ...] = (16, 21, 26, 31)) -> Setting:
    own = f"scenecut=0:{params}".rstrip(":")
    return Setting("libx264", {"preset": preset, "g": str(gop), "bf": "0", "x264-params": own}, crfs)


FAST = "cabac=0:no-deblock=1"
ZONES = f"{FAST}:deadzone-inter=32:deadzone-intra=21"
SETTINGS = {
    LEROBOT: Setting("libsvtav1", {"preset": "12", "g": "2", "svtav1-params": "fast-decode=0:lp=1"}, (30,)),
    "superfast g5 (`train`)": _x264("superfast", 5, FAST),
    "superfast g5, with CABAC": _x264("superfast", 5, "no-deblock=1"),
    "superfast g5, deblocking": _x264("superfast", 5, "cabac=0"),
    "superfast g3": _x264("superfast", 3, FAST),
    "superfast g5, dead zones": _x264("superfast", 5, ZONES),
    "ultrafast g5": _x264("ultrafast", 5, FAST),
    "ultrafast g5, dead zones": _x264("ultrafast", 5, ZONES),
    "ultrafast g4, dead zones": _x264("ultrafast", 4, ZONES),
    "ultrafast g3, dead zones": _x264("ultrafast", 3, ZONES),
    "ultrafast g3, dead zones, subme 1": _x264("ultrafast", 3, f"{ZONES}:subme=1"),
    "ultrafast g4, dead zones, subme 1": _x264("ultrafast", 4, f"{ZONES}:subme=1"),
    "ultrafast g4, dead zones, subme 1, AQ 0.5": _x264("ultrafast", 4, f"{ZONES}:subme=1:aq-mode=1:aq-strength=0.5"),
    "ultrafast g4, dead zones, subme 1, AQ 1": _x264("ultrafast", 4, f"{ZONES}:subme=1:aq-mode=1"),
}


def noisy(count: int) -> Frames:
    """Texture, an object, sensor noise of two levels: what other benchmarks use."""
    return np.stack(list(scene(0, count)))


def photo(count: int, noise: float) -> Frames:
    """A photograph that a camera moves across, an object in front of it, noise that is smooth over two pixels."""
    from matplotlib import cbook
    from PIL import Image

    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=True)) as image:
        still = np.asarray(image.convert("RGB").resize((900, 1055), Image.Resampling.BICUBIC), np.float32)
    random = np.random.default_rng(0)
    made = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    for k in range(count):
        top, left = 250 + 180 * math.sin(k / 70), 120 + 100 * math.cos(k / 50)
        frame = _shifted(still, top, left)
        y, x = int(200 + 120 * math.sin(k / 25)), int(300 + 200 * math.cos(k / 30))
        frame[y : y + 60, x : x + 80] = (200, 60, 40)
        if noise:
            grain = random.normal(0, noise, (HEIGHT + 1, WIDTH + 1, 1)).astype(np.float32)
            frame += (grain[1:, 1:] + grain[:-1, 1:] + grain[1:, :-1] + grain[:-1, :-1]) / 2
        made[k] = np.clip(frame.round(), 0, 255)
    return made


def _shifted(still: npt.NDArray[np.float32], top: float, left: float) -> npt.NDArray[np.float32]:
    """A view that begins between pixels."""
    y, x = int(top), int(left)
    v, u = top - y, left - x
    part = still[y : y + HEIGHT + 1, x : x + WIDTH + 1]
    upper = part[:, :-1] * (1 - u) + part[:, 1:] * u
    return upper[:-1] * (1 - v) + upper[1:] * v


def simulated(count: int) -> Frames:
    """The first camera of `telecine record sim`."""
    from telecine.recorder.sim.expert import pick
    from telecine.recorder.sim.play import Play

    play = Play(pick(0, count / FPS), fps=FPS, size=(WIDTH, HEIGHT), render="rays")
    return np.stack([next(iter(step.frames.values())) for step in play.steps(count)])


SCENES: dict[str, Callable[[int], Frames]] = {
    "noisy scene": noisy,
    "photograph, noise": partial(photo, noise=2.5),
    "photograph, clean": partial(photo, noise=0.0),
    "simulator": simulated,
}


@dataclass(slots=True)
class Point:
    """One file: PSNR in dB, SSIM of all blocks and of weak texture, KB and encoding ms a frame, reading ms."""

    psnr: float
    ssim: float
    weak: float
    kb: float
    encode_ms: float
    single_ms: float = math.inf
    window_ms: float = math.inf


def encoded(frames: Frames, setting: Setting, crf: int, path: Path, turns: int) -> Point:
    """Encode to `path`; the least CPU of several times."""
    costs = []
    for _ in range(turns):
        yuv = [_yuv(frame) for frame in frames]
        begin = time.process_time()
        with av.open(str(path), "w") as out:
            stream = out.add_stream(setting.encoder, rate=FPS, options={**setting.options, "crf": str(crf)})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.codec_context.thread_count = 1
            for k, frame in enumerate(yuv):
                frame.pts = k
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        costs.append(time.process_time() - begin)
    psnr, ssim, weak = quality(frames, path)
    return Point(psnr, ssim, weak, path.stat().st_size / 1e3 / len(frames), 1e3 * min(costs) / len(frames))


def _yuv(frame: Frames) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p", dst_color_range=1)


def shown(path: Path) -> Iterator[Frames]:
    """Every frame of a file as RGB."""
    with av.open(str(path)) as source:
        source.streams.video[0].codec_context.thread_count = 1
        for frame in source.decode(source.streams.video[0]):
            yield frame.to_ndarray(format="rgb24")


def quality(frames: Frames, path: Path) -> tuple[float, float, float]:
    """(PSNR of RGB in dB, SSIM of brightness, the same over blocks of weak texture): of every seventh frame."""
    rows = []
    for k, found in enumerate(shown(path)):
        if k % 7 == 0:
            error = np.mean((found.astype(np.float32) - frames[k]) ** 2)
            rows.append([10 * math.log10(255**2 / max(float(error), 1e-3)), *_ssim(frames[k], found)])
    psnr, ssim, weak = np.nanmean(np.array(rows), axis=0)
    return float(psnr), float(ssim), float(weak)


def _ssim(first: Frames, second: Frames) -> tuple[float, float]:
    """SSIM (Wang 2004) of brightness over blocks of 8x8, and over those of weak texture (nan where there are none)."""
    a, b = (_blocks(picture @ np.array([0.299, 0.587, 0.114])) for picture in (first, second))
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    var_a, var_b = a.var(axis=1), b.var(axis=1)
    both = ((a - mean_a[:, None]) * (b - mean_b[:, None])).mean(axis=1)
    one, two = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mean_a * mean_b + one) * (2 * both + two) / ((mean_a**2 + mean_b**2 + one) * (var_a + var_b + two))
    weak = (np.sqrt(var_a) > WEAK[0]) & (np.sqrt(var_a) < WEAK[1])
    return float(found.mean()), float(found[weak].mean()) if weak.any() else math.nan


def _blocks(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    parts = picture.reshape(HEIGHT // BLOCK, BLOCK, WIDTH // BLOCK, BLOCK)
    return parts.swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)


def read(path: Path, count: int, decode: Callable[..., Any]) -> tuple[float, float]:
    """CPU ms (of a single frame, of a window of 4), as LeRobot reads them."""
    random = np.random.default_rng(1)
    singles = [[k / FPS] for k in random.integers(0, count, READS).tolist()]
    windows = [[(k + i) / FPS for i in range(WINDOW)] for k in random.integers(0, count - WINDOW, WINDOWS).tolist()]
    decode(path, [0.0], 1e-4, "torchcodec", return_uint8=True)
    costs = []
    for asked in (singles, windows):
        begin = time.process_time()
        for stamps in asked:
            decode(path, stamps, 1e-4, "torchcodec", return_uint8=True)
        costs.append(1e3 * (time.process_time() - begin) / len(asked))
    return costs[0], costs[1]


def measure(name: str, folder: Path, count: int, turns: int) -> dict[str, list[Point]]:
    """All settings on one scene."""
    from lerobot.datasets.video_utils import decode_video_frames

    frames = SCENES[name](count)
    files: list[tuple[Path, Point]] = []
    found: dict[str, list[Point]] = {}
    for number, (setting, how) in enumerate(SETTINGS.items()):
        for crf in how.crfs:
            path = folder / f"{name.replace(' ', '-')}-{number}-{crf}.mp4"
            files.append((path, encoded(frames, how, crf, path, turns)))
            found.setdefault(setting, []).append(files[-1][1])
    for _ in range(turns):
        for path, point in files:
            single, window = read(path, count, decode_video_frames)
            point.single_ms, point.window_ms = min(point.single_ms, single), min(point.window_ms, window)
    return found


def at_equal_psnr(points: list[Point], psnr: float) -> tuple[Point, bool]:
    """The point between two where PSNR is that (bytes by their logarithm), and whether it lies between."""
    ordered = sorted(points, key=lambda point: point.psnr)
    known = [point.psnr for point in ordered]

    def of(field: str) -> float:
        values = [getattr(point, field) for point in ordered]
        if len(values) == 1:
            return values[0]
        nearest = min(max(int(np.searchsorted(known, psnr)), 1), len(known) - 1)
        share = (psnr - known[nearest - 1]) / (known[nearest] - known[nearest - 1])
        low, high = values[nearest - 1 : nearest + 1]
        if field == "kb":
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return low + share * (high - low)

    fields = ("ssim", "weak", "kb", "encode_ms", "single_ms", "window_ms")
    return Point(psnr, *map(of, fields)), len(points) == 1 or known[0] <= psnr <= known[-1]


def table(name: str, found: dict[str, list[Point]]) -> list[str]:
    """Rows in Markdown: ratios to LeRobot's default, above 1 is cheaper."""
    (base,) = found[LEROBOT]
    rows = []
    for setting, points in found.items():
        point, inside = at_equal_psnr(points, base.psnr)
        singles, windows = base.single_ms / point.single_ms, base.window_ms / point.window_ms
        rows.append(
            f"| {name} | {setting}{'' if inside else ' *'} | {point.encode_ms:.2f} | {singles:.2f} | {windows:.2f} | "
            f"{point.kb:.1f} | {point.ssim:.3f} | {point.weak:.3f} |"
        )
    return rows


def main() -> int:
    """Print the table; lines marked * are extrapolated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", help=f"of: {', '.join(SCENES)} (default: all)")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--crops", type=Path, help="write 4x enlarged crops of weak texture here")
    given = parser.parse_args()
    os.environ["SVT_LOG"] = "1"
    for name, value in environment_for_torchcodec(Path(tempfile.gettempdir())).items():
        if os.environ.get(name) != value:  # the loader reads it when a process starts
            os.environ[name] = value
            os.execv(sys.executable, [sys.executable, *sys.argv])
    import torch

    torch.set_num_threads(1)
    heads = "scene | setting | encode ms | single reads | windows of 4 | KB | SSIM | of weak texture"
    print(f"| {heads} |\n|{'---|' * 8}", flush=True)
    with tempfile.TemporaryDirectory(prefix="frontier-") as folder:
        for name in given.scenes or SCENES:
            print("\n".join(table(name, measure(name, Path(folder), given.frames, given.turns))), flush=True)
            if given.crops:
                crops(name, SCENES[name](4)[3], Path(folder), given.crops)
    print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return 0


def crops(name: str, source: Frames, folder: Path, target: Path) -> None:
    """One picture: the 64x64 pixels with most weak texture of the fourth frame, before and of each file, enlarged."""
    from PIL import Image

    grey = _blocks(source @ np.array([0.299, 0.587, 0.114])).std(axis=1).reshape(HEIGHT // BLOCK, WIDTH // BLOCK)
    weak = ((grey > WEAK[0]) & (grey < WEAK[1])).astype(int)
    sums = np.lib.stride_tricks.sliding_window_view(weak, (8, 8)).sum(axis=(2, 3))
    y, x = (BLOCK * v for v in np.unravel_index(int(sums.argmax()), sums.shape))
    files = sorted(folder.glob(f"{name.replace(' ', '-')}-*-*.mp4"))
    parts = [source, *(list(shown(path))[3] for path in files if path.stem.endswith(("-21", "-30")))]
    row = np.concatenate([part[y : y + 64, x : x + 64] for part in parts], axis=1)
    target.mkdir(parents=True, exist_ok=True)
    Image.fromarray(row).resize((4 * row.shape[1], 256), Image.Resampling.NEAREST).save(target / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
