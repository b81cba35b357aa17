"""What is action and what is state, for the topics that the software stacks of robots publish (docs/messages.md)."""

from dataclasses import replace

import pytest

from support.memory import every
from telecine.core.align import measure
from telecine.core.proposal.propose import propose
from telecine.core.recording_summary import CameraFacts, ClockFacts, RecordingFacts, StreamSummary

POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
TWIST = ("vx", "vy", "vz", "wx", "wy", "wz")
WRENCH = ("fx", "fy", "fz", "tx", "ty", "tz")
ARM = ("j1", "j2", "j3")


def stream(name, names, dtype="float64", samples=200):
    times = every(50, samples / 50)
    clock = ClockFacts("capture_time", "timestamp", 0, int(times[-1]), measure(times), 0)
    width = names if isinstance(names, int) else len(names)
    known = None if isinstance(names, int) else tuple(names)
    return StreamSummary(name, "vector", dtype, (width,), known, clocks=(clock,))


def proposed(*streams, kind="mcap"):
    return propose([RecordingFacts("x", kind, "x", "", 0, tuple(streams))], task_text="x", fps=30)


def features(proposal):
    found = {}
    for key, body in proposal.body["features"].items():
        source = body["from"] if isinstance(body, dict) else body
        found[key] = [source] if isinstance(source, str) else source
    return found


