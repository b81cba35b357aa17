"""Other tools' command lines and function names, as thin adapters onto `convert`, `resample` and `DatasetWriter`.

May import everything below it; nothing imports it. Imports none of the tools it stands in for. Read
`rerun_export.py` first; `docs/rerun_export.md` sets the names side by side and lists what differs.
"""
