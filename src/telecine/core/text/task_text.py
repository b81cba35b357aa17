"""What a task text must not be: nothing, or the words that stand for it in a command that telecine prints."""

TASK_TO_GIVE = "DESCRIBE THE TASK"
"""Stands in printed commands for the text that only a person can give."""


def task_problem(text: str) -> str:
    """Why `text` cannot be a task; "" when it can.

    >>> task_problem("DESCRIBE THE TASK")
    'the task text is still the words that stand for it; say what the robot does, such as "pick up the red cube"'
    """
    if not text.strip():
        return "the task text is empty; policies are conditioned on it"
    if text.strip() in ("...", "…", TASK_TO_GIVE):
        said = "the task text is still the words that stand for it"
        return f'{said}; say what the robot does, such as "pick up the red cube"'
    return ""
