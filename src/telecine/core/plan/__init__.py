"""What to take from recordings and how: the plan, its parts, and whether it fits a recording."""
