"""Messages of ROS, protobuf and JSON as streams, whatever container they come in."""
