"""The limit of encoding JPEG cameras: `python bench/jpeg_limit.py EPISODES SECONDS` decodes and encodes, nothing else.

Two 320x240 cameras in memory, with the decoder, the encoder, the settings and the conversion of colours that `convert`
uses. Prints the CPU seconds of that alone.
"""

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import av
from pictures import FPS, small_jpegs

from telecine.video.encoder import open_encoder
from telecine.video.presets import encoder_options, video_settings


def main(episodes: int, seconds: int) -> None:
    """Every camera of every episode with an encoder of its own."""
    setup = encoder_options(video_settings("train"))
    cameras = list(small_jpegs(seconds).values())
    begin, size = time.process_time(), 0
    for pictures in episodes * cameras:
        decoder = av.CodecContext.create("mjpeg", "r")
        decoder.thread_count = 1
        encoder = open_encoder(setup, (320, 240), FPS, key="limit")
        for k, picture in enumerate(pictures):
            (frame,) = decoder.decode(av.Packet(picture))
            frame = frame.reformat(format="yuv420p", dst_color_range=1)
            frame.pts, frame.time_base, frame.pict_type = k, encoder.time_base, 0
            size += sum(packet.size for packet in encoder.encode(frame))
        size += sum(packet.size for packet in encoder.encode(None))
    print(time.process_time() - begin, size)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
