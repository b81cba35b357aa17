"""Frames of Blosc: sound ones are let through, and none that is let through ends the process."""

import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.sources.zarr.blosc import MOST_BYTES, blosc_fault

CODECS = ("lz4", "lz4hc", "blosclz", "zlib", "zstd")
settings = st.fixed_dictionaries(
    {
        "cname": st.sampled_from(CODECS),
        "clevel": st.integers(0, 9),
        "shuffle": st.sampled_from((0, 1, 2)),
        "blocksize": st.sampled_from((0, 16, 256, 1000, 1 << 16)),
    }
)
arrays = st.builds(
    lambda kind, count, seed: (np.random.default_rng(seed).integers(0, 1 + seed % 200, count)).astype(kind),
    st.sampled_from(("u1", "<i2", "<f4", "<f8")),
    st.integers(0, 30_000),
    st.integers(0, 1000),
)


@given(arrays, settings)
def test_every_sound_frame_has_no_fault(zarr, array, how):
    from numcodecs.blosc import Blosc

    assert blosc_fault(Blosc(**how).encode(array)) == ""


@given(arrays, settings, st.data())
def test_a_frame_that_is_cut_anywhere_has_a_fault(zarr, array, how, data):
    from numcodecs.blosc import Blosc

    frame = Blosc(**how).encode(array)
    assert blosc_fault(frame[: data.draw(st.integers(0, len(frame) - 1))])


@given(arrays, settings, st.integers(1, (1 << 31)))
def test_a_frame_that_says_it_is_longer_has_a_fault(zarr, array, how, more):
    from numcodecs.blosc import Blosc

    frame = Blosc(**how).encode(array)
    said = (len(frame) + more).to_bytes(4, "little")
    assert "bytes" in blosc_fault(frame[:12] + said + frame[16:])


@given(st.binary(max_size=64))
def test_any_bytes_have_an_answer(data):
    assert isinstance(blosc_fault(data), str)


@pytest.mark.parametrize(
    ("at", "value", "fault"),
    [
        (0, 1, "version 1"),
        (0, 255, "version 255"),
        (3, 0, "elements of 0"),
        (4, MOST_BYTES + 1, "unpacks to 1073741825 bytes"),
        (4, 1 << 20, "blocks do not fit"),
        (8, 0, "blocks of 0 bytes"),
        (8, 1, "blocks do not fit"),
        (12, 401, "a frame says it has 401 bytes, 400 are there"),
        (8, 5000, "blocks of 5000 bytes"),
        (16, 0, "1 of 4 blocks begins outside"),
        (20, 1 << 31, "1 of 4 blocks begins outside"),
        (28, 31, "1 of 4 blocks begins outside"),
    ],
)
def test_what_a_fault_is_called(at, value, fault):
    frame = bytearray(struct.pack("<4B3I4I", 2, 1, 0x21, 1, 4096, 1024, 400, 32, 100, 200, 300) + bytes(368))
    assert blosc_fault(frame) == ""
    size = 4 if at >= 4 else 1
    frame[at : at + size] = value.to_bytes(size, "little")
    assert fault in blosc_fault(frame)


def test_a_frame_without_compression_has_exactly_its_data(zarr):
    from numcodecs.blosc import Blosc

    frame = bytearray(Blosc(clevel=0).encode(np.arange(100, dtype="u1")))
    assert blosc_fault(frame) == ""
    frame[4] = 101
    assert blosc_fault(frame) == "116 bytes cannot store 101 as they are"


TRY = """
import random, sys
import numpy as np
from support.mutants import mutated
from telecine.sources.zarr.codecs import CheckedBlosc

rng, seen = random.Random(int(sys.argv[1])), {"data": 0, "error": 0}
for _ in range(300):
    how = {"cname": rng.choice(sys.argv[2:]), "clevel": rng.choice((0, 1, 5)), "shuffle": rng.randrange(3)}
    codec = CheckedBlosc(**how, blocksize=rng.choice((0, 256, 1000)))
    array = np.arange(rng.choice((7, 300, 9000)), dtype=rng.choice(("u1", "<f4", "<i8"))) // rng.choice((1, 50))
    frame = codec.encode(array)
    for _ in range(30):
        damaged = mutated(frame, rng)
        if rng.randrange(2):
            damaged = bytearray(frame)
            damaged[rng.randrange(min(len(frame), 40))] = rng.randrange(256)
        try:
            codec.decode(bytes(damaged))
            seen["data"] += 1
        except (ValueError, RuntimeError):
            seen["error"] += 1
print(seen["data"], seen["error"])
"""


def test_no_damaged_frame_ends_the_process(zarr):
    seed = random.Random(4).randrange(1000)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", TRY, str(seed), *CODECS],
        capture_output=True, text=True, timeout=300, check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    data, error = map(int, done.stdout.split())
    assert data > 1000
    assert error > 1000
    assert data + error == 9000
