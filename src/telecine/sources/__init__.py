"""Sources: what finds recordings and opens them, one package per format.

May import `core` and, for frames, `video`; never `dataset` or `run`. Read `format.py` first (what a format gives),
then `claims.py` (the table of formats), then `rrd/source.py`.
"""
