"""The command line: flags into a plan, a run, and what people or machines are told of it.

Read `main.py` first. Commands import what they need when they run, so that `telecine --help` stays quick.
"""
