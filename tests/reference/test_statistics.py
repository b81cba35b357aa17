"""Our statistics against LeRobot's own `compute_stats` on the same values."""

import importlib

import numpy as np
import pytest

from telecine.core.stats import QUANTILES, STATISTICS, camera_stats, column_stats


@pytest.fixture
def compute_stats():
    return importlib.import_module("lerobot.datasets.compute_stats")


def lerobot_stats(compute_stats, values: np.ndarray) -> dict[str, np.ndarray]:
    return compute_stats.get_feature_stats(values, axis=0, keepdims=values.ndim == 1)


def assert_alike(ours: dict[str, list], theirs: dict[str, np.ndarray]) -> None:
    """Equal but for LeRobot's float32 sums and float32 bin edges."""
    assert set(ours) == set(theirs) == set(STATISTICS)
    low, high = np.asarray(theirs["min"], float), np.asarray(theirs["max"], float)
    scale = np.maximum(np.abs(low), np.abs(high))
    for name in STATISTICS:
        mine, expected = np.asarray(ours[name], float), np.asarray(theirs[name], float)
        assert mine.shape == expected.shape, name
        allowed = (high - low) / 5000 * 2 if name in QUANTILES else 1e-5 * scale
        assert np.all(np.abs(mine - expected) <= allowed + 1e-6), name


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(5, 2, (900, 7)).astype(np.float32),
        np.random.default_rng(1).uniform(-1, 1, 300).astype(np.float32),
        np.random.default_rng(2).normal(size=(40, 3, 4)).astype(np.float32),
        np.random.default_rng(3).integers(0, 9, 200),
        (np.arange(50) % 7 == 0)[:, None],
        np.full((30, 2), 0.25, np.float32),
        np.array([[1.5, -2.0]], np.float32),
    ],
    ids=["vector", "scalar", "two dimensions", "integers", "bools", "constant", "one row"],
)
def test_a_column_has_the_statistics_that_lerobot_computes(compute_stats, values):
    assert_alike(column_stats(values).lists(), lerobot_stats(compute_stats, values))


def test_pictures_have_the_statistics_that_lerobot_computes(compute_stats):
    shades = np.random.default_rng(4).normal([90, 128, 200], 25, (20, 24, 32, 3))
    pictures = np.clip(shades, 3, 250).astype(np.uint8)
    theirs = compute_stats.get_feature_stats(pictures.transpose(0, 3, 1, 2), axis=(0, 2, 3), keepdims=True)
    theirs = {k: v if k == "count" else np.squeeze(v / 255.0, axis=0) for k, v in theirs.items()}
    histogram = np.stack([np.bincount(pictures[..., channel].ravel(), minlength=256) for channel in range(3)])
    ours = camera_stats(histogram, len(pictures)).lists()
    for name in STATISTICS:
        assert np.shape(ours[name]) == theirs[name].shape, name
        # float32 sums over all pixels; quantiles differ by the rounding of LeRobot's float32 bin edges.
        assert np.allclose(ours[name], theirs[name], rtol=0, atol=2e-3), name


def test_pooled_moments_are_those_of_lerobots_aggregation(compute_stats):
    rng = np.random.default_rng(5)
    parts = [rng.normal(i, 1 + i, (20 * i + 5, 3)).astype(np.float32) for i in range(4)]
    theirs = compute_stats.aggregate_feature_stats([lerobot_stats(compute_stats, part) for part in parts])
    moments = column_stats(parts[0]).moments
    for part in parts[1:]:
        moments = moments.pooled(column_stats(part).moments)
    for name, mine in (("min", moments.low), ("max", moments.high), ("mean", moments.mean), ("std", moments.std)):
        assert np.allclose(mine, theirs[name], rtol=1e-5, atol=1e-5), name
    assert moments.count == int(theirs["count"][0])
