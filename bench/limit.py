"""The physical limit of the copy path: read the recordings, hand the packets to FFmpeg's muxer, nothing else.

`python bench/limit.py OUT RECORDING.rrd ...` writes one video per camera: no rows, no statistics, no checks. It imports
the compiled half of rerun-sdk alone and keeps numpy's BLAS from starting threads, as telecine does.
"""

import io
import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from rerun_bindings import RrdReaderInternal

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

FPS = 30


def blobs(column: Any) -> list[memoryview]:
    """The payloads of a `list<list<uint8>>` column, without a copy."""
    offsets = np.frombuffer(column.values.offsets.buffers()[1], np.int32)
    payload = memoryview(column.values.values.buffers()[1])
    return [payload[offsets[k] : offsets[k + 1]] for k in range(len(column))]


def main(out: Path, recordings: list[str]) -> None:
    """All packets of all recordings, one after the other, in one file per camera."""
    out.mkdir(parents=True)
    muxers: dict[str, tuple[Any, Any]] = {}
    written: dict[str, int] = {}
    values = 0
    for path in recordings:
        for chunk in RrdReaderInternal(path).stream():
            if chunk.is_static:
                continue
            batch = chunk.to_record_batch()
            if "Scalars:scalars" in batch.schema.names:
                values += batch.column("Scalars:scalars").values.nbytes
            if "VideoStream:sample" not in batch.schema.names:
                continue
            entity = chunk.entity_path
            payloads = blobs(batch.column("VideoStream:sample"))
            if entity not in muxers:
                muxers[entity] = opened(out / f"{Path(entity).name}.mp4", payloads[0])
            container, stream = muxers[entity]
            for payload in payloads:
                packet = av.Packet(payload)
                packet.stream, packet.time_base = stream, Fraction(1, FPS)
                packet.pts = packet.dts = written.setdefault(entity, 0)
                packet.duration = 1
                packet.is_keyframe = payload[4] & 31 == 7
                container.mux(packet)
                written[entity] += 1
    for container, _ in muxers.values():
        container.close()
    print(f"{values} bytes of values, packets {written}")


def opened(path: Path, first: memoryview) -> tuple[Any, Any]:
    """A container with one H.264 stream like the one that the first packet's parameter sets describe."""
    source = av.open(io.BytesIO(first), format="h264", options={"framerate": str(FPS)})
    container = av.open(str(path), "w")
    return container, container.add_stream_from_template(source.streams.video[0], opaque=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
