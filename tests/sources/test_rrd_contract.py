"""Rerun recordings keep the contract of sources, however they were written."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from support.rrd import Vectors, one_of_each, write_rrd
from telecine.sources import registry
from telecine.testing import FileSourceContract, SourceContract

T = np.arange(3, dtype=np.int64) * 33_000_000


class TestRrd(FileSourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, rerun: ModuleType) -> Sequence[str]:
        write_rrd(tmp_path / "in" / "take_10.rrd", one_of_each(), recording_id="a", rows_per_chunk=5)
        write_rrd(tmp_path / "in" / "take_9.rrd", one_of_each(10**9), recording_id="b", rows_per_chunk=64)
        small = {"/joints": Vectors(T, np.ones((3, 2)))}
        write_rrd(tmp_path / "in" / "small.rrd", small, recording_id="c")
        return [str(tmp_path / "in")]


class TestRrdByThePublicReader(TestRrd):
    """What is used with a rerun-sdk whose compiled reader is not as we know it."""

    @pytest.fixture(autouse=True)
    def no_compiled_reader(self, monkeypatch: pytest.MonkeyPatch, rerun: ModuleType) -> None:
        import rerun_bindings

        monkeypatch.delattr(rerun_bindings, "RrdReaderInternal")


class TestRrdWithoutFooter(SourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, rerun: ModuleType) -> Sequence[str]:
        for k in range(2):
            write_rrd(tmp_path / f"{k}.rrd", one_of_each(k), recording_id=f"{k}", rows_per_chunk=5, write_footer=False)
        return [str(tmp_path)]


class TestRrdWithoutFooterTooLargeToKeep(TestRrdWithoutFooter):
    @pytest.fixture(autouse=True)
    def keep_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from telecine.sources.rrd import chunks, payloads

        monkeypatch.setattr(chunks, "CACHE_BYTES", 1)
        monkeypatch.setattr(payloads, "CACHE_BYTES", 1)


def test_footer_or_not_the_same_is_read(tmp_path: Path, rerun: ModuleType) -> None:
    from telecine.testing import read_all

    write_rrd(tmp_path / "a.rrd", one_of_each(), recording_id="a", rows_per_chunk=5)
    write_rrd(tmp_path / "b.rrd", one_of_each(), recording_id="b", rows_per_chunk=3, write_footer=False)
    first, second = registry.find([tmp_path]).refs
    with registry.open(first) as a, registry.open(second) as b:
        assert read_all(a) == read_all(b)


def test_find_does_not_load_rerun_for_nothing() -> None:
    import subprocess

    code = "import sys; from telecine.sources import registry; registry.formats(); sys.exit('rerun' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reading_does_not_load_what_rerun_writes_with(tmp_path: Path, rerun: ModuleType) -> None:
    """Its archetypes take longer to import than a recording of a minute takes to read."""
    import subprocess

    write_rrd(tmp_path / "a.rrd", one_of_each(), recording_id="a")
    read = "[stream.schema for stream in registry.open(registry.find([sys.argv[1]]).refs[0]).streams.values()]"
    code = f"import sys; from telecine.sources import registry; {read}; sys.exit('rerun' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0
