"""FFmpeg for torchcodec, found the way the tests find it."""

import importlib.util
from pathlib import Path

SHARED = Path(__file__).parents[1] / "tests" / "support" / "torchcodec_libs.py"


def environment_for_torchcodec(parent: Path) -> dict[str, str]:
    """Variables under which torchcodec loads; empty where the system's FFmpeg has to serve."""
    spec = importlib.util.spec_from_file_location("torchcodec_libs", SHARED)
    assert spec is not None
    assert spec.loader is not None
    libs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(libs)
    folder = libs.link_folder(parent)
    return {} if folder is None else {libs.VARIABLE: libs.environment_with(folder)[libs.VARIABLE]}
