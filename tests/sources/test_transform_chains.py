"""End-effector poses that transforms add up to, link by link."""

import numpy as np
import pytest

from support.mcap import START_NS, Said, header, make, write_mcap
from telecine import inspect
from telecine.sources import registry

HZ, COUNT = 50, 60

pytestmark = pytest.mark.usefixtures("mcap")


def turn(axis, angle):
    """A quaternion x, y, z, w about one axis."""
    found = np.zeros(4)
    found[axis], found[3] = np.sin(angle / 2), np.cos(angle / 2)
    return found


def matrix(place, quaternion):
    """The same as (4, 4), by the textbook's formula of Rodrigues."""
    axis, w = np.array(quaternion[:3]), quaternion[3]
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    found = np.eye(4)
    found[:3, :3] = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    found[:3, 3] = place
    return found


LINKS = {
    ("base_link", "shoulder"): lambda i: ((0, 0, 0.3), turn(2, i / 20)),
    ("shoulder", "wrist_3_link"): lambda i: ((0.4, 0.1, i / 100), turn(1, -i / 30)),
}
FIXED = {("wrist_3_link", "tool0"): lambda i: ((0, 0.02, 0.1), turn(0, 0.5))}


def transforms(i, links, stamp):
    parts = []
    for (parent, child), pose in links.items():
        place, rotation = pose(i)
        value = make(
            "geometry_msgs/msg/Transform",
            make("geometry_msgs/msg/Vector3", *map(float, place)),
            make("geometry_msgs/msg/Quaternion", *map(float, rotation)),
        )
        parts.append(make("geometry_msgs/msg/TransformStamped", header(stamp, parent), child, value))
    return make("tf2_msgs/msg/TFMessage", parts)


def said(topic, i, links):
    stamp = START_NS + i * 10**9 // HZ
    return Said(topic, "tf2_msgs/msg/TFMessage", transforms(i, links, stamp), stamp + 1000, stamp)


def recording(tmp_path, moving=LINKS, fixed=FIXED, more=()):
    messages = [said("/tf_static", 0, fixed), *(said("/tf", i, moving) for i in range(COUNT)), *more]
    path = write_mcap(tmp_path / "x.mcap", sorted(messages, key=lambda m: m.log_ns))
    return registry.open(registry.find([path]).refs[0])


def poses(stream):
    clock = "capture_time"
    times = stream.times(clock)
    return times, stream.take(np.arange(times.size), clock)


def test_a_tool_behind_moving_and_fixed_links_has_its_pose_in_the_base(tmp_path):
    with recording(tmp_path) as opened:
        stream = opened.streams["/tf:base_link->tool0"]
        times, found = poses(stream)
        assert times.size == COUNT
        assert stream.backwards("capture_time") == 0
        for i in (0, 17, COUNT - 1):
            wanted = np.eye(4)
            for link in (*LINKS.values(), *FIXED.values()):
                wanted = wanted @ matrix(*link(i))
            assert np.allclose(matrix(found[i, :3], found[i, 3:]), wanted)
    proposal = inspect(tmp_path / "x.mcap").proposal
    assert proposal.body["features"]["observation.state"] == "/tf:base_link->tool0"


def test_a_link_that_stops_leaves_no_rows(tmp_path):
    first, second = LINKS.items()
    more = [said("/tf", i, dict([first])) for i in range(20)]
    with recording(tmp_path, dict([second]), more=more) as opened:
        times, _ = poses(opened.streams["/tf:base_link->tool0"])
        last = (times[-1] - times[0]) / 1e9
        assert 19 / HZ <= last <= 19 / HZ + 0.26  # five periods, at least a quarter of a second


@pytest.mark.parametrize(
    ("moving", "fixed"),
    [
        ({("base_link", "tool0"): LINKS["base_link", "shoulder"]}, {}),  # straight: its own stream
        (
            {("torso", "shoulder"): LINKS["base_link", "shoulder"]},
            {("shoulder", "tool0"): FIXED["wrist_3_link", "tool0"]},
        ),
        ({**LINKS, ("other", "wrist_3_link"): LINKS["base_link", "shoulder"]}, FIXED),  # two parents
        (LINKS, {}),  # nothing is called a tool
    ],
)
def test_nothing_is_made_up_where_the_links_do_not_lead_from_base_to_tool(tmp_path, moving, fixed):
    with recording(tmp_path, moving, fixed) as opened:
        chains = [name for name in opened.streams if "base_link->" in name]
        assert chains == [f"/tf:{parent}->{child}" for parent, child in moving if parent == "base_link"]


def test_each_side_has_the_tool_that_is_farthest(tmp_path):
    moving = {
        (parent, child): LINKS["base_link", "shoulder"]
        for side in ("left", "right")
        for parent, child in (("base_link", f"{side}_arm"), (f"{side}_arm", f"{side}_flange"))
    }
    fixed = {("right_flange", "right_tcp"): FIXED["wrist_3_link", "tool0"]}
    with recording(tmp_path, moving, fixed) as opened:
        chains = {n for n, s in opened.streams.items() if type(s).__name__ == "ChainStream"}
        assert chains == {"/tf:base_link->left_flange", "/tf:base_link->right_tcp"}
