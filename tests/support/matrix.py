"""Small Rerun recordings of every kind that a proposal has to deal with: clocks x rates x cameras x faults.

Element 0 of action and state is the sample's true time in s, and every frame shows its number, so that what a row
shows is known without telecine. Written by rerun-sdk alone.
"""

import io
import random
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import av
import numpy as np

from support.pictures import draw_frame_id, to_jpeg
from support.video import x264, x265

ORIGIN_NS = 1_760_000_000_000_000_000
CLOCKS = ("timestamp", "duration", "offline", "stale", "live", "both", "steps")
"""How time is logged. offline: durations beside a log_time written as fast as the disk; stale: a clock that stands
still beside durations; live: one that stands still beside a live log_time; both: two good ones; steps: counts, and a
log_time written offline."""
RATES = ((30, 50), (10, 100), (15, 15))
"""(camera, joints) in Hz."""
CAMERAS = ("none", "h264", "h265", "depth", "raw", "odd", "mid_gop", "jpeg", "film")
FAULTS = ("none", "late", "pause", "lacking", "width", "short", "tensor", "cut")
"""What is wrong, in one of three recordings but for late, pause and tensor: the camera starts late; all pause; no
camera; wider joints (in the first, which must not set the width); a tenth of a second; a stream that cannot be read;
half a file."""
SECONDS = 2.0
PAUSE_S = 3.0
RECORDINGS = 3


@dataclass(frozen=True)
class Case:
    """One input: some recordings in a folder."""

    clock: str
    rates: tuple[int, int]
    camera: str
    fault: str

    @property
    def name(self) -> str:
        return f"{self.clock}-{self.rates[0]}-{self.rates[1]}-{self.camera}-{self.fault}"

    @property
    def odd(self) -> int:
        """The recording that is wrong."""
        return 0 if self.fault == "width" else RECORDINGS - 1

    @property
    def rate(self) -> int | None:
        """What has to be given with --rate: steps are those of the camera."""
        return self.rates[0] if self.clock == "steps" else None


def every_case() -> list[Case]:
    """All that make sense: without a camera none can be late or lacking; steps have no pauses and one rate."""
    cases = [Case(*parts) for parts in product(CLOCKS, RATES, CAMERAS, FAULTS)]
    return [c for c in cases if not (c.camera == "none" and c.fault in ("late", "lacking")) and _counts(c)]


def _counts(case: Case) -> bool:
    return case.clock != "steps" or (case.rates[0] == case.rates[1] and case.fault not in ("late", "pause"))


def many_cases() -> list[Case]:
    """400 of all, always the same."""
    return random.Random(0).sample(every_case(), 400)


def few_cases() -> list[Case]:
    """Every value of every dimension, and every fault with two clocks, in as few cases as show that."""
    cases = every_case()
    chosen = [c for c in cases if c.rates == RATES[0] and c.camera == "h264" and c.fault == "none"]
    for number, fault in enumerate(FAULTS):
        for shift in (0, 3):
            clock, rates = CLOCKS[(number + shift) % len(CLOCKS)], RATES[(number + shift) % len(RATES)]
            camera = CAMERAS[1 + (number + shift) % (len(CAMERAS) - 1)]
            chosen += [c for c in cases if (c.clock, c.rates, c.camera, c.fault) == (clock, rates, camera, fault)]
    steps = [c for c in cases if c.clock == "steps" and c.camera in ("jpeg", "none") and c.fault in ("none", "width")]
    return list(dict.fromkeys([*chosen, *steps]))


def times_of(case: Case, hz: float, *, start_s: float = 0.0, stop_s: float = SECONDS) -> np.ndarray:
    """(n,) true times in s, with the pause where there is one."""
    times = start_s + np.arange(int(np.ceil((stop_s - start_s) * hz - 1e-9))) / hz
    return np.concatenate([times, times + stop_s + PAUSE_S]) if case.fault == "pause" else times


def write(case: Case, folder: Path, rerun) -> dict[str, dict[str, np.ndarray]]:
    """The recordings in `folder`; file name -> {"action", "state", "camera"} -> (n,) true times in s."""
    folder.mkdir(parents=True)
    truth = {}
    for number in range(RECORDINGS):
        odd = number == case.odd
        stop_s = 0.1 if case.fault == "short" and odd else SECONDS
        camera_hz, arm_hz = case.rates
        lag = 0.0 if case.clock == "steps" else 0.0013 * (number + 1)
        times = {
            "action": times_of(case, arm_hz, start_s=lag, stop_s=stop_s),
            "state": times_of(case, arm_hz, start_s=2 * lag, stop_s=stop_s),
        }
        if case.camera != "none" and not (case.fault == "lacking" and odd):
            late = 0.8 if case.fault == "late" else 0.0
            times["camera"] = times_of(case, camera_hz, start_s=late + 3 * lag, stop_s=stop_s)
        truth[f"r{number}.rrd"] = times
        path = folder / f"r{number}.rrd"
        _write_one(case, path, times, number, odd, rerun)
        if case.fault == "cut" and odd:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return truth


