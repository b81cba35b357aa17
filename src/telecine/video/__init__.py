"""The only user of PyAV: packets indexed, read, copied and appended; frames decoded, converted and encoded.

May import `core` alone. Read `decode.py` and `encode.py` first; `presets.py` has what is written, `colour.py` why it
looks the same everywhere. The copy path starts at `copy.py`.
"""
