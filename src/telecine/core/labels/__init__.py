"""What spans of an episode's rows are: subtasks, interventions, spoken words. `core/label.py` has the value."""
