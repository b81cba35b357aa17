"""Rerun recordings keep the contract of sources, however they were written."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from support.rrd import Columns, Custom, Encoded, Raw, Texts, Vectors, Video, write_rrd

from telecine import sources
from telecine.testing import FileSourceContract, SourceContract

N = 12
T = np.arange(N, dtype=np.int64) * 33_000_000 + 1_700_000_000_000_000_000


def everything(shift_ns: int = 0) -> dict[str, Any]:
    """One stream of every kind, with late samples and several clocks."""
    t = T + shift_ns
    late = t.copy()
    late[[3, 7]] = late[[7, 3]]
    rng = np.random.default_rng(1)
    blobs = [b"\xff\xd8\xff" + bytes([i]) * (i + 1) for i in range(N)]
    return {
        "/joints": Vectors(late, rng.random((N, 3)), names=("a", "b", "c")),
        "/action": Vectors({"real_time": t, "step": np.arange(N), "elapsed": t - t[0]}, rng.random((N, 2))),
        "/task": Texts(None, ["pick the cube"]),
        "/log": Texts(late, [f"line {i}" for i in range(N)], "TextLog"),
        "/camera/front": Video(late, [bytes([i]) * (i + 2) for i in range(N)]),
        "/camera/wrist": Encoded(late, blobs),
        "/camera/top": Raw(t, [rng.integers(0, 255, 24, np.uint8) for _ in range(N)], 4, 2),
        "/arm": Custom(t, "schemas.proto.JointState", {"joint_positions": rng.random((N, 7)), "ok": t > t[5]}),
        "/pose": Columns(t, "Transform3D", {"translation": rng.random((N, 3))}),
        "/origin": Vectors(None, [[1.0, 2.0]]),
    }


class TestRrd(FileSourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, rerun: ModuleType) -> Sequence[str]:
        write_rrd(tmp_path / "in" / "take_10.rrd", everything(), recording_id="a", rows_per_chunk=5)
        write_rrd(tmp_path / "in" / "take_9.rrd", everything(10**9), recording_id="b", rows_per_chunk=64)
        small = {"/joints": Vectors(T[:3], np.ones((3, 2)))}
        write_rrd(tmp_path / "in" / "small.rrd", small, recording_id="c")
        return [str(tmp_path / "in")]


class TestRrdWithoutFooter(SourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, rerun: ModuleType) -> Sequence[str]:
        for k in range(2):
            write_rrd(tmp_path / f"{k}.rrd", everything(k), recording_id=f"{k}", rows_per_chunk=5, write_footer=False)
        return [str(tmp_path)]


class TestRrdWithoutFooterTooLargeToKeep(TestRrdWithoutFooter):
    @pytest.fixture(autouse=True)
    def keep_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from telecine.sources import rrd_chunks, rrd_streams

        monkeypatch.setattr(rrd_chunks, "KEEP_BYTES", 1)
        monkeypatch.setattr(rrd_streams, "KEEP_BYTES", 1)


class TestCatalog(SourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, catalog_url: Any) -> Sequence[str]:
        files = [
            write_rrd(tmp_path / f"{k}.rrd", everything(k), recording_id=f"seg-{k}", rows_per_chunk=5) for k in range(2)
        ]
        return [catalog_url({"my set": files}, "my set")]


def test_footer_or_not_the_same_is_read(tmp_path: Path, rerun: ModuleType) -> None:
    from telecine.testing import read_all

    write_rrd(tmp_path / "a.rrd", everything(), recording_id="a", rows_per_chunk=5)
    write_rrd(tmp_path / "b.rrd", everything(), recording_id="b", rows_per_chunk=3, write_footer=False)
    first, second = sources.find([tmp_path]).refs
    with sources.open(first) as a, sources.open(second) as b:
        assert read_all(a) == read_all(b)


def test_find_does_not_load_rerun_for_nothing() -> None:
    import subprocess

    code = "import sys; from telecine import sources; sources.formats(); sys.exit('rerun' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
