"""What every command does, as functions with the command's name and words; `telecine` publishes them."""
