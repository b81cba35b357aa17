"""Recording: what a robot's own program calls at each control step, and a simulated robot to try it with.

A recorder builds a recording in memory (frames are coded as they come) and goes through the steps of every conversion:
`resample`, `code`, the dataset writer. Read `recorder.py` first.
"""
