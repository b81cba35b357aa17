"""The room of datasets: write a LeRobot v3.0 dataset once, whole or not at all, read it, verify it.

May import core and video. Start with `writer.py`; `layout.py` and `schema.py` say what the files are called and
hold (pure), `growing.py` and `stage.py` how they grow and appear, `check.py` what an episode must be like.
`reader.py` and `verify.py` read the result and share nothing with the writer but the names in `layout.py`.
"""
