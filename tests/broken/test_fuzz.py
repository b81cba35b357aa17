"""A few inputs of the fuzz harness; the long run and its figures are in docs/reliability.md."""

import pytest

from support.mutants import STRUCTURE, try_mutants

NEEDS = {
    "mcap": "mcap",
    "rosbag": "mcap",
    "rosbag2": "mcap",
    "hdf5": "h5py",
    "zarr": "zarr",
    "rlds": "array_record",
    "rrd": "rerun",
}


@pytest.mark.parametrize("source", [*NEEDS, "robosandbox", "lerobot", "unitree", "bridge_raw", "gello"])
def test_hostile_values_in_sound_containers_end_in_data_or_a_named_error(source, request):
    if source in NEEDS:
        request.getfixturevalue(NEEDS[source])
    tally = try_mutants(source + STRUCTURE, range(20))
    assert tally.bad == []
    assert tally.outcomes["named"] > 0
    assert tally.outcomes.total() == 20
    assert tally.peak_mb < 1024
