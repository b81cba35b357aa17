"""The calls of Rerun's guide "Export recordings to LeRobot datasets" (rerun 0.36), as a script of a user.

Nothing of it is telecine's but the import. Run it in a folder that holds `robot_recordings`.
"""

from pathlib import Path

import rerun as rr

from telecine.compat.rerun_lerobot import (
    LeRobotConversionConfig,
    LeRobotDataset,
    VideoSpec,
    convert_dataframe_to_episode,
    infer_features,
)

server = rr.server.Server(datasets={"robot_dataset": Path("robot_recordings")}, host="127.0.0.1")
dataset = server.client().get_dataset(name="robot_dataset")
paths = ["/action/joint_positions", "/observation/joint_positions", "/camera/**", "/language_instruction"]

first = dataset.segment_ids()[0]
data = dataset.filter_segments(first).filter_contents(paths).reader(index="real_time")

config = LeRobotConversionConfig(
    fps=15,
    index_column="real_time",
    action="/action/joint_positions:Scalars:scalars",
    state="/observation/joint_positions:Scalars:scalars",
    task="/language_instruction:TextDocument:text",
    videos=[VideoSpec(key=key, path=f"/camera/{key}", video_format="h264") for key in ("front", "wrist")],
)
features = infer_features(table=data.to_arrow_table(), config=config)


def new(name: str) -> LeRobotDataset:
    return LeRobotDataset.create(
        repo_id=f"rerun/{name}", fps=config.fps, features=features, root=Path(name), use_videos=config.use_videos
    )


one = new("one")
convert_dataframe_to_episode(df=data, config=config, lerobot_dataset=one, segment_id=first, features=features)
one.finalize()

every = new("every")
for segment in dataset.segment_ids():
    data = dataset.filter_segments(segment).filter_contents(paths).reader(index="real_time")
    convert_dataframe_to_episode(df=data, config=config, lerobot_dataset=every, segment_id=segment, features=features)
every.finalize()
print(f"Total episodes: {every.num_episodes}")
print(f"Total frames: {every.num_frames}")
