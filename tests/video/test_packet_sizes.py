"""Sizes of packets from the index of an MP4, as its demuxer gives them; and none where the index does not tell."""

import av
import numpy as np
import pytest

from telecine.video.packet_sizes import packet_sizes


def film(path, codec="libx264", count=12, **options):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options={"g": "5", **options})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            grey = np.full((48, 64, 3), 10 * number, np.uint8)
            grey[:, 4 * number : 4 * number + 8] = 255 - 10 * number
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


def test_sizes_and_keyframes_are_those_of_the_packets(tmp_path):
    path = film(tmp_path / "a.mp4", bf="0")
    with av.open(str(path)) as source:
        packets = [(p.size, p.is_keyframe) for p in source.demux(video=0) if p.size]
    found = packet_sizes(path)
    assert list(zip(found.sizes.tolist(), found.keys.tolist(), strict=True)) == packets
    assert len(packets) == 12


def test_reordered_frames_and_what_is_no_mp4_have_none(tmp_path):
    assert packet_sizes(film(tmp_path / "b.mp4", bf="2")) is None
    assert packet_sizes(tmp_path / "missing.mp4") is None
    (tmp_path / "text.mp4").write_text("no video at all, only text")
    assert packet_sizes(tmp_path / "text.mp4") is None


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_an_index_that_is_damaged_is_no_error(tmp_path, at):
    path = film(tmp_path / "a.mp4", bf="0")
    data = bytearray(path.read_bytes())
    start = data.index(b"stbl") - 60
    for place in range(start + 9 * at, min(start + 9 * at + 4, len(data))):
        data[place] = 0xFF
    path.write_bytes(data)
    found = packet_sizes(path)
    assert found is None or len(found.sizes) == len(found.keys)
    path.write_bytes(data[: start + 9 * at])
    packet_sizes(path)
