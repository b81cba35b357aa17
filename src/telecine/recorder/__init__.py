"""Recording: what a robot's own program calls at each control step, and a simulated robot to try it with.

A recorder builds a recording in memory (pictures are coded as they come) and takes the road of every conversion:
`place`, `code`, the dataset writer. Read `recorder.py` first.
"""