def _write_one(case, path, times, number, odd, rerun):
    with rerun.RecordingStream("telecine_matrix", recording_id=f"{case.name}-{number}") as recording:
        recording.save(str(path))
        width = 3 if case.fault == "width" and odd else 2
        for entity in ("action", "state"):
            t = times[entity]
            values = np.stack([t, np.sin(t), np.cos(t)], axis=1)[:, :width]
            recording.send_columns(f"/{entity}", _index(case, t, rerun), rerun.Scalars.columns(scalars=values))
        if "camera" in times:
            _log_camera(case, recording, times["camera"], number, rerun)
        if case.fault == "tensor":
            tensor = rerun.Tensor(np.zeros((2, 2, 2), np.float32))
            recording.set_time("real_time", timestamp=np.datetime64(ORIGIN_NS, "ns"))
            recording.log("/map", tensor)


def _index(case, t, rerun):
    """The time columns of a stream's samples."""
    elapsed = np.round(t * 1e9).astype("timedelta64[ns]")
    stamps = ORIGIN_NS + np.round(t * 1e9).astype(np.int64).astype("timedelta64[ns]").astype(np.int64)
    burst = ORIGIN_NS + np.cumsum(np.random.default_rng(t.size).exponential(9e4, t.size)).astype(np.int64)
    stamp = lambda name, ns: rerun.TimeColumn(name, timestamp=np.asarray(ns).astype("datetime64[ns]"))  # noqa: E731
    duration = rerun.TimeColumn("elapsed", duration=elapsed)
    still = rerun.TimeColumn("episode_time", duration=np.zeros(t.size, "timedelta64[ns]"))
    match case.clock:
        case "timestamp":
            return [stamp("real_time", stamps)]
        case "duration":
            return [duration]
        case "offline":
            return [duration, stamp("log_time", burst)]
        case "stale":
            return [still, duration]
        case "live":
            return [still, stamp("log_time", stamps)]
        case "both":
            return [stamp("real_time", stamps), duration]
    return [rerun.TimeColumn("step", sequence=np.arange(t.size)), stamp("log_time", burst)]


def _log_camera(case, recording, t, number, rerun):
    size = (65, 49) if case.camera == "odd" else (64, 48)
    index = _index(case, t, rerun)
    if case.camera in ("h264", "h265", "mid_gop"):
        coder, codec = (x265, rerun.VideoCodec.H265) if case.camera == "h265" else (x264, rerun.VideoCodec.H264)
        skipped = 3 if case.camera == "mid_gop" else 0
        options = {"params": "open-gop=0"} if case.camera == "h265" else {}
        packets = coder(t.size + skipped, gop=10, size=size, **options)[skipped:]
        recording.log("/cam/front", rerun.VideoStream(codec=codec), static=True)
        recording.send_columns("/cam/front", index, rerun.VideoStream.columns(sample=packets))
        return
    if case.camera == "depth":
        depth = np.full((size[1], size[0]), 500, np.uint16)
        form = rerun.components.ImageFormat(
            width=size[0], height=size[1], channel_datatype=rerun.ChannelDatatype.U16, color_model=rerun.ColorModel.L
        )
        recording.log("/cam/front", rerun.DepthImage.from_fields(format=form, meter=1000.0), static=True)
        buffers = [(depth + 10 * k).tobytes() for k in range(t.size)]
        recording.send_columns("/cam/front", index, rerun.DepthImage.columns(buffer=buffers))
        return
    shots = [draw_frame_id(k, number, 0, *size) for k in range(t.size)]
    if case.camera == "raw":
        form = rerun.components.ImageFormat(
            width=size[0], height=size[1], channel_datatype=rerun.ChannelDatatype.U8, color_model=rerun.ColorModel.RGB
        )
        recording.log("/cam/front", rerun.Image.from_fields(format=form), static=True)
        recording.send_columns("/cam/front", index, rerun.Image.columns(buffer=[s.tobytes() for s in shots]))
        return
    if case.camera == "film":
        film = rerun.AssetVideo(contents=_mp4(shots), media_type="video/mp4")
        recording.log("/cam/front", film, static=True)
        shown = rerun.VideoFrameReference.columns(timestamp=film.read_frame_timestamps_nanos())
        recording.send_columns("/cam/front", index, shown)
        return
    recording.log("/cam/front", rerun.EncodedImage.from_fields(media_type="image/jpeg"), static=True)
    recording.send_columns("/cam/front", index, rerun.EncodedImage.columns(blob=[to_jpeg(s) for s in shots]))


def _mp4(shots):
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as target:
        stream = target.add_stream("libx264", rate=30, options={"x264-params": "bframes=0:keyint=10", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = shots[0].shape[1], shots[0].shape[0], "yuv420p"
        for shot in shots:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(shot, format="rgb24")))
        target.mux(stream.encode(None))
    return file.getvalue()
