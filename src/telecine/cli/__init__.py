"""The command line: flags into a plan, a run, and its output for people and for machines.

Read `main.py` first. Commands import what they need when they run, so that `telecine --help` stays quick.
"""
