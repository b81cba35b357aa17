"""Rerun recordings that were just written, and a catalog server on loopback."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.page_contract import shows_every_stream
from support.rrd import write_rrd
from telecine.core.recording import Recording
from telecine.sources import registry

pytest.register_assert_rewrite("telecine.testing")

from telecine.testing import SourceContract  # noqa: E402  # its asserts are rewritten from here on


def shown(_contract: SourceContract, places: Sequence[str]) -> None:
    """A test of every contract here: the page of `telecine view` shows all formats. Authors of others need no page."""
    for place in places:
        shows_every_stream(place)


SourceContract.test_the_page_shows_every_stream = shown  # type: ignore[attr-defined]


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


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[..., Recording]]:
    """Write streams as .rrd files and open them again."""
    opened: list[Recording] = []

    def write(logged: Mapping[str, Any], **options: Any) -> Recording:
        path = write_rrd(tmp_path / f"{len(opened)}.rrd", logged, **options)
        opened.append(registry.open(registry.find([path]).refs[0]))
        return opened[-1]

    yield write
    for recording in opened:
        recording.close()
