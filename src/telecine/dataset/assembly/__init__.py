"""A dataset made of episodes that other datasets hold: rows renumbered, videos linked or copied, metadata made anew.

Read `assemble.py` first. Nothing is decoded but what a cut goes through; what stays is the same bits.
"""
