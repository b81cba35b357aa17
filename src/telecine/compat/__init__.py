"""Other tools' command lines and function names, as thin adapters onto `convert`, `place` and `DatasetWriter`.

May import everything below it; nothing imports it. Imports none of the tools it stands in for. Read
`rerun_export.py` first; `docs/rerun_export.md` sets the names side by side and says what differs.
"""
