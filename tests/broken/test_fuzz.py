"""A few inputs of the fuzz harness, and those that once ended badly (tests/fuzz/corpus).

The long run and its figures are in docs/reliability.md.
"""

import pytest

from fuzz.kept import kept_numbers
from support.mutants import STRUCTURE, try_mutants

NEEDS = {
    "mcap": "mcap",
    "rosbag": "mcap",
    "rosbag2": "mcap",
    "hdf5": "h5py",
    "zarr": "zarr",
    "rlds": "array_record",
    "rrd": "rerun",
    "hdf5_layouts": "h5py",
}


@pytest.mark.parametrize("source", [*NEEDS, "robosandbox", "lerobot", "unitree", "bridge_raw", "gello", "calvin"])
def test_hostile_values_in_sound_containers_end_in_data_or_a_named_error(source, request):
    if source in NEEDS:
        request.getfixturevalue(NEEDS[source])
    numbers = [*range(20), *kept_numbers(source)]
    tally = try_mutants(source + STRUCTURE, numbers)
    assert tally.bad == []
    assert tally.outcomes["named"] > 0
    assert tally.outcomes.total() == len(numbers)
    assert tally.peak_mb < 1024
