"""A bucket on loopback, a proxy that can fail before it, and a scratch folder of the test's own."""

import uuid

import pytest

from conftest import needs
from support.stores import Bucket, environment, proxy_before, s3_server
from telecine.storage import addressed


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory):
    needs("obstore", "cloud")
    needs("moto", "reference")
    needs("boto3", "reference")
    with s3_server(tmp_path_factory.mktemp("moto") / "log") as port:
        yield port


@pytest.fixture(scope="session")
def relay(s3_port):
    with proxy_before(s3_port) as server:
        yield server


@pytest.fixture
def proxy(relay):
    """Fails on demand (`reset`), and counts bytes."""
    relay.reset()
    yield relay
    relay.reset()


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where local copies go; it has to be empty at the end."""
    folder = tmp_path / "scratch"
    monkeypatch.setenv("TELECINE_SCRATCH", str(folder))
    return folder


@pytest.fixture
def bucket(s3_port, proxy, scratch, monkeypatch):
    """A new bucket, reached through the proxy."""
    for name, value in environment(proxy.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("telecine.storage.attempts.FIRST_PAUSE_S", 0.01)
    addressed._store.cache_clear()
    yield Bucket(f"b-{uuid.uuid4().hex[:12]}", f"http://127.0.0.1:{s3_port}")
    addressed._store.cache_clear()
