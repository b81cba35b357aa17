"""What pixels say about the colours of JPEG frames, on scenes that robots work in."""

import numpy as np
import pytest

from support.hdf5 import cv2_jpegs, film, jpeg
from telecine.sources.hdf5.jpeg_colours import is_quality_50, jpeg_order, verdict

HEIGHT, WIDTH = 96, 128
GREY, WHITE, BLACK = (120, 122, 125), (215, 216, 214), (25, 26, 28)


def scene(background, *things, light=1.0, seed=0):
    """(HEIGHT, WIDTH, 3) uint8: things (colour, rows, columns) before a background, unevenly lit, with noise."""
    rng = np.random.default_rng(seed)
    rgb = np.broadcast_to(np.array(background, float), (HEIGHT, WIDTH, 3)).copy()
    for colour, rows, columns in things:
        grain = 1 + 0.12 * np.sin(np.arange(WIDTH) / 3 + rng.random())[None, columns, None]
        rgb[rows, columns] = np.array(colour) * grain
    rgb *= light * np.linspace(0.8, 1.1, WIDTH)[None, :, None]
    return np.clip(rgb + rng.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8)


TABLE, HAND, BOX = slice(50, 96), slice(30, 70), slice(20, 50)
WOOD, SKIN, CARDBOARD, BRASS = (178, 132, 90), (205, 150, 125), (190, 150, 105), (181, 150, 70)
TELLING = {
    "wooden table": scene(GREY, (WOOD, TABLE, slice(0, 128))),
    "dark wood": scene(WHITE, ((120, 80, 55), TABLE, slice(0, 128))),
    "hand over a white table": scene(WHITE, (SKIN, HAND, slice(40, 70))),
    "darker hand over a black table": scene(BLACK, ((150, 98, 75), HAND, slice(40, 80))),
    "cardboard box": scene(GREY, (CARDBOARD, BOX, slice(20, 90))),
    "brass under warm light": scene(GREY, (BRASS, BOX, slice(20, 60)), light=0.9),
    "wood with a blue and a red cube": scene(
        GREY, (WOOD, TABLE, slice(0, 128)), ((30, 60, 190), BOX, slice(10, 30)), ((190, 40, 40), BOX, slice(60, 80))
    ),
}
SILENT = {
    "grey": scene(GREY),
    "pure colours": film(1)[0],
    "cubes on grey": scene(GREY, ((200, 30, 30), BOX, slice(10, 40)), ((30, 40, 200), BOX, slice(60, 90))),
    "green felt": scene((40, 140, 70)),
    "wood and as much dull blue cloth": scene(
        GREY, (WOOD, TABLE, slice(0, 64)), (WOOD[::-1], TABLE, slice(64, 128)), seed=3
    ),
}


def told(rgb, exchanged):
    rows = cv2_jpegs(rgb[None]) if exchanged else [jpeg(rgb)]
    return verdict([jpeg_order(np.array([np.frombuffer(rows[0], np.uint8)]))])


@pytest.mark.parametrize("name", TELLING)
def test_warm_things_tell_the_colours(name):
    assert (told(TELLING[name], False), told(TELLING[name], True)) == ("rgb", "bgr")


@pytest.mark.parametrize("name", SILENT)
def test_scenes_that_tell_nothing_are_unknown(name):
    assert (told(SILENT[name], False), told(SILENT[name], True)) == ("unknown", "unknown")


def test_no_frames_and_other_qualities_are_not_quality_50():
    assert not is_quality_50(np.zeros((0, 10), np.uint8))
    assert not is_quality_50(np.frombuffer(jpeg(film(1)[0]), np.uint8)[None])
