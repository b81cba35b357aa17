"""What parts are compared with: the plan for a module's `recordings`, and the dataset that one run makes of them."""

import pytest

import telecine as tc


@pytest.fixture(scope="module")
def plan_file(recordings):
    tc.inspect(recordings / "run-05", plan=recordings.parent / "plan.yaml")
    return recordings.parent / "plan.yaml"


@pytest.fixture(scope="module")
def whole(recordings, plan_file, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole") / "out"
    tc.convert(recordings, root, plan_file, workers=0)
    return root
