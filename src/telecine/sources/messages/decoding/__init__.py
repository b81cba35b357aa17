"""Messages to columns: CDR and ROS 1, protobuf and JSON, by their definitions."""
