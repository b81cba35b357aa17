"""python examples/ros2_node.py OUT: a ROS 2 node; each callback adds to its own stream, by the stamp of the message."""

import sys

import numpy as np

from telecine import Recorder


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class RecordingNode:
    """Subscribes with `node`, an rclpy.node.Node; `joint_state` and `image` are the types of the messages."""

    def __init__(self, node, recorder: Recorder, joint_state, image) -> None:
        self._state, self._camera = recorder.stream("observation.state"), recorder.stream("observation.images.front")
        node.create_subscription(joint_state, "joint_states", self.on_joints, 10)
        node.create_subscription(image, "image_raw", self.on_image, 10)

    def on_joints(self, message) -> None:
        self._state.add(stamp_ns(message), np.array(message.position))

    def on_image(self, message) -> None:
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
        self._camera.add(stamp_ns(message), pixels[:, : 3 * message.width].reshape(message.height, message.width, 3))


if __name__ == "__main__":
    import rclpy
    from sensor_msgs.msg import Image, JointState

    rclpy.init()
    with Recorder(sys.argv[1], fps=30, max_age={"observation.state": 0.2}) as recorder:
        node = rclpy.create_node("recorder")
        RecordingNode(node, recorder, JointState, Image)
        recorder.start_episode("put the pen in the cup")
        rclpy.spin(node)  # Ctrl-C ends it: the episode is written with the fact `interrupted`
