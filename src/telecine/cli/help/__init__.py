"""What `--help` and `telecine help` say, and how."""
