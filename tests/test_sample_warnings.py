"""What `inspect` warns of in recordings of other projects: only what somebody looked at and found true.

Each line is one sample, the codes of its warnings and errors, and what is true of it. A code that is missing here is a
false alarm or was not looked at; one that no longer comes hides something.
"""

import pytest

from support.samples import BESIDE, sample
from telecine.inspection.recordings import inspect_many

pytestmark = pytest.mark.usefixtures("mcap", "h5py", "zarr")
MIXED = {"dataset-mismatch", "stream-left-out"}
"""Of folders that hold recordings of several robots or layouts, which no one plan fits."""
TRUE = {
    # Whole, and of one robot.
    "mcap/Extelligence-ai+bagel": set(),
    "hdf5/agibot_layout_imitation": set(),
    "hdf5/libero_layout_imitation": set(),
    "hdf5/umi_ReplayBuffer": set(),
    "robosandbox/franka_pick_cube__with_recorded_actions": set(),
    # Whole, but the format does not say how fast it was recorded.
    "hdf5/act-plus-plus_compressed": {"source-assumed"},
    "hdf5/droid_TrajectoryWriter": {"source-assumed"},
    "hdf5/maniskill_RecordEpisode": {"source-assumed"},
    # RoboSandbox records no action unless asked; the viewer stores a task's name for its text.
    "robosandbox/builtin6dof_pick_cube__demo_success": {"action-missing"},
    "robosandbox/franka_pick_apple__record_demo_success": {"action-missing"},
    "robosandbox/franka_pick_heavy__verification_failed": {"action-missing"},
    "robosandbox/builtin6dof_viewer_teleop__2frames": {"action-missing", "source-metadata"},
    "robosandbox/franka_pick_apple__kill9_partial": {"action-missing", "source-truncated"},
    "robosandbox/builtin6dof_pick_unreachable__fail_zero_frames": {"source-empty"},
    # Several layouts or tasks in one folder; some of robomimic's files hold states alone.
    "hdf5/diffusion_policy_ReplayBuffer": MIXED,
    "hdf5/isaaclab_recorder_3.0.0": MIXED,
    "hdf5/robotwin_pkl2hdf5": {"source-assumed", "stream-left-out"},
    "hdf5/robomimic_pipeline_lift": {"source-assumed", "source-incomplete", "stream-left-out"},
    # One message a topic, seven robots; cameras stamped a week away; payloads of 10 bytes for images.
    "mcap/archebase+robocodec": MIXED | {"clock-offset", "video-damaged"},
    "mcap/geocamxyz+rosbags-rs": {"clock-stamps", "stream-left-out", "video-damaged"},
    # Two turtles, steered by keys with pauses; a bag without messages.
    "mcap/cruise-automation+rosbag.js": MIXED | {"align-gap", "source-empty"},
    # Joint states with gaps of 40 ms at 100 Hz; a bag of camera_info alone.
    "mcap/jsk-ros-pkg+jsk_pr2eus": MIXED | {"align-gap", "source-empty"},
    # Camera stamps 0.76 s behind those of the recorder, more than other topics.
    "mcap/UbiquityRobotics+fiducials": {"clock-delayed"},
    # A pose that one of three recordings has; 12 of 13 parts of a bag are not there.
    "mcap/rerun-io+rerun": {"stream-left-out"},
    "mcap/rosbag-sharing-community+amber": {"source-part-missing"},
    # Made to be broken: bad schemas, cut files, unknown encodings, a Dockerfile that is called .mcap.
    "mcap/PlotJuggler+pj-mcap-server": {"source-empty", "stream-unreadable"},
    "mcap/Tiryoh+rosbag-analyzer-web": {
        "source-empty", "source-truncated", "source-unreadable", "stream-unreadable",
    },
    "mcap/_synthetic_edge": MIXED | {"source-empty", "source-truncated", "stream-unreadable"},
    "mcap/ros2+rosbag2": {"source-empty", "stream-unreadable"},
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_only_true_warnings(name):
    found = inspect_many([sample(name)]).findings
    assert {f.code for f in found if f.severity != "info"} == TRUE[name], [str(f) for f in found]


@pytest.mark.skipif(not BESIDE.is_dir(), reason="outside this repository: recordings of other projects")
def test_every_sample_is_in_the_list():
    there = {f"{kind}/{path.name}" for kind in ("mcap", "hdf5", "robosandbox") for path in (BESIDE / kind).iterdir()}
    assert there == TRUE.keys()
