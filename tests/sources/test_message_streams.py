"""What messages mean: joints by name, transforms by pair, latched values, clocks; over topics held in memory."""

import numpy as np
import pytest

from support.memory import every, seconds
from support.ros import MemoryTopic, lists, numbers, text_lists, texts
from telecine.core.recording import STATIC_NS, Ref
from telecine.sources.messages.clocks import CAPTURE, HEADER
from telecine.sources.messages.model import LOG_TIME, Attachment, Contents, Failure, LeafColumn
from telecine.sources.messages.streams import recording_of

S = 10**9
DAY = 86400 * S
EPOCH = 1_700_000_000 * S


def header(stamps):
    return {"header.stamp.sec": numbers(stamps // S, "int32"), "header.stamp.nanosec": numbers(stamps % S, "uint32")}


def recording(*topics, **rest):
    return recording_of(Ref("mcap", "x.mcap"), Contents(tuple(topics), **rest))


def stream(*topics, name, **rest):
    return recording(*topics, **rest).streams[name]


def values(found, clock=CAPTURE):
    return found.take(np.arange(found.times(clock).size), clock)


def joints(names, position, *, name="/joints", stamps=None, logged=None, **columns):
    count = len(names)
    logged = EPOCH + np.arange(count) * S // 10 if logged is None else logged
    stamps = logged if stamps is None else stamps
    own = {"name[]": text_lists(names), "position[]": lists(position), **columns}
    return MemoryTopic(name, "sensor_msgs/msg/JointState", logged, {**header(stamps), **own})


def test_joints_are_matched_by_name_in_every_message():
    topic = joints([["a", "b"], ["b", "a"], ["a", "b"]], [[1, 2], [4, 3], [5, 6]])
    found = stream(topic, name="/joints:position")
    assert found.schema.names == ("a", "b")
    assert values(found).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.remarks() == ()


def test_messages_that_lack_a_joint_are_left_out_and_named_and_empty_ones_say_nothing():
    topic = joints([["a", "b"]] * 20 + [["b"], [], ["a", "b"]], [[1, 2]] * 20 + [[9], [], [7]])
    found = stream(topic, name="/joints:position")
    assert values(found).tolist() == [[1, 2]] * 20
    assert found.remarks() == (
        ("source-messages", "2 of 23 messages do not have a value for each of a, b; they are left out"),
    )


@pytest.mark.parametrize("at", [0, 7, 19])
def test_a_joint_that_one_message_has_more_costs_no_message(at):
    names = [["a", "b", "grip"] if i == at else ["b", "a"] for i in range(20)]
    found = recording(joints(names, [[i, 10 + i, 5][: len(n)] for i, n in enumerate(names)])).streams
    assert sorted(found) == ["/joints:position", "/joints:position(grip)"]
    assert found["/joints:position"].schema.names == ("b", "a")
    expected = [[10 + i, i] if i == at else [i, 10 + i] for i in range(20)]
    assert values(found["/joints:position"]).tolist() == expected
    assert values(found["/joints:position(grip)"]).tolist() == [[5]]
    assert found["/joints:position"].remarks() == ()


@pytest.mark.parametrize("late", [3, 10, 12])
def test_a_gripper_that_joins_late_is_a_stream_that_starts_late(late):
    names = [["a", "b"]] * late + [["a", "b", "grip"]] * (20 - late)
    found = recording(joints(names, [[1, 2, 3][: len(n)] for n in names])).streams
    counts = {name: s.times(CAPTURE).size for name, s in found.items()}
    assert counts == {"/joints:position": 20, "/joints:position(grip)": 20 - late}


def test_joints_that_few_messages_have_are_named_where_no_sample_of_them_was_seen():
    names = [["a", "b", "rare"] if i == 5 else ["a", "b"] for i in range(1000)]
    found = recording(joints(names, [[1, 2, 3][: len(n)] for n in names])).streams
    assert list(found) == ["/joints:position"]
    assert found["/joints:position"].times(CAPTURE).size == 1000
    ((code, text),) = found["/joints:position"].remarks()
    assert code == "source-messages"
    assert text.startswith("values of rare are in no stream")


def test_a_name_that_stands_twice_costs_that_name_alone():
    found = recording(joints([["a", "x", "b", "x"]] * 4, [[1, 2, 3, 4]] * 4)).streams
    assert list(found) == ["/joints:position"]
    assert found["/joints:position"].schema.names == ("a", "b")
    assert values(found["/joints:position"]).tolist() == [[1, 3]] * 4
    assert "x are in no stream" in found["/joints:position"].remarks()[0][1]


@pytest.mark.parametrize("names", [["", ""], ["a", "a"], ["a", "b", "c"]])
def test_names_that_tell_nothing_leave_the_values_by_position(names):
    found = stream(joints([names] * 3, [[1, 2]] * 3), name="/joints:position")
    assert found.schema.names == ("joints_0", "joints_1")
    assert values(found).tolist() == [[1, 2]] * 3
    assert "by their position" in found.remarks()[0][1]


def test_two_senders_on_one_topic_are_two_streams_and_the_larger_has_the_topics_name():
    for order in (1, -1):
        sent = [(["a", "b"], [1, 2]), (["grip"], [8]), (["grip"], [8]), (["b", "a"], [4, 3]), (["grip"], [9])][::order]
        found = recording(joints(*zip(*sent, strict=True))).streams
        assert sorted(found) == ["/joints:position", "/joints:position(grip)"]
        arm = found["/joints:position"]
        assert values(arm)[:, arm.schema.names.index("a")].tolist() == [1, 3][::order]
        assert values(found["/joints:position(grip)"])[:, 0].tolist() == [8, 8, 9][::order]
        assert found["/joints:position(grip)"].remarks() == ()


def test_senders_that_share_a_joint_give_it_to_the_set_that_most_messages_have():
    sent = [(["a", "b", "c"], [1, 2, 3])] * 3 + [(["c", "d"], [4, 5])] * 2
    found = recording(joints(*zip(*sent, strict=True))).streams
    assert {name: s.schema.names for name, s in found.items()} == {
        "/joints:position": ("a", "b", "c"),
        "/joints:position(d)": ("d",),
    }


def test_joints_without_names_are_called_after_their_topic():
    topic = joints([[], [], []], [[1, 2], [], [3, 4]], name="io/gripper")
    found = stream(topic, name="io/gripper:position")
    assert found.schema.names == ("io_gripper_0", "io_gripper_1")
    assert values(found).tolist() == [[1, 2], [3, 4]]


def test_lists_that_are_always_empty_are_no_streams():
    topic = joints([["a"], ["a"]], [[1], [2]], **{"velocity[]": lists([[], []]), "effort[]": lists([[5], [6]])})
    assert sorted(recording(topic).streams) == ["/joints:effort", "/joints:position"]


def test_samples_of_another_width_than_most_are_left_out_and_counted():
    found = stream(joints([[], [], []], [[1, 2], [3], [4, 5]]), name="/joints:position")
    assert values(found).tolist() == [[1, 2], [4, 5]]
    assert found.remarks() == (
        ("source-messages", "1 of 3 messages does not have 2 values like most (message 1 has 1); they are left out"),
    )


def test_absent_values_of_foxglove_joints_are_unknown_and_not_zero():
    position = LeafColumn(np.array([1.0, 0, 3, 4]), (np.array([0, 2, 4]),), present=np.array([True, False, True, True]))
    columns = {"joints[].name": text_lists([["a", "b"], ["b", "a"]]), "joints[].position": position}
    topic = MemoryTopic("/j", "foxglove.JointStates", seconds(1, 2), columns)
    np.testing.assert_array_equal(values(stream(topic, name="/j:position")), [[1, np.nan], [4, 3]])


def test_dynamic_joints_are_flattened_to_joint_and_interface():
    outer, starts = np.array([0, 2, 4]), np.array([0, 2, 3, 5, 6])
    interfaces = texts(["position", "velocity", "effort", "velocity", "position", "effort"])
    columns = {
        "joint_names[]": text_lists([["a", "b"], ["a", "b"]]),
        "interface_values[].interface_names[]": LeafColumn(interfaces.values, (outer, starts), interfaces.texts),
        "interface_values[].values[]": LeafColumn(np.array([1.0, 2, 3, 5, 4, 6]), (outer, starts)),
    }
    topic = MemoryTopic("/d", "control_msgs/msg/DynamicJointState", seconds(1, 2), columns)
    found = stream(topic, name="/d:values")
    assert found.schema.names == ("a/position", "a/velocity", "b/effort")
    assert values(found).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_names_in_a_structure_go_with_the_lists_of_that_structure():
    logged = EPOCH + seconds(1, 2)
    columns = {
        "left.name[]": text_lists([["a", "b"], ["b", "a"]]),
        "left.position[]": lists([[1, 2], [4, 3]]),
        "right.name[]": text_lists([["c"], ["c"]]),
        "right.position[]": lists([[5], [6]]),
        "free[]": lists([[7], [8]]),
    }
    found = recording(MemoryTopic("/claws", "my/msg/Claws", logged, columns)).streams
    assert found.keys() == {"/claws:left.position", "/claws:right.position", "/claws:free"}
    left = found["/claws:left.position"]
    assert (left.schema.names, values(left).tolist()) == (("a", "b"), [[1, 2], [3, 4]])
    assert found["/claws:right.position"].schema.names == ("c",)
    assert found["/claws:free"].schema.names is None


def test_of_a_trajectory_the_first_or_the_last_point_is_taken_and_zero_means_now():
    points, inner = np.array([0, 2, 2, 3]), np.array([0, 2, 4, 6])
    positions = LeafColumn(np.array([1.0, 2, 3, 4, 6, 5]), (points, inner))
    logged = EPOCH + seconds(1, 2, 3)
    stamps = np.array([0, 0, EPOCH + 3 * S - 5])
    names = text_lists([["a", "b"], [], ["b", "a"]])
    columns = {**header(stamps), "joint_names[]": names, "points[].positions[]": positions}
    topic = MemoryTopic("/t", "trajectory_msgs/msg/JointTrajectory", logged, columns)
    first, last = (stream(topic, name=f"/t:{which}.positions") for which in ("first", "last"))
    assert values(first).tolist() == [[1, 2], [5, 6]]
    assert values(last).tolist() == [[3, 4], [5, 6]]
    assert first.times(CAPTURE).tolist() == [EPOCH + S, EPOCH + 3 * S - 5]
    assert first.remarks() == ()


def test_controller_states_give_feedback_and_reference():
    columns = {
        "joint_names[]": text_lists([["a", "b"]] * 2),
        "feedback.positions[]": lists([[1, 2], [3, 4]]),
        "reference.positions[]": lists([[5, 6], [7, 8]]),
        "reference.effort[]": lists([[], []]),
    }
    topic = MemoryTopic("/c", "control_msgs/msg/JointTrajectoryControllerState", seconds(1, 2), columns)
    found = recording(topic).streams
    assert sorted(found) == ["/c:feedback.positions", "/c:reference.positions"]
    assert found["/c:reference.positions"].schema.names == ("a", "b")


def plain(prefix, fields, rows=2):
    return {f"{prefix}{name}": numbers(np.arange(rows) + 10.0 * i) for i, name in enumerate(fields)}


def test_fields_that_belong_together_are_one_vector():
    xyz, xyzw = ("x", "y", "z"), ("x", "y", "z", "w")
    odometry = {
        **header(EPOCH + seconds(1, 2)),
        "header.frame_id": texts(["odom"] * 2),
        "child_frame_id": texts(["base"] * 2),
        **plain("pose.pose.position.", xyz),
        **plain("pose.pose.orientation.", xyzw),
        "pose.covariance[]": lists([[0] * 36] * 2),
        **plain("twist.twist.linear.", xyz),
        **plain("twist.twist.angular.", xyz),
        "twist.covariance[]": lists([[0] * 36] * 2),
    }
    found = recording(MemoryTopic("/odom", "nav_msgs/msg/Odometry", EPOCH + seconds(1, 2), odometry)).streams
    assert {name: s.schema.names for name, s in found.items()} == {
        "/odom:pose.pose": ("x", "y", "z", "qx", "qy", "qz", "qw"),
        "/odom:twist.twist": ("vx", "vy", "vz", "wx", "wy", "wz"),
    }
    assert values(found["/odom:pose.pose"])[1].tolist() == [1, 11, 21, 1, 11, 21, 31]
    twist = MemoryTopic("/cmd", "T", seconds(1, 2), {**plain("linear.", xyz), **plain("angular.", xyz)})
    assert list(recording(twist).streams) == ["/cmd"]
    wrench = MemoryTopic("/ft", "T", seconds(1, 2), {**plain("wrench.force.", xyz), **plain("wrench.torque.", xyz)})
    assert stream(wrench, name="/ft:wrench").schema.names == ("fx", "fy", "fz", "tx", "ty", "tz")


def test_an_imu_gives_what_it_measures_and_not_what_it_says_is_absent():
    xyz = ("x", "y", "z")
    nine = {-1: [-1] + [0] * 8, 0: [0] * 9}
    columns = {
        **plain("orientation.", (*xyz, "w")), "orientation_covariance[]": lists([nine[-1]] * 2),
        **plain("angular_velocity.", xyz), "angular_velocity_covariance[]": lists([nine[0]] * 2),
        **plain("linear_acceleration.", xyz), "linear_acceleration_covariance[]": lists([nine[0]] * 2),
    }  # fmt: skip
    topic = MemoryTopic("/imu", "sensor_msgs/msg/Imu", seconds(1, 2), columns)
    fixed = [leaf.__class__(leaf.path, leaf.dtype, 9 if leaf.size is None else 1) for leaf in topic.leaves]
    topic = type("Imu", (MemoryTopic,), {"leaves": property(lambda self: tuple(fixed))})(**topic.__dict__)
    assert sorted(recording(topic).streams) == ["/imu:angular_velocity", "/imu:linear_acceleration"]


def test_a_list_of_poses_is_one_vector():
    per = {f"poses[].position.{a}": lists([[i, 10 + i], [i, 10 + i]]) for i, a in enumerate("xyz")}
    per |= {f"poses[].orientation.{a}": lists([[3 + i, 13 + i]] * 2) for i, a in enumerate("xyzw")}
    found = stream(MemoryTopic("/ee", "geometry_msgs/msg/PoseArray", seconds(1, 2), per), name="/ee:poses")
    assert values(found)[0].tolist() == [*range(7), *range(10, 17)]
    assert found.schema.names[6:8] == ("0.qw", "1.x")


def test_numbers_texts_and_flags_keep_their_type_and_headers_are_no_values():
    columns = {
        **header(EPOCH + seconds(1, 2)), "header.frame_id": texts(["a", "b"]), "flag": numbers([0, 1], "bool"),
        "count": numbers([3, 4], "int32"), "data[]": lists([[1, 2], [3, 4]]), "layout.data_offset": numbers([0, 0]),
        "note": texts(["x", "y"]),
    }  # fmt: skip
    found = recording(MemoryTopic("/m", "my/msg/Mixed", EPOCH + seconds(1, 2), columns)).streams
    assert {n: s.schema.dtype for n, s in found.items()} == {
        "/m:flag": "bool", "/m:count": "int32", "/m:data": "float64", "/m:note": "string",
    }  # fmt: skip
    assert list(found["/m:note"].take(np.array([0, 1]), CAPTURE)) == ["x", "y"]


def transforms(pairs, stamps, **more):
    """One message for each entry of pairs: a list of (parent, child, x)."""
    flat = [p for message in pairs for p in message]
    bounds = (np.cumsum([0, *(len(m) for m in pairs)]),)
    parents, children = texts([p for p, _, _ in flat]), texts([c for _, c, _ in flat])
    zero = LeafColumn(np.zeros(len(flat)), bounds)
    columns = {
        "transforms[].header.stamp.sec": LeafColumn(np.array(stamps) // S, bounds),
        "transforms[].header.stamp.nanosec": LeafColumn(np.array(stamps) % S, bounds),
        "transforms[].header.frame_id": LeafColumn(parents.values, bounds, parents.texts),
        "transforms[].child_frame_id": LeafColumn(children.values, bounds, children.texts),
        **{f"transforms[].transform.translation.{a}": zero for a in "yz"},
        **{f"transforms[].transform.rotation.{a}": zero for a in "xyzw"},
        "transforms[].transform.translation.x": LeafColumn(np.array([x for _, _, x in flat], float), bounds),
    }
    logged = EPOCH + np.arange(len(pairs)) * S
    return MemoryTopic(more.pop("name", "/tf"), "tf2_msgs/msg/TFMessage", logged, columns, **more)


def test_each_pair_of_frames_is_a_stream_with_stamps_of_its_own():
    stamps = [EPOCH, EPOCH - 7, EPOCH + S, EPOCH + S + 3]
    topic = transforms([[("base", "hand", 1), ("base", "eye", 2)], [("base", "hand", 3), ("hand", "tip", 4)]], stamps)
    found = recording(topic).streams
    assert sorted(found) == ["/tf:base->eye", "/tf:base->hand", "/tf:hand->tip"]
    assert values(found["/tf:base->hand"])[:, 0].tolist() == [1, 3]
    assert found["/tf:base->hand"].times(HEADER).tolist() == [EPOCH, EPOCH + S]
    assert found["/tf:base->hand"].remarks() == ()


def test_static_transforms_hold_always_with_their_last_value():
    topic = transforms([[("base", "eye", 1)], [("base", "eye", 2)]], [EPOCH, EPOCH], name="/tf_static", latched=True)
    found = stream(topic, name="/tf_static:base->eye")
    assert (found.static, found.clocks) == (True, {})
    assert found.times("any").tolist() == [STATIC_NS]
    assert values(found)[:, 0].tolist() == [2]


def test_a_latched_task_holds_from_the_start_of_the_recording():
    drive = MemoryTopic("/a", "T", EPOCH + seconds(1, 2, 3, 4), {"data": numbers([1, 2, 3, 4])})
    said = MemoryTopic(
        "/task", "std_msgs/msg/String", EPOCH + seconds(2, 3), {"data": texts(["go", "stop"])}, latched=True
    )
    once = MemoryTopic("/once", "std_msgs/msg/String", EPOCH + seconds(3), {"data": texts(["go"])}, latched=True)
    found = recording(drive, said, once).streams
    assert found["/task:data"].times(CAPTURE).tolist() == [EPOCH + S, EPOCH + 3 * S]
    assert found["/once:data"].static


def test_stamps_of_another_computer_are_moved_as_one_and_the_offset_is_told():
    logged = EPOCH + every(10, 2)
    far = logged - 6 * DAY
    cam = MemoryTopic("/cam", "T", logged, {**header(far - 30_000_000), "v": numbers(np.zeros(20))})
    state = MemoryTopic("/state", "T", logged, {**header(far - 10_000_000), "v": numbers(np.zeros(20))})
    cmd = MemoryTopic("/cmd", "T", logged, {**header(logged - 5_000_000), "v": numbers(np.zeros(20))})
    bare = MemoryTopic("/bare", "T", logged, {"v": numbers(np.zeros(20))})
    found = recording(cam, state, cmd, bare).streams
    moved = {name: int(s.times(CAPTURE)[0] - EPOCH) for name, s in found.items()}
    assert moved == {"/cam:v": -10_000_000, "/state:v": 10_000_000, "/cmd:v": -5_000_000, "/bare:v": 0}
    assert found["/cam:v"].remarks() == (
        ("clock-offset", "stamped by a clock of its own, with /state: moved by +6.000 days onto the recorder's"),
    )
    assert found["/cmd:v"].remarks() == ()
    assert HEADER not in found["/bare:v"].clocks


@pytest.mark.parametrize(
    ("stamps", "said"),
    [([0, S, 2 * S], "1 unset"), ([3 * S, S, 4 * S], "1 going back"), ([S, 2 * S, 90 * S], "1 jumping by over 1 s")],
)
def test_stamps_that_cannot_be_used_give_way_to_the_recorders_time_and_it_is_said(stamps, said):
    logged = EPOCH + seconds(1, 2, 3)
    topic = MemoryTopic("/m", "T", logged, {**header(np.array(stamps)), "v": numbers([1, 2, 3])})
    found = stream(topic, name="/m:v")
    assert found.times(CAPTURE).tolist() == logged.tolist()
    ((code, message),) = found.remarks()
    assert code == "clock-stamps"
    assert message.startswith(said)


def test_a_recorder_that_counts_milliseconds_is_put_right():
    logged = (EPOCH + seconds(1, 2, 3)) // 10**6
    topic = MemoryTopic("/m", "T", logged, {**header(EPOCH + seconds(1, 2, 3)), "v": numbers([1, 2, 3])})
    found = stream(topic, name="/m:v")
    assert found.times(LOG_TIME).tolist() == (EPOCH + seconds(1, 2, 3)).tolist()
    assert found.remarks() == (("clock-unit", "the recorder's times count milliseconds, not ns; taken as such"),)


def test_messages_that_cannot_be_read_are_no_samples_and_are_counted():
    topic = MemoryTopic("/m", "T", seconds(1, 2, 3), {"v": numbers([1, 3])}, failures=(Failure(1, "too short"),))
    found = stream(topic, name="/m:v")
    assert found.times(LOG_TIME).tolist() == [S, 3 * S]
    assert found.remarks() == (("source-messages", "1 of 3 messages cannot be read; message 1: too short"),)


def test_a_topic_that_cannot_be_read_is_named_and_the_others_are_not_lost():
    odd = MemoryTopic("/odd", "X", seconds(1), {}, encoding="flatbuffer", unreadable="FlatBuffers are not supported")
    blind = MemoryTopic("/cam", "Y", seconds(1), {"format": texts(["?"]), "data[]": lists([[1, 2]], "uint8")})
    good = MemoryTopic("/m", "T", seconds(1), {"v": numbers([1])})
    empty = MemoryTopic("/never", "T", seconds(), {"v": numbers([])})
    found = recording(odd, blind, good, empty)
    assert list(found.streams) == ["/m:v"]
    assert [(item.stream, item.what, item.why.partition(":")[0]) for item in found.left_out] == [
        ("/odd", "unreadable", "X, flatbuffer"),
        ("/cam", "unreadable", "Y, cdr"),
        ("/never", "offered", "no message of it was recorded"),
    ]


def motors(names, q, *, name="/arm", **more):
    """Messages with an array of structures: motors[].name and motors[].q."""
    flat = text_lists(names)
    columns = {"motors[].q": lists(q), **({} if names is None else {"motors[].name": flat})}
    return MemoryTopic(name, "my_msgs/msg/ArmState", EPOCH + np.arange(len(q)) * S // 10, {**columns, **more})


def test_arrays_of_structures_are_vectors_named_by_their_items():
    found = recording(motors([["a", "b"], ["b", "a"]], [[1, 2], [4, 3]])).streams
    assert list(found) == ["/arm:motors.q"]
    assert found["/arm:motors.q"].schema.names == ("a", "b")
    assert values(found["/arm:motors.q"]).tolist() == [[1, 2], [3, 4]]


def test_arrays_without_names_are_numbered_and_lists_in_them_are_flat():
    bounds = (np.array([0, 2, 4]), np.array([0, 3, 6, 9, 12]))
    columns = {
        "motor_state[].q": lists([[1, 2], [3, 4]]),
        "motor_state[].temperature[]": LeafColumn(np.arange(12, dtype=np.int16), bounds),
        "imu.quaternion[]": lists([[0, 0, 0, 1]] * 2),
    }
    found = recording(MemoryTopic("/lowstate", "unitree_hg/msg/LowState", seconds(1, 2), columns)).streams
    assert {name: s.schema.names for name, s in found.items()} == {
        "/lowstate:motor_state.q": ("motor_state_0", "motor_state_1"),
        "/lowstate:motor_state.temperature": tuple(f"temperature_{i}" for i in range(6)),
        "/lowstate:imu.quaternion": None,
    }
    assert values(found["/lowstate:motor_state.temperature"]).tolist() == [[*range(6)], [*range(6, 12)]]


def test_parallel_lists_of_names_and_poses_are_one_vector():
    per = {f"pose[].position.{a}": lists([[i, 10 + i], [i, 10 + i]]) for i, a in enumerate("xyz")}
    per |= {f"pose[].orientation.{a}": lists([[3 + i, 13 + i]] * 2) for i, a in enumerate("xyzw")}
    links = MemoryTopic(
        "/links", "gazebo_msgs/msg/LinkStates", seconds(1, 2), {"name[]": text_lists([["l", "r"]] * 2), **per}
    )
    found = stream(links, name="/links:pose")
    assert found.schema.names[:8] == ("l.x", "l.y", "l.z", "l.qx", "l.qy", "l.qz", "l.qw", "r.x")
    assert values(found)[0].tolist() == [*range(7), *range(10, 17)]


def test_lists_of_lists_are_flat():
    column = LeafColumn(np.arange(8.0), (np.array([0, 2, 4]), np.array([0, 2, 4, 6, 8])))
    found = stream(MemoryTopic("/m", "", seconds(1, 2), {"matrix[][]": column}, encoding="json"), name="/m:matrix")
    assert values(found).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_arrays_whose_length_changes_are_named_once_with_the_reason():
    sizes = [[1] * n for n in (1, 3, 0, 2)]
    columns = {"detections[].id": lists(sizes, "int32"), "detections[].x": lists(sizes), "data[]": lists(sizes)}
    found = recording(MemoryTopic("/tags", "T", seconds(1, 2, 3, 4), {**columns, "frame": numbers([1, 2, 3, 4])}))
    assert list(found.streams) == ["/tags:frame"]
    why = "messages have 1 to 3 items; a feature needs the same number in all"
    assert [(i.stream, i.what, i.why) for i in found.left_out] == [
        ("/tags:detections", "unreadable", why),
        ("/tags:data", "unreadable", why),
    ]


def test_bytes_are_numbers_in_multiarrays_and_where_they_are_few():
    fixed = {"layout.data_offset": numbers([0, 0], "uint32"), "data[]": lists([[1, 2], [3, 4]], "uint8")}
    few = {"buttons[]": lists([[1, 0], [0, 1]], "uint8")}
    many = {"cloud[]": lists([[7] * 2000] * 2, "uint8")}
    topics = [MemoryTopic(f"/{n}", n, seconds(1, 2), c) for n, c in (("multi", fixed), ("few", few), ("many", many))]
    found = recording(*topics)
    assert sorted(found.streams) == ["/few:buttons", "/multi:data"]
    assert values(found.streams["/multi:data"]).tolist() == [[1, 2], [3, 4]]
    assert [(i.stream, i.what) for i in found.left_out] == [("/many:cloud", "unreadable")]


def test_lists_that_are_empty_in_all_messages_are_quiet():
    columns = {"voltage": numbers([1, 2]), "cell_voltage[]": lists([[], []]), "cells[].v": lists([[], []])}
    found = recording(MemoryTopic("/battery", "sensor_msgs/msg/BatteryState", seconds(1, 2), columns))
    assert (list(found.streams), found.left_out) == (["/battery:voltage"], ())


def test_a_list_that_only_one_message_fills_is_no_list_that_is_always_empty():
    columns = {"ranges[]": lists([[1, 2] if i == 7 else [] for i in range(500)])}
    found = stream(MemoryTopic("/scan", "T", EPOCH + np.arange(500) * S, columns), name="/scan:ranges")
    assert values(found).tolist() == [[1, 2]]


def test_a_topic_of_which_no_message_can_be_read_is_unreadable():
    bad = MemoryTopic(
        "/bad", "T", seconds(1, 2), {"v": numbers([])}, failures=(Failure(0, "short"), Failure(1, "short"))
    )
    found = recording(bad)
    assert not found.streams
    assert [(i.stream, i.what) for i in found.left_out] == [("/bad", "unreadable")]
    assert "none of its 2 messages can be read; message 0: short" in found.left_out[0].why


def test_a_topic_whose_type_changes_is_unreadable_and_the_others_are_not():
    a = MemoryTopic("/m", "A", seconds(1), {"v": numbers([1])})
    b = MemoryTopic("/m", "B", seconds(1), {"v": numbers([1])})
    never = MemoryTopic("/ok", "B", seconds(), {"v": numbers([])})
    found = recording(a, b, never, MemoryTopic("/ok", "C", seconds(1), {"v": numbers([1])}))
    assert list(found.streams) == ["/ok:v"]
    assert [(i.stream, i.what, i.why) for i in found.left_out] == [
        ("/m", "unreadable", "its type changes within the recording: A, cdr; B, cdr")
    ]


def test_what_a_recording_says_as_a_whole_is_kept():
    kinds = (("a", "revolute"), ("f", "fixed"), ("b", "prismatic"))
    joints_of = "".join(f'<joint name="{name}" type="{kind}"/>' for name, kind in kinds)
    urdf = f"<robot>{joints_of}</robot>"
    described = MemoryTopic(
        "/robot_description", "std_msgs/msg/String", seconds(1), {"data": texts([urdf])}, latched=True
    )
    info = MemoryTopic(
        "/cam/info", "sensor_msgs/msg/CameraInfo", seconds(1, 2),
        {"width": numbers([640] * 2, "int32"), "height": numbers([480] * 2, "int32"), "k[]": lists([[1, 2], [1, 3]])},
    )  # fmt: skip
    attached = Attachment("arm.urdf", "application/xml", 0, len(urdf), urdf.encode)
    metadata = (("run", {"success": "true", "task": "pick"}), ("other", {"task": "place"}))
    found = recording(described, info, attachments=(attached,), metadata=metadata)
    assert found.streams == {}
    assert found.attrs == {
        "success": "true", "run.task": "pick", "other.task": "place",
        "attachment arm.urdf": f"application/xml, {len(urdf)} bytes; joints a, b",
        "urdf_joints": "a, b",
        "calibration /cam/info": "width 640; height 480; k[] 1 2 (changes within the recording)",
    }  # fmt: skip
