"""A simulated robot to record from: no hardware, no display, no GPU (extra `sim`: MuJoCo).

Read `expert.py` (what is done), then `play.py` (how), then `recordings.py` (what comes out).
"""
