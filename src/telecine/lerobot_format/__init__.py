"""What LeRobot's metadata is: versions, paths and schemas, for writers and readers alike."""
