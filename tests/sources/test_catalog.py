"""Reading from a Rerun catalog server, rerun-sdk's own, on loopback."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from support.rrd import Texts, Vectors, one_of_each, write_rrd
from telecine.core.errors import PlanError, SourceError
from telecine.core.recording import Ref
from telecine.sources import registry
from telecine.sources.rrd import catalog as room
from telecine.testing import SourceContract, read_all

T = np.arange(10, dtype=np.int64) * 10**8


@pytest.mark.parametrize(
    ("url", "server", "dataset", "segment"),
    [
        ("rerun+http://127.0.0.1:51234/dataset/pick", "rerun+http://127.0.0.1:51234", "pick", ""),
        ("rerun://host/dataset/my%20set/", "rerun://host", "my set", ""),
        ("rerun+https://h:1/dataset/a?segment_id=s%2F1", "rerun+https://h:1", "a", "s/1"),
        ("rerun+http://h:1/entry/187A", "rerun+http://h:1", "187A", ""),
    ],
)
def test_addresses(url: str, server: str, dataset: str, segment: str) -> None:
    assert room.claims(url)
    assert room.parse(url) == room.Address(server, dataset, segment)


@pytest.mark.parametrize("url", ["rerun+http://host:1", "rerun+http://host:1/other/x", "rerun:///dataset/x"])
def test_an_address_that_is_none_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(SourceError, match=r"expected rerun\+http://host:port/dataset/NAME"):
        room.parse(url)
    assert "expected rerun+http" in registry.find([url]).findings[0].message


def test_names_with_signs_survive_the_address() -> None:
    url = room.dataset_url("rerun+http://h:1/", "a b/ü?")
    assert room.parse(url).dataset == "a b/ü?"


def test_files_and_other_schemes_are_not_claimed() -> None:
    assert not room.claims("recordings/a.rrd")
    assert not room.claims("https://host/dataset/x")


def write(folder: Path, count: int = 2) -> list[Path]:
    logged = [{"/j": Vectors(T, np.full((10, 2), k)), "/task": Texts(None, [f"task {k}"])} for k in range(count)]
    return [write_rrd(folder / f"{k}.rrd", logged[k], recording_id=f"seg-{k}", name=f"n{k}") for k in range(count)]


def test_a_server_gives_what_the_files_give(tmp_path: Path, catalog_url: Any, segments: None) -> None:
    files = write(tmp_path)
    url = catalog_url({"set": files}, "set")
    found = registry.find([url])
    assert [(ref.format, ref.path, ref.id) for ref in found.refs] == [
        ("catalog", url, "seg-0"), ("catalog", url, "seg-1"),
    ]  # fmt: skip
    for remote, local in zip(found.refs, registry.find(files).refs, strict=True):
        with registry.open(remote) as a, registry.open(local) as b:
            assert read_all(a) == read_all(b)
            assert a.attrs["name"] == b.attrs["name"]


def test_one_segment_can_be_named(tmp_path: Path, catalog_url: Any) -> None:
    url = catalog_url({"set": write(tmp_path)}, "set")
    assert [ref.id for ref in registry.find([f"{url}?segment_id=seg-1"]).refs] == ["seg-1"]
    (finding,) = registry.find([f"{url}?segment_id=seg-7"]).findings
    assert "no segment 'seg-7'; it has 2: seg-0, seg-1" in finding.message


def test_an_unknown_dataset_names_the_known_ones(tmp_path: Path, catalog_url: Any) -> None:
    url = catalog_url({"set": write(tmp_path, 1)}, "sett")
    (finding,) = registry.find([url]).findings
    assert finding.severity == "error"
    assert "no dataset 'sett'; the server has: set" in finding.message


def test_a_dataset_by_the_id_that_rerun_shows(tmp_path: Path, catalog_url: Any) -> None:
    from rerun.catalog import CatalogClient

    address = room.parse(catalog_url({"set": write(tmp_path, 1)}, "set"))
    entry = str(CatalogClient(address.server).get_dataset("set").id)
    assert [ref.id for ref in registry.find([f"{address.server}/dataset/{entry}"]).refs] == ["seg-0"]
    (finding,) = registry.find([f"{address.server}/dataset/{'0' * 32}"]).findings
    assert finding.severity == "error"


def test_a_server_that_is_not_there_is_a_finding(catalog: ModuleType) -> None:
    (finding,) = registry.find(["rerun+http://127.0.0.1:1/dataset/x"]).findings
    assert finding.code == "source-unreadable"
    assert "127.0.0.1:1" in finding.where


def test_the_token_is_in_no_message(catalog: ModuleType) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
    found = registry.find(["rerun+http://127.0.0.1:1/dataset/x"], token=token)
    assert token not in repr(found)
    secret = Ref("catalog", "rerun+http://127.0.0.1:1/dataset/x", "seg", token=token)
    with pytest.raises(SourceError) as caught:
        registry.open(secret)
    chain: list[BaseException] = [caught.value]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    assert all(token not in str(error) for error in chain)


def test_a_token_inside_an_error_is_struck_out() -> None:
    from telecine.sources.rrd import sdk

    error = ValueError("bad token abc123 for server\nmore about abc123")
    assert sdk.first_line(error, "abc123") == "bad token *** for server"
    assert sdk.without(error, "abc123") is None
    assert sdk.without(error, None) is error


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    for address in ("rerun+http://me:word@127.0.0.1:1/dataset/x", "rerun://127.0.0.1:1/dataset/x?token=word"):
        with pytest.raises(PlanError, match="secrets do not belong in an address") as caught:
            registry.find([address])
        assert "word" not in str(caught.value)


def test_a_segment_that_went_away_is_a_source_error(tmp_path: Path, catalog_url: Any, segments: None) -> None:
    from dataclasses import replace

    ref = registry.find([catalog_url({"set": write(tmp_path, 1)}, "set")]).refs[0]
    with pytest.raises(SourceError, match="gone"):
        registry.open(replace(ref, id="gone"))


def test_an_sdk_without_segments_says_which_one_has_them(
    tmp_path: Path, catalog_url: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = registry.find([catalog_url({"set": write(tmp_path, 1)}, "set")]).refs[0]
    monkeypatch.setattr(room, "_dataset", lambda where, token: object())
    with pytest.raises(SourceError, match=r"needs rerun-sdk 0\.34 or newer"):
        registry.open(ref)


class TestCatalog(SourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, catalog_url: Any, segments: None) -> Sequence[str]:
        files = [
            write_rrd(tmp_path / f"{k}.rrd", one_of_each(k), recording_id=f"seg-{k}", rows_per_chunk=5)
            for k in range(2)
        ]
        return [catalog_url({"my set": files}, "my set")]
