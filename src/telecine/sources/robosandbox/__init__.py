"""RoboSandbox's run folders."""
