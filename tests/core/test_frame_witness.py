"""Frames that are another's by the statistics stored with them."""

import numpy as np
import pytest

from telecine.core.frame_witness import (
    FrameWitness,
    frame_moments,
    frames_problem,
    looks_of,
    looks_of_moments,
    looks_of_some,
    may_be_others,
)

OWN = np.array([0.4, 0.5, 0.6, 0.1, 0.1, 0.1])
OTHER = OWN + np.array([0.05, 0.04, 0, 0, 0, 0])
WITNESS = FrameWitness(OWN, np.array([OWN + 0.2, OTHER]), ("episode 3", "episode 7"))
ALONE = FrameWitness(OWN, np.empty((0, 6)), ())
NOISE = FrameWitness(np.array([0.5, 0.5, 0.5, 0.29, 0.29, 0.29]), np.empty((0, 6)), ())


@pytest.mark.parametrize(
    ("found", "witness", "said"),
    [
        (OWN + 0.004, WITNESS, ""),
        (OTHER - 0.002, WITNESS, "like those of episode 7"),
        (OTHER - 0.03, WITNESS, ""),  # between both: no witness
        (OTHER, ALONE, ""),
        (OWN + 0.1, ALONE, "not those of its frames: found"),
        (OWN - np.array([0, 0, 0, 0.07, 0.07, 0.07]), ALONE, "not those of its frames: found"),
        (np.array([0.5, 0.5, 0.5, 0.2, 0.2, 0.2]), NOISE, ""),  # what a codec leaves of it
        (np.array([0.5, 0.5, 0.46, 0.2, 0.2, 0.2]), NOISE, "not those of its frames: found"),
        (OWN + np.array([0, 0, 0, 0, 0, 0.07]), WITNESS, "expected 0.400, 0.500, 0.600, 0.100, 0.100, 0.170"),
    ],
)
def test_frames_are_anothers_where_its_statistics_fit_far_better(found, witness, said):
    problem = frames_problem(found, witness)
    assert said in problem
    assert bool(said) == bool(problem)


@pytest.mark.parametrize(
    ("found", "witness", "more"),
    [(OWN + 0.01, WITNESS, False), (OTHER - 0.01, WITNESS, True), (OWN - 0.03, WITNESS, False),
     (OWN - 0.07, ALONE, True), (OWN - 0.03, ALONE, False)],
)  # fmt: skip
def test_more_frames_are_looked_at_where_a_few_leave_a_doubt(found, witness, more):
    assert may_be_others(found, witness) is more


def test_means_and_deviations_are_those_of_the_levels():
    counts = np.zeros((3, 256), np.int64)
    counts[:, 0] = counts[0, 255] = 8
    assert looks_of(counts, 2) == pytest.approx([0.5, 0, 0, 0.5, 0, 0])


def test_statistics_of_few_frames_may_miss_what_a_camera_shows_briefly():
    moments = np.array([np.repeat([0.4, 0.16], 3)] * 15 + [np.zeros(6)] * 2)
    found, own = looks_of_moments(moments), np.repeat([0.4, 0.0], 3)
    six, all_of_them = (FrameWitness(own, np.empty((0, 6)), (), count) for count in (6, 17))
    assert frames_problem(found, six, moments) == ""
    assert "not those of its frames" in frames_problem(found, all_of_them, moments)
    assert "not those of its frames" in frames_problem(found, FrameWitness(own + 0.1, np.empty((0, 6)), (), 6), moments)


def test_some_frames_can_look_like_all_that_are_near_their_places():
    moments = np.linspace(0, 1, 61)[:, None] * np.ones(6)
    low, high = looks_of_some(moments, 6)
    assert low[:3] == pytest.approx([0.35, 0.35, 0.35], abs=0.02)
    assert high[:3] == pytest.approx([0.65, 0.65, 0.65], abs=0.02)
    assert looks_of_some(moments, 61) == pytest.approx(np.stack([looks_of_moments(moments)] * 2))


def test_moments_of_a_frame_are_of_all_its_pixels_or_of_a_grid_of_them():
    for size in (4, 900):
        half = np.zeros((size, size, 3), np.uint8)
        half[: size // 2, :, 0] = 255
        assert frame_moments(half) == pytest.approx([0.5, 0, 0, 0.5, 0, 0])
