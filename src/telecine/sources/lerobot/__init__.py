"""LeRobot datasets as recordings."""
