"""What libraries alone take of copying recordings, call by call: `python bench/floors.py RECORDING.rrd ...`.

CPU milliseconds of all recordings together, the least of five: the sum is what no converter that keeps the statistics,
the digest and the verification can go below, whatever its own code costs.
"""

import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import av
from limit import blobs
from rerun_bindings import RrdReaderInternal

FPS, TURNS, SAMPLED = 30, 5, 6
Packets = dict[tuple[str, str], list[memoryview]]
"""By recording and camera."""


def main(recordings: Sequence[str], scratch: Path) -> None:
    """A line for each call, and the sum."""
    packets = read(recordings)
    steps: dict[str, Callable[[], object]] = {
        "SHA-256 of the files": lambda: [digest(path) for path in recordings],
        "reading the chunks": lambda: read(recordings),
        "decoding the sampled keyframes, 6 of each camera": lambda: sampled(packets),
        "writing the packets to scratch files": lambda: written(packets, scratch),
        "muxing them, with the index in front": lambda: muxed(packets, scratch),
        "reading the videos packet by packet": lambda: demuxed(scratch),
        "decoding 3 frames of each camera and recording of them": lambda: verified(packets),
    }
    total = 0.0
    for name, step in steps.items():
        least = min(cost_ms(step) for _ in range(TURNS))
        total += least
        print(f"| {name} | {least:.1f} |")
    print(f"| sum | {total:.1f} |\nload {os.getloadavg()[0]:.1f}")


def cost_ms(step: Callable[[], object]) -> float:
    """CPU milliseconds of one call."""
    begin = time.process_time()
    step()
    return 1000 * (time.process_time() - begin)


def digest(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(recordings: Sequence[str]) -> Packets:
    found: Packets = {}
    for path in recordings:
        for chunk in RrdReaderInternal(path).stream():
            if not chunk.is_static and "VideoStream:sample" in (batch := chunk.to_record_batch()).schema.names:
                found.setdefault((path, chunk.entity_path), []).extend(blobs(batch.column("VideoStream:sample")))
    return found


def is_key(packet: memoryview) -> bool:
    return packet[4] & 31 == 7


def decoded(packets: Sequence[memoryview], groups: Sequence[tuple[int, int]]) -> None:
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    for first, stop in groups:
        for packet in packets[first:stop]:
            decoder.decode(av.Packet(packet))
        decoder.decode(None)
        decoder.flush_buffers()


def keys_of(packets: Sequence[memoryview]) -> list[int]:
    return [at for at, packet in enumerate(packets) if is_key(packet)]


def sampled(packets: Packets) -> None:
    for some in packets.values():
        keys = keys_of(some)
        decoded(some, [(at, at + 1) for at in keys[:: max(1, len(keys) // SAMPLED)][:SAMPLED]])


def verified(packets: Packets) -> None:
    for some in packets.values():
        keys = keys_of(some)
        decoded(some, [(at, at + 1) for at in (keys[0], keys[len(keys) // 2])] + [(keys[-1], keys[-1] + 2)])


def written(packets: Packets, scratch: Path) -> None:
    for some in packets.values():
        with (scratch / "clip").open("wb", buffering=0) as file:
            for first in range(0, len(some), 64):
                file.write(b"".join(some[first : first + 64]))


def muxed(packets: Packets, scratch: Path) -> None:
    for number, camera in enumerate(sorted({camera for _, camera in packets})):
        output: Any = av.open(str(scratch / f"{number}.mp4"), "w", format="mp4", options={"movflags": "faststart"})
        mine = [packet for (_, name), some in packets.items() if name == camera for packet in some]
        with av.open(io.BytesIO(mine[0]), format="h264") as source:
            stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
        for count, packet in enumerate(mine):
            made = av.Packet(packet)
            made.stream, made.time_base, made.pts, made.dts = stream, Fraction(1, FPS), count, count
            made.duration, made.is_keyframe = 1, is_key(packet)
            output.mux(made)
        output.close()


def demuxed(scratch: Path) -> None:
    for path in scratch.glob("*.mp4"):
        with av.open(str(path), options={"skip_frame": "all"}) as source:
            for _ in source.demux(source.streams.video[0]):
                pass


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1:], Path(folder))
