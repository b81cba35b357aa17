"""Write a LeRobot v3.0 dataset once, whole or not at all; read it; verify it.

Start with `writer.py`. `rolling_files.py` has the files that grow, `staging.py` the folder that becomes the dataset,
`episode_check.py` what an episode must be like; names and schemas of files are in `lerobot_format`. `reader.py` and
`verify/` read the result and share nothing with the writer but those.
"""
