"""MCAP files keep the contract of sources, however they were written."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.mcap import START_NS, some_messages, write_mcap
from telecine.testing import FileSourceContract, SourceContract


class TestMcap(FileSourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, mcap: ModuleType) -> Sequence[str]:
        write_mcap(tmp_path / "in" / "take_10.mcap", some_messages(40), chunk_size=2000)
        write_mcap(tmp_path / "in" / "take_9.mcap", some_messages(40, start_ns=START_NS + 7))
        write_mcap(tmp_path / "in" / "small.mcap", some_messages(3), chunk_size=400)
        return [str(tmp_path / "in")]


def _options(**more: Any) -> dict[str, Any]:
    from mcap.writer import CompressionType, IndexType

    return {
        "none": {"compression": CompressionType.NONE},
        "lz4": {"compression": CompressionType.LZ4},
        "unchunked": {"use_chunking": False},
        "bare": {
            "index_types": IndexType.NONE,
            "use_statistics": False,
            "use_summary_offsets": False,
            "repeat_channels": False,
            "repeat_schemas": False,
            "enable_crcs": False,
        },
    } | more


@pytest.mark.parametrize("how", ["none", "lz4", "unchunked", "bare"])
class TestMcapOfOtherWriters(SourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, mcap: ModuleType, how: str) -> Sequence[str]:
        for k in range(2):
            write_mcap(tmp_path / f"{k}.mcap", some_messages(20, start_ns=START_NS + k), **_options()[how])
        return [str(tmp_path)]


@pytest.mark.parametrize("how", ["none", "unchunked", "bare"])
class TestDamageToMcapOfOtherWriters(FileSourceContract):
    @pytest.fixture
    def places(self, tmp_path: Path, mcap: ModuleType, how: str) -> Sequence[str]:
        for k in range(2):
            write_mcap(tmp_path / f"{k}.mcap", some_messages(5, start_ns=START_NS + k), **_options()[how])
        return [str(tmp_path)]


def test_find_loads_no_library_of_messages_for_nothing() -> None:
    import subprocess

    code = (
        "import sys; from telecine.sources import registry; registry.formats();"
        "sys.exit(any(m in sys.modules for m in ('rosbags', 'zstandard', 'lz4', 'google.protobuf')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
