"""Recordings held in memory: the quickest test input, with no format in between."""

import numpy as np

from telecine.core.recording import Image, MemoryStream, Recording, Ref, Schema

CLOCK = "real_time"


def seconds(*values):
    """(n,) int64 ns."""
    return np.array([round(v * 1e9) for v in values], np.int64)


def every(hz, stop_s, start_s=0.0):
    """(n,) int64 ns: stamps at `hz` in [start_s, stop_s)."""
    count = int(np.ceil((stop_s - start_s) * hz - 1e-9))
    return np.round(start_s * 1e9 + np.arange(count) * 1e9 / hz).astype(np.int64)


def vector(name, times, values, *, names=None, clock=CLOCK, kind="timestamp"):
    values = np.asarray(values)
    values = values[:, None] if values.ndim == 1 else values
    schema = Schema(values.dtype.name, values.shape[1:], names)
    return MemoryStream(name, "vector", schema, {clock: np.asarray(times, np.int64)}, values, kind)


def ramp(name, times, width=2, *, names=None, clock=CLOCK):
    """A vector whose every element is a function of time: element j is seconds + 100 j."""
    t = np.asarray(times) / 1e9
    return vector(name, times, np.stack([t + 100 * j for j in range(width)], axis=1), names=names, clock=clock)


def text(name, times, values, clock=CLOCK):
    return MemoryStream(name, "text", Schema("string"), {clock: np.asarray(times, np.int64)}, list(values))


def static(name, values, *, kind="vector", names=None):
    values = np.asarray(values)[None] if kind == "vector" else [values]
    schema = Schema(values.dtype.name, values.shape[1:], names) if kind == "vector" else Schema("string")
    return MemoryStream(name, kind, schema, {}, values)


def images(name, times, arrays, clock=CLOCK):
    """Raw RGB pictures, (h, w, 3) uint8 each."""
    values = [Image(a.tobytes(), "rgb24", a.shape[1], a.shape[0]) for a in arrays]
    schema = Schema("uint8", arrays[0].shape, encoding="rgb24")
    return MemoryStream(name, "image", schema, {clock: np.asarray(times, np.int64)}, values)


def recording(*streams, ident="rec", path="mem.rrd"):
    return Recording(Ref("memory", path, ident), {s.name: s for s in streams})
