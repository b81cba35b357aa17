"""Robots read from URDF files, by MuJoCo, the only package that does: extra `kinematics`."""