STACKS = {
    "ALOHA (Interbotix)": (
        {"/master_left/joint_states:position": ARM, "/master_right/joint_states:position": ARM,
         "/puppet_left/joint_states:position": ARM, "/puppet_right/joint_states:position": ARM,
         "/puppet_left/joint_states:velocity": ARM, "/puppet_left/joint_states:effort": ARM,
         "/puppet_left/commands/joint_group:cmd": 6, "/puppet_left/commands/joint_single:cmd": 1},
        ["/master_left/joint_states:position", "/master_right/joint_states:position"],
        ["/puppet_left/joint_states:position", "/puppet_right/joint_states:position"],
    ),
    "ALOHA 2 (Interbotix, ROS 2)": (
        {"/leader_left/joint_states:position": ARM, "/leader_right/joint_states:position": ARM,
         "/follower_left/joint_states:position": ARM, "/follower_right/joint_states:position": ARM,
         "/follower_left/commands/joint_group:cmd": 6, "/follower_left/commands/joint_single:cmd": 1},
        ["/leader_left/joint_states:position", "/leader_right/joint_states:position"],
        ["/follower_left/joint_states:position", "/follower_right/joint_states:position"],
    ),
    "Cobot Magic (AgileX)": (
        {"/master/joint_left:position": ARM, "/master/joint_right:position": ARM, "/puppet/joint_left:position": ARM,
         "/puppet/joint_right:position": ARM, "/puppet/end_pose_left:pose": POSE, "/puppet/end_pose_right:pose": POSE},
        ["/master/joint_left:position", "/master/joint_right:position"],
        ["/puppet/joint_left:position", "/puppet/joint_right:position"],
    ),
    "Piper (AgileX)": (
        {"/joint_ctrl_single:position": ARM, "/joint_states_single:position": ARM, "/end_pose:pose": POSE,
         "/pos_cmd:gripper": 1, "/pos_cmd:x": 1, "/pos_cmd:mode1": 1, "/arm_status:ctrl_mode": 1,
         "/arm_status:joint_1_angle_limit": 1, "/joint_states_single:velocity": ARM},
        ["/joint_ctrl_single:position"],
        ["/joint_states_single:position"],
    ),
    "GELLO": (
        {"/gello/joint_states:position": ARM, "/gripper/gripper_client/target_gripper_width_percent:data": 1,
         "/franka/joint_states:position": ARM, "/franka_gripper/joint_states:position": ("f1", "f2"),
         "/joint_states:position": (*ARM, "f1", "f2")},
        ["/gello/joint_states:position", "/gripper/gripper_client/target_gripper_width_percent:data"],
        ["/joint_states:position"],
    ),
    "SO-101 leader and follower": (
        {"/leader/joint_states:position": ARM, "/follower/joint_states:position": ARM,
         "/follower/forward_controller/commands:data": 6},
        ["/leader/joint_states:position"],
        ["/follower/joint_states:position"],
    ),
    "MoveIt Servo": (
        {"/servo_node/delta_twist_cmds:twist": TWIST, "/servo_node/delta_joint_cmds:velocities": ARM,
         "/servo_node/pose_target_cmds:pose": POSE, "/servo_node/status:code": 1,
         "/panda_arm_controller/joint_trajectory:first.positions": ARM,
         "/panda_arm_controller/joint_trajectory:first.velocities": ARM,
         "/panda_arm_controller/joint_trajectory:last.positions": ARM, "/joint_states:position": ARM,
         "/joint_states:velocity": ARM, "/joy:axes": 6, "/joy:buttons": 12},
        ["/servo_node/delta_twist_cmds:twist"],
        ["/joint_states:position"],
    ),
    "MoveIt Servo, pose targets": (
        {"/servo_node/pose_target_cmds:pose": POSE, "/joint_states:position": ARM,
         "/panda_arm_controller/joint_trajectory:first.positions": ARM},
        ["/servo_node/pose_target_cmds:pose"],
        ["/joint_states:position"],
    ),
    "Franka (franka_ros)": (
        {"/cartesian_impedance_example_controller/equilibrium_pose:pose": POSE,
         "/franka_state_controller/joint_states:position": ARM,
         "/franka_state_controller/joint_states_desired:position": ARM,
         "/franka_state_controller/franka_states:q": 7, "/franka_state_controller/franka_states:q_d": 7,
         "/franka_state_controller/franka_states:O_T_EE": 16, "/franka_state_controller/franka_states:tau_J": 7,
         "/franka_state_controller/F_ext:wrench": WRENCH, "/franka_gripper/joint_states:position": ("f1", "f2")},
        ["/cartesian_impedance_example_controller/equilibrium_pose:pose"],
        ["/franka_state_controller/joint_states:position", "/franka_gripper/joint_states:position"],
    ),
    "Franka with desired joints only": (
        {"/franka_state_controller/joint_states:position": ARM,
         "/franka_state_controller/joint_states_desired:position": ARM,
         "/franka_state_controller/joint_states_desired:velocity": ARM},
        ["/franka_state_controller/joint_states_desired:position"],
        ["/franka_state_controller/joint_states:position"],
    ),
    "Franka (franka_ros2)": (
        {**{f"/franka_robot_state_broadcaster/{topic}:{field}": names for topic, field, names in (
            ("robot_state", "desired_joint_state.position", ARM), ("robot_state", "desired_joint_state.velocity", ARM),
            ("robot_state", "measured_joint_state.position", ARM), ("robot_state", "measured_joint_state.effort", ARM),
            ("robot_state", "measured_joint_motor_state.position", ARM), ("robot_state", "ddq_d", 7),
            ("robot_state", "tau_ext_hat_filtered.effort", ARM), ("robot_state", "elbow.position", 2),
            ("robot_state", "elbow.desired_position", 2), ("robot_state", "elbow.commanded_position", 2),
            ("robot_state", "o_t_ee.pose", POSE), ("robot_state", "o_t_ee_c.pose", POSE),
            ("robot_state", "f_t_ee.pose", POSE), ("robot_state", "o_dp_ee_d.twist", TWIST),
            ("robot_state", "inertia_ee.inertia.m", 1), ("robot_state", "robot_mode", 1), ("robot_state", "time", 1),
            ("measured_joint_states", "position", ARM), ("desired_joint_states", "position", ARM),
            ("current_pose", "pose", POSE), ("last_desired_pose", "pose", POSE),
            ("desired_end_effector_twist", "twist", TWIST), ("external_joint_torques", "effort", ARM),
            ("external_wrench_in_stiffness_frame", "wrench", WRENCH))},
         "/franka/joint_states:position": ARM, "/franka_gripper/joint_states:position": ("f1", "f2")},
        ["/franka_robot_state_broadcaster/robot_state:desired_joint_state.position"],
        ["/franka_robot_state_broadcaster/robot_state:measured_joint_state.position",
         "/franka_gripper/joint_states:position"],
    ),
    "UR (scaled joint controller)": (
        {"/scaled_joint_trajectory_controller/controller_state:reference.positions": ARM,
         "/scaled_joint_trajectory_controller/controller_state:feedback.positions": ARM,
         "/scaled_joint_trajectory_controller/controller_state:feedback.velocities": ARM,
         "/scaled_joint_trajectory_controller/controller_state:error.positions": ARM,
         "/scaled_joint_trajectory_controller/controller_state:output.velocities": ARM,
         "/scaled_joint_trajectory_controller/joint_trajectory:first.positions": ARM,
         "/scaled_joint_trajectory_controller/joint_trajectory:last.positions": ARM,
         "/joint_states:position": ARM, "/speed_scaling_state_broadcaster/speed_scaling:data": 1,
         "/tcp_pose_broadcaster/pose:pose": POSE, "/force_torque_sensor_broadcaster/wrench:wrench": WRENCH},
        ["/scaled_joint_trajectory_controller/controller_state:reference.positions"],
        ["/scaled_joint_trajectory_controller/controller_state:feedback.positions"],
    ),
    "older JointTrajectoryController": (
        {"/arm_controller/state:desired.positions": ARM, "/arm_controller/state:actual.positions": ARM,
         "/arm_controller/state:error.positions": ARM, "/arm_controller/state:desired.velocities": ARM},
        ["/arm_controller/state:desired.positions"],
        ["/arm_controller/state:actual.positions"],
    ),
    "xArm": (
        {"/xarm/joint_states:position": ARM, "/xarm/joint_states:velocity": ARM, "/xarm/robot_states:angle": 6,
         "/xarm/robot_states:pose": 6, "/xarm/robot_states:offset": 6, "/xarm/robot_states:mode": 1,
         "/xarm/robot_states:state": 1, "/xarm/robot_states:cmdnum": 1, "/xarm/xarm_cgpio_states:input_analogs": 2,
         "/servo_server/delta_twist_cmds:twist": TWIST, "/xarm/uf_ftsensor_ext_states:wrench": WRENCH},
        ["/servo_server/delta_twist_cmds:twist"],
        ["/xarm/joint_states:position"],
    ),
    "Kinova Gen3 (ros_kortex)": (
        {"/my_gen3/joint_states:position": ARM, "/my_gen3/base_feedback/joint_state:position": ARM,
         "/my_gen3/base_feedback:actuators.position": 7, "/my_gen3/base_feedback:actuators.torque": 7,
         "/my_gen3/base_feedback:actuators.temperature_motor": 7, "/my_gen3/base_feedback:base.tool_pose_x": 1,
         "/my_gen3/base_feedback:base.commanded_tool_pose_x": 1, "/my_gen3/base_feedback:base.arm_voltage": 1,
         **{f"/my_gen3/in/cartesian_velocity:twist.{a}_{b}": 1 for a in ("linear", "angular") for b in "xyz"},
         "/my_gen3/in/cartesian_velocity:reference_frame": 1, "/my_gen3/in/cartesian_velocity:duration": 1},
        [f"/my_gen3/in/cartesian_velocity:twist.{a}_{b}" for a in ("angular", "linear") for b in "xyz"],
        ["/my_gen3/joint_states:position"],
    ),
    "Kinova Gen3, joint velocities": (
        {"/my_gen3/in/joint_velocity:joint_speeds.value": 7, "/my_gen3/in/joint_velocity:duration": 1,
         "/my_gen3/in/joint_velocity:joint_speeds.joint_identifier": 7, "/my_gen3/base_feedback:actuators.position": 7,
         "/my_gen3/base_feedback:actuators.velocity": 7},
        ["/my_gen3/in/joint_velocity:joint_speeds.value"],
        ["/my_gen3/base_feedback:actuators.position"],
    ),
    "Unitree G1": (
        {"/lowcmd:motor_cmd.q": 35, "/lowcmd:motor_cmd.dq": 35, "/lowcmd:motor_cmd.kp": 35, "/lowcmd:crc": 1,
         "/lowcmd:motor_cmd.tau": 35, "/lowcmd:motor_cmd.mode": 35, "/lowcmd:mode_pr": 1,
         "/lowstate:motor_state.q": 35, "/lowstate:motor_state.dq": 35, "/lowstate:motor_state.tau_est": 35,
         "/lowstate:motor_state.ddq": 35, "/lowstate:motor_state.vol": 35, "/lf/lowstate:motor_state.q": 35,
         "/lowstate:motor_state.temperature": 70, "/lowstate:imu_state.quaternion": 4, "/lowstate:tick": 1,
         "/dex3/left/cmd:motor_cmd.q": 7, "/lf/dex3/left/state:motor_state.q": 7,
         "/lf/dex3/left/state:press_sensor_state.pressure": 108, "/lf/dex3/left/state:power_v": 1},
        ["/lowcmd:motor_cmd.q", "/dex3/left/cmd:motor_cmd.q"],
        ["/lowstate:motor_state.q", "/lf/dex3/left/state:motor_state.q"],
    ),
    "ros2_control forward commands": (
        {"/forward_position_controller/commands:data": 6, "/gripper_controller/commands:data": 1,
         "/joint_states:position": ARM, "/dynamic_joint_states:values": ("j1/position", "j1/velocity")},
        ["/forward_position_controller/commands:data", "/gripper_controller/commands:data"],
        ["/joint_states:position"],
    ),
    "TurtleBot (Twist base)": (
        {"/cmd_vel": TWIST, "/odom:pose.pose": POSE, "/odom:twist.twist": TWIST, "/joint_states:position": ("wl", "wr"),
         "/imu:orientation": ("qx", "qy", "qz", "qw"), "/imu:angular_velocity": ("x", "y", "z"), "/scan:ranges": 360,
         "/battery_state:voltage": 1},
        ["/cmd_vel"],
        ["/joint_states:position", "/odom:twist.twist"],
    ),
    "Stretch (Hello Robot)": (
        {"/stretch/cmd_vel": TWIST, "/joint_pose_cmd:data": 10, "/stretch/joint_states:position": ARM,
         "/stretch/joint_states:velocity": ARM, "/joint_limits:position": ARM, "/joint_limits:velocity": ARM,
         "/battery:voltage": 1, "/is_homed:data": 1, "/imu_wrist:angular_velocity": ("x", "y", "z")},
        ["/joint_pose_cmd:data", "/stretch/cmd_vel"],
        ["/stretch/joint_states:position"],
    ),
    "PR2": (
        {"/l_arm_controller/command:first.positions": ARM, "/l_arm_controller/state:desired.positions": ARM,
         "/l_arm_controller/state:actual.positions": ARM, "/l_gripper_controller/command:position": 1,
         "/l_gripper_controller/command:max_effort": 1, "/l_gripper_controller/state:set_point": 1,
         "/l_gripper_controller/state:process_value": 1, "/l_gripper_controller/state:command": 1,
         "/l_gripper_controller/state:error": 1, "/l_gripper_controller/state:p": 1,
         "/base_controller/command": TWIST, "/base_odometry/odom:twist.twist": TWIST,
         "/joint_states:position": (*ARM, "grip")},
        ["/base_controller/command", "/l_arm_controller/state:desired.positions",
         "/l_gripper_controller/command:position"],
        ["/base_odometry/odom:twist.twist", "/joint_states:position", "/l_gripper_controller/state:process_value"],
    ),
    "KUKA iiwa (lbr_fri_ros2)": (
        {"/lbr/state:measured_joint_position": 7, "/lbr/state:commanded_joint_position": 7,
         "/lbr/state:measured_torque": 7, "/lbr/command/joint_position:joint_position": 7},
        ["/lbr/command/joint_position:joint_position"],
        ["/lbr/state:measured_joint_position"],
    ),
    "Baxter and Sawyer": (
        {"/robot/limb/left/joint_command:command": ARM, "/robot/limb/left/joint_command:mode": 1,
         "/robot/limb/left/endpoint_state:pose": POSE, "/robot/limb/left/endpoint_state:twist": TWIST,
         "/robot/limb/left/endpoint_state:wrench": WRENCH, "/robot/end_effector/left_gripper/state:position": 1,
         "/robot/end_effector/left_gripper/state:force": 1, "/robot/joint_states:position": ("left_s0", "left_s1")},
        ["/robot/limb/left/joint_command:command"],
        ["/robot/joint_states:position", "/robot/end_effector/left_gripper/state:position"],
    ),
    "Galaxea R1": (
        {"/motion_target/target_joint_state_arm_left:position": ARM, "/hdas/feedback_arm_left:position": ARM,
         "/motion_target/target_pose_arm_left:pose": POSE, "/motion_control/pose_ee_arm_left:pose": POSE,
         "/motion_control/control_arm_left:p_des": 7, "/motion_control/control_arm_left:name": 1,
         "/motion_target/target_position_gripper_left:position": ("g",), "/hdas/feedback_gripper_left:position": ("g",),
         "/motion_target/target_joint_state_torso:position": ARM, "/hdas/feedback_torso:position": ARM,
         "/motion_target/target_speed_chassis:twist": TWIST, "/hdas/feedback_chassis:position": ARM,
         "/hdas/imu_chassis:orientation": ("qx", "qy", "qz", "qw"), "/hdas/feedback_arm_left:velocity": ARM},
        ["/motion_target/target_joint_state_arm_left:position", "/motion_target/target_joint_state_torso:position",
         "/motion_target/target_speed_chassis:twist", "/motion_target/target_position_gripper_left:position"],
        ["/hdas/feedback_arm_left:position", "/hdas/feedback_chassis:position", "/hdas/feedback_torso:position",
         "/hdas/feedback_gripper_left:position"],
    ),
    "Kuavo (Leju)": (
        {"/kuavo_arm_traj:position": ARM, "/joint_cmd:joint_q": 28, "/joint_cmd:joint_v": 28, "/joint_cmd:tau": 28,
         "/joint_cmd:joint_kp": 28, "/joint_cmd:control_modes": 28, "/sensors_data_raw:joint_data.joint_q": 28,
         "/sensors_data_raw:joint_data.joint_v": 28, "/sensors_data_raw:imu_data.quat": ("qx", "qy", "qz", "qw"),
         "/leju_claw_command:data.position": ("left_claw", "right_claw"),
         "/leju_claw_command:data.effort": ("left_claw", "right_claw"),
         "/leju_claw_state:data.position": ("left_claw", "right_claw"), "/leju_claw_state:state": 2},
        ["/joint_cmd:joint_q", "/leju_claw_command:data.position"],
        ["/sensors_data_raw:joint_data.joint_q", "/leju_claw_state:data.position"],
    ),
    "Kuavo (Leju), arms and hands": (
        {"/kuavo_arm_traj:position": ARM, "/sensors_data_raw:joint_data.joint_q": 28,
         "/control_robot_hand_position:left_hand_position": 6, "/control_robot_hand_position:right_hand_position": 6,
         "/dexhand/state:position": ARM},
        ["/kuavo_arm_traj:position", "/control_robot_hand_position:left_hand_position",
         "/control_robot_hand_position:right_hand_position"],
        ["/sensors_data_raw:joint_data.joint_q", "/dexhand/state:position"],
    ),
    "io_teleop": (
        {"io_teleop/joint_cmd:position": ARM, "io_teleop/joint_states:position": ARM,
         "io_teleop/target_ee_poses:poses": tuple(f"{i}.{a}" for i in range(2) for a in POSE),
         "io_teleop/target_gripper_status:position": ("g",)},
        ["io_teleop/joint_cmd:position", "io_teleop/target_gripper_status:position"],
        ["io_teleop/joint_states:position"],
    ),
    "Allegro hand": (
        {"/allegroHand_0/joint_cmd:position": ARM, "/allegroHand_0/joint_states:position": ARM,
         "/allegroHand_0/joint_states:effort": ARM, "/allegroHand_0/torque_cmd:effort": ARM,
         "/allegroHand/joint_desired_states:position": ARM, "/allegroHand/joint_current_states:position": ARM},
        ["/allegroHand_0/joint_cmd:position"],
        ["/allegroHand_0/joint_states:position"],
    ),
    "Robotiq 2F": (
        {**{f"/Robotiq2FGripperRobotOutput:{field}": 1 for field in ("rACT", "rGTO", "rATR", "rPR", "rSP", "rFR")},
         **{f"/Robotiq2FGripperRobotInput:{field}": 1
            for field in ("gACT", "gGTO", "gSTA", "gOBJ", "gFLT", "gPR", "gPO", "gCU")}, "/joint_states:position": ARM},
        ["/Robotiq2FGripperRobotOutput:rPR"],
        ["/joint_states:position", "/Robotiq2FGripperRobotInput:gPO"],
    ),
    "VR controllers (Quest2ROS)": (
        {"/q2r_right_hand_pose:pose": POSE, "/q2r_right_hand_twist": TWIST, "/q2r_twist": TWIST,
         "/q2r_right_hand_inputs:press_index": 1, "/q2r_right_hand_inputs:thumb_stick_horizontal": 1,
         "/q2r_right_hand_haptic_feedback:amplitude": 1, "/joint_states:position": ARM},
        ["/q2r_right_hand_pose:pose"],
        ["/joint_states:position"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("stack", STACKS)
def test_the_topics_of_a_stack_give_its_action_and_its_state(stack):
    topics, action, state = STACKS[stack]
    found = proposed(*(stream(name, names) for name, names in topics.items()))
    assert features(found) == {"action": action, "observation.state": state}
    left_out = topics.keys() - {*action, *state}
    assert left_out <= found.reasons.keys()
    guesses = " ".join(found.guesses)
    assert all(name in guesses for name in (*action, *state))


def test_every_stack_is_in_the_docs():
    from pathlib import Path

    text = Path("docs/messages.md").read_text(encoding="utf-8")
    assert not [stack for stack in STACKS if f"| {stack} |" not in text]


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32"])
def test_a_gripper_of_any_type_is_a_number_that_policies_can_learn(dtype):
    found = proposed(stream("/gripper/command:data", 1, dtype), stream("/gripper/state:data", 1, dtype))
    expected = {"action": "/gripper/command:data", "observation.state": "/gripper/state:data"}
    body = found.body["features"]
    if dtype == "float32":
        assert body == expected
    else:
        assert body == {key: {"from": name, "dtype": "float32"} for key, name in expected.items()}


def test_a_stream_that_no_rule_knows_is_offered_not_taken():
    found = proposed(stream("/joint_states:position", ARM), stream("/planner/cost:data", 1), stream("/x:weights", 4))
    assert features(found) == {"observation.state": ["/joint_states:position"]}
    assert found.reasons["/planner/cost:data"] == "no rule knows what it is to a policy"


def test_joints_that_few_messages_have_are_not_taken():
    rare = stream("/joint_states:position(grip)", ("grip",), samples=4)
    found = proposed(stream("/joint_states:position", ARM), rare)
    assert features(found) == {"observation.state": ["/joint_states:position"]}
    assert found.reasons[rare.name] == "only 4 of 200 messages have it"
    late = stream("/joint_states:position(grip)", ("grip",), samples=100)
    assert features(proposed(stream("/joint_states:position", ARM), late)) == {
        "observation.state": ["/joint_states:position", "/joint_states:position(grip)"]
    }


@pytest.mark.parametrize(
    ("pair", "taken"),
    [
        ("base_link->tool0", True),
        ("world->left_gripper", True),
        ("odom->base_link", False),
        ("base_link->link1", False),
    ],
)
def test_a_transform_is_the_state_only_from_the_base_to_the_tool(pair, taken):
    found = proposed(stream(f"/tf:{pair}", POSE), stream("/target_pose:pose", POSE))
    assert features(found).get("observation.state") == ([f"/tf:{pair}"] if taken else None)
    assert features(found)["action"] == ["/target_pose:pose"]
    if not taken:
        assert "no transform leads from the robot's base to its tool" in " ".join(found.guesses)
        assert found.reasons[f"/tf:{pair}"]


@pytest.mark.parametrize(
    ("streams", "action", "state"),
    [
        ({"/gripper/close:data": 1, "/gripper/is_closed:data": 1},
         ["/gripper/close:data"], ["/gripper/is_closed:data"]),
        ({"/action:data": 14, **{f"/observations/{name}:data": 14 for name in ("qpos", "qvel", "effort")}},
         ["/action:data"], ["/observations/qpos:data"]),
        ({"/tf:panda_link0->panda_hand_tcp": POSE, "/tf:world->panda_link0": POSE, "/target_pose:pose": POSE},
         ["/target_pose:pose"], ["/tf:panda_link0->panda_hand_tcp"]),
        ({"/spacenav/twist": TWIST, "/joint_states:position": ARM}, ["/spacenav/twist"], ["/joint_states:position"]),
        ({f"/robot:{part}.{name}": width for part in ("state", "action") for name, width in (("q", 6), ("gripper", 1))},
         ["/robot:action.q", "/robot:action.gripper"], ["/robot:state.q", "/robot:state.gripper"]),
        ({"/robot:state": 7, "/robot:action": 7, "/robot:reward": 1}, ["/robot:action"], ["/robot:state"]),
        ({"/teleop:leader.joints": 6, "/teleop:follower.joints": 6},
         ["/teleop:leader.joints"], ["/teleop:follower.joints"]),
        ({"/arm:joint_1": 1, "/arm:joint_2": 1, "/arm/target:joint_1": 1, "/arm/target:joint_2": 1},
         ["/arm/target:joint_1", "/arm/target:joint_2"], ["/arm:joint_1", "/arm:joint_2"]),
        ({"/low/airexo_joint:data": 14, "/low/ee_command:data": 2, "/low/joint:data": 14, "/low/ee_state:data": 2},
         ["/low/airexo_joint:data", "/low/ee_command:data"], ["/low/joint:data", "/low/ee_state:data"]),
        ({"/robot": 7, "/robot/command:command": 7, "/robot/io:command": 7}, ["/robot/command:command"], []),
    ],
)  # fmt: skip
def test_topics_and_structures_of_ones_own_are_told_by_their_words(streams, action, state):
    found = proposed(*(stream(name, names) for name, names in streams.items()))
    assert features(found).get("action", []) == action
    assert features(found).get("observation.state", []) == state


def test_two_robots_with_equal_names_are_both_the_state():
    found = proposed(stream("/robot1/joint_states:position", ARM), stream("/robot2/joint_states:position", ARM))
    assert len(features(found)["observation.state"]) == 2


def test_other_formats_are_not_judged_by_the_rules_of_messages():
    found = proposed(stream("/planner/cost:data", 1), kind="memory")
    assert features(found) == {"observation.state": ["/planner/cost:data"]}


def test_static_streams_and_flags_are_no_features():
    static = replace(stream("/gripper/command:data", 1), static=True, clocks=())
    found = proposed(static, stream("/joint_states:position", ARM), stream("/estop/command:data", 1, "bool"))
    assert features(found) == {"observation.state": ["/joint_states:position"]}


def camera(name, encoding="jpeg", kind="image", samples=60):
    facts = CameraFacts(encoding, 64, 48, "rgb24")
    return replace(stream(name, 1, samples=samples), kind=kind, shape=(48, 64, 3), names=None, camera=facts)


@pytest.mark.parametrize(
    ("forms", "key", "taken"),
    [
        ([camera("/camera/image_raw", "rgb24"), camera("/camera/image_raw/compressed")], "camera", "/camera/image_raw"),
        ([camera("/front/image_raw/compressed"), camera("/front/image_raw/ffmpeg", "h264", "video")],
         "front", "/front/image_raw/ffmpeg"),
        ([camera("/front/image_raw", "rgb24", samples=10), camera("/front/image_raw/compressed")],
         "front", "/front/image_raw/compressed"),
        ([camera("/image_raw/compressed")], "image_raw", "/image_raw/compressed"),
        ([camera("/camera/camera/color/image_raw/compressed")], "camera", "/camera/camera/color/image_raw/compressed"),
        ([camera("/usb_cam/image_rect_color"), camera("/usb_cam/image_rect_color/theora")],
         "usb_cam", "/usb_cam/image_rect_color"),
    ],
)  # fmt: skip
def test_one_camera_in_several_forms_is_one_feature_named_after_the_camera(forms, key, taken):
    found = proposed(*forms)
    assert features(found) == {f"observation.images.{key}": [taken]}
    for form in forms:
        if form.name != taken:
            assert found.reasons[form.name] == f"another form of the camera {taken}"


def test_two_cameras_of_one_namespace_are_two_features():
    found = proposed(camera("/head/left/image_raw", "rgb24"), camera("/head/right/image_raw", "rgb24"))
    assert list(features(found)) == ["observation.images.left", "observation.images.right"]


def test_a_topic_called_action_is_the_surest_command():
    found = proposed(
        stream("/arm/action:data", 7), stream("/arm/command:data", 7), stream("/joint_states:position", ARM)
    )
    assert features(found)["action"] == ["/arm/action:data"]
