"""A few hundred damaged inputs of each kind; the long form and its figures are in docs/damaged_input.md."""

from pathlib import Path

import pytest

from support.mutants import INPUTS, read, try_mutants

MANY = 20
"""Of fewer mutants none may have hit what is read."""
COUNTS = {
    "rrd": 300,
    "mcap": 120,
    "robosandbox": 40,
    "lerobot": 40,
    "dataset": 6,
    "plan": 100,
    **dict.fromkeys(("rlds", "unitree", "bridge_raw", "gello"), 30),
}
NEEDS = {
    "rrd": "rerun",
    "mcap": "mcap",
    "rosbag": "mcap",
    "rosbag2": "mcap",
    "hdf5": "h5py",
    "hdf5_layouts": "h5py",
    "zarr": "zarr",
    "rlds": "array_record",
}


@pytest.fixture(params=INPUTS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param in NEEDS:
        request.getfixturevalue(NEEDS[request.param])
    return str(request.param)


def test_undamaged_inputs_are_read_to_their_end(kind: str, tmp_path: Path) -> None:
    INPUTS[kind](tmp_path)
    for path in list(tmp_path.iterdir()):
        read(kind, path)


def test_damaged_inputs_end_in_data_or_in_an_error_with_a_name(kind: str) -> None:
    """Rerun's writers put new ids into their files each time: one crash of rerun-sdk may be chance, two are not."""
    tally = try_mutants(kind, range(COUNTS.get(kind, 50)))
    theirs = [seen for _, seen in tally.bad if kind == "rrd" and seen.startswith(("crash: -6", "crash: -11"))]
    assert len(theirs) < 2
    assert [seen for seen in tally.bad if seen[1] not in theirs] == []
    assert tally.outcomes.total() == COUNTS.get(kind, 50)
    assert tally.outcomes["named"] > 0 or COUNTS.get(kind, 50) < MANY
