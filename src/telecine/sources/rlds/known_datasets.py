"""What RLDS files do not hold and their publishers say: the control rate of known datasets, and what their numbers are.

Rates: the control frequencies of the Open X-Embodiment dataset overview (https://robotics-transformer-x.github.io), as
Octo's and OpenVLA's `oxe_dataset_configs.py` list them; LIBERO's is that of its simulation, DROID's that of its paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

_BY_RATE: Mapping[str, str] = {
    "1": "robo_net uiuc_d3field",
    "2": "ucsd_kitchen_dataset_converted_externally_to_rlds",
    "3": "fractal20220817_data nyu_door_opening_surprising_effectiveness nyu_rot_dataset_converted_externally_to_rlds "
    "nyu_franka_play_dataset_converted_externally_to_rlds berkeley_gnm_recon "
    "ucsd_pick_and_place_dataset_converted_externally_to_rlds",
    "15/4": "dobbe",
    "5": "bridge bridge_dataset bridge_orig bridge_oxe berkeley_autolab_ur5 berkeley_gnm_cory_hall cmu_play_fusion "
    "berkeley_mvp_converted_externally_to_rlds dlr_edan_shared_control_converted_externally_to_rlds roboset "
    "stanford_robocook_converted_externally_to_rlds",
    "10": "kuka jaco_play berkeley_cable_routing roboturk language_table columbia_cairlab_pusht_real bc_z "
    "stanford_hydra_dataset_converted_externally_to_rlds furniture_bench_dataset_converted_externally_to_rlds "
    "cmu_franka_exploration_dataset_converted_externally_to_rlds kaist_nonprehensile_converted_externally_to_rlds "
    "utokyo_pr2_opening_fridge_converted_externally_to_rlds tokyo_u_lsmo_converted_externally_to_rlds rh20t "
    "utokyo_pr2_tabletop_manipulation_converted_externally_to_rlds dlr_sara_pour_converted_externally_to_rlds "
    "utokyo_xarm_pick_and_place_converted_externally_to_rlds imperialcollege_sawyer_wrist_cam cmu_stretch "
    "utokyo_xarm_bimanual_converted_externally_to_rlds dlr_sara_grid_clamp_converted_externally_to_rlds "
    "berkeley_fanuc_manipulation cmu_playing_with_food berkeley_gnm_sac_son fmb_dataset fmb",
    "25/2": "asu_table_top_converted_externally_to_rlds",
    "15": "taco_play droid droid_100",
    "20": "viola stanford_kuka_multimodal_dataset_converted_externally_to_rlds utaustin_mutex "
    "austin_buds_dataset_converted_externally_to_rlds maniskill_dataset_converted_externally_to_rlds "
    "austin_sailor_dataset_converted_externally_to_rlds austin_sirius_dataset_converted_externally_to_rlds "
    "iamlab_cmu_pickup_insert_converted_externally_to_rlds libero_spatial_no_noops libero_object_no_noops "
    "libero_goal_no_noops libero_10_no_noops libero_90_no_noops",
    "30": "toto berkeley_rpt_converted_externally_to_rlds",
}
_POSE = ("x", "y", "z", "roll", "pitch", "yaw")
_QUATERNION = ("x", "y", "z", "qx", "qy", "qz", "qw")
_JOINTS = tuple(f"joint_{i}" for i in range(1, 8))


@dataclass(frozen=True, slots=True)
class Conventions:
    """What the streams of one family of datasets are: those of state and action in order, and names of elements."""

    state: tuple[str, ...]
    action: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


BRIDGE = Conventions(
    state=("/observation/state",),
    action=("/action",),
    names={"/observation/state": (*_POSE, "gripper"), "/action": (*_POSE, "gripper")},
)
"""https://rail-berkeley.github.io/bridgedata: the action is a change of pose; the gripper is 0 closed to 1 open."""
FRACTAL = Conventions(
    state=("/observation/base_pose_tool_reached", "/observation/gripper_closed"),
    action=("/action/world_vector", "/action/rotation_delta", "/action/gripper_closedness_action"),
    names={
        "/observation/base_pose_tool_reached": _QUATERNION,
        "/observation/gripper_closed": ("gripper_closed",),
        "/action/world_vector": ("x", "y", "z"),
        "/action/rotation_delta": ("roll", "pitch", "yaw"),
        "/action/gripper_closedness_action": ("gripper_closing",),
    },
)
"""https://robotics-transformer1.github.io: the gripper's action is 1 to close, -1 to open and 0 to stay as it is."""
DROID = Conventions(
    state=("/observation/joint_position", "/observation/gripper_position"),
    action=("/action_dict/joint_position", "/action_dict/gripper_position"),
    names={
        "/observation/joint_position": _JOINTS,
        "/observation/gripper_position": ("gripper",),
        "/action_dict/joint_position": _JOINTS,
        "/action_dict/gripper_position": ("gripper",),
    },
)
"""https://droid-dataset.github.io: the gripper is 0 open to 1 closed."""
LIBERO = Conventions(
    state=("/observation/state",),
    action=("/action",),
    names={
        "/observation/state": ("x", "y", "z", "rx", "ry", "rz", "gripper_left", "gripper_right"),
        "/action": (*_POSE, "gripper"),
    },
)
"""https://huggingface.co/datasets/openvla/modified_libero_rlds: the gripper's action is -1 open to 1 closed."""
_FAMILIES = {"bridge_": BRIDGE, "fractal": FRACTAL, "droid": DROID, "libero_": LIBERO}


def rate_of(dataset: str) -> Fraction | None:
    """Steps a second of a known dataset; None for others, which nothing tells the rate of.

    >>> rate_of("bridge_dataset"), rate_of("my_dataset")
    (Fraction(5, 1), None)
    """
    return next((Fraction(rate) for rate, names in _BY_RATE.items() if dataset in names.split()), None)


def conventions_of(dataset: str) -> Conventions | None:
    """What is known of a dataset's streams, beyond their names."""
    return next((found for start, found in _FAMILIES.items() if dataset.startswith(start)), None)
