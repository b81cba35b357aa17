"""Sample recordings: those that stand in tests/data/samples, and more that lie beside this repository."""

from pathlib import Path

import pytest

INSIDE = Path(__file__).parents[1] / "data" / "samples"
BESIDE = Path(__file__).parents[3] / "shared" / "samples"


def sample(name: str) -> Path:
    """A sample by its path, such as hdf5/umi_ReplayBuffer; a skip where it is nowhere."""
    for folder in (INSIDE, BESIDE):
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"outside this repository: {name}, a recording of another project")


def samples(kind: str, *suffixes: str) -> list[str]:
    """The paths of all files of a kind that end so, inside and beside, for `sample`."""
    return sorted(
        {
            path.relative_to(folder).as_posix()
            for folder in (INSIDE, BESIDE)
            for path in (folder / kind).rglob("*")
            if path.suffix in suffixes
        }
    )
