"""A Rerun catalog server on loopback."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.register_assert_rewrite("telecine.testing")


@pytest.fixture
def catalog_url(catalog: ModuleType) -> Iterator[Callable[[Mapping[str, Sequence[Path]], str], str]]:
    """Start a server with datasets (name -> files); gives the address of the dataset asked for."""
    from rerun.server import Server

    from telecine.sources.rrd.catalog import dataset_url

    running: list[Any] = []

    def start(datasets: Mapping[str, Sequence[Path]], name: str) -> str:
        served = {key: [str(path) for path in files] for key, files in datasets.items()}
        server = Server(host="127.0.0.1", datasets=served)
        running.append(server)
        return dataset_url(server.url(), name)

    yield start
    for server in running:
        server.shutdown()
