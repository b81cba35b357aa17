"""ROS 2 bags: SQLite files, and folders with a metadata.yaml."""
