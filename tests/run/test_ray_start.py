"""A Ray that does not start is one sentence, whatever it raises."""

import pytest

from telecine.core.errors import DatasetError
from telecine.run.ray import RayCluster


def test_a_node_that_starts_too_slowly_is_named(monkeypatch):
    ray = pytest.importorskip("ray")

    def too_slow(**_):
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", too_slow)
    with pytest.raises(DatasetError, match=r"Ray cannot be reached at this machine: The current node timed out"):
        RayCluster(cpus=1, memory_bytes=1).__enter__()
