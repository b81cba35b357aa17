"""The script of Rerun's guide "Export robot recordings to LeRobot datasets", section by section.

A user's script: nothing of it is telecine's but the import. The server is bound to loopback, which the guide leaves
to the default. Run it in a folder that holds `robot_recordings`.
"""

import shutil
from pathlib import Path

import rerun as rr

from telecine.compat.rerun_export import (
    LeRobotConversionConfig,
    LeRobotDataset,
    VideoSpec,
    convert_dataframe_to_episode,
    infer_features,
)

CONTENTS = ["/action/joint_positions", "/observation/joint_positions", "/camera/**", "/language_instruction"]

# Setup: each recording becomes a segment.
server = rr.server.Server(datasets={"robot_dataset": Path("robot_recordings")}, host="127.0.0.1")
dataset = server.client().get_dataset(name="robot_dataset")

# Filter data for training.
segment = min(dataset.segment_ids())
training_data = dataset.filter_segments(segment).filter_contents(CONTENTS).reader(index="real_time")

# Configure the export.
config = LeRobotConversionConfig(
    fps=15,
    index_column="real_time",
    action="/action/joint_positions:Scalars:scalars",
    state="/observation/joint_positions:Scalars:scalars",
    task="/language_instruction:TextDocument:text",
    videos=[
        VideoSpec(key="front", path="/camera/front", video_format="h264"),
        VideoSpec(key="wrist", path="/camera/wrist", video_format="h264"),
    ],
)

# Infer the features.
features = infer_features(table=training_data.to_arrow_table(), config=config)

# Create the dataset.
dataset_root = Path("lerobot_dataset")
if dataset_root.exists():
    shutil.rmtree(dataset_root)
lerobot_dataset = LeRobotDataset.create(
    repo_id="rerun/droid_lerobot",
    fps=config.fps,
    features=features,
    root=dataset_root,
    use_videos=config.use_videos,
    video_backend="h264x",
)

# Export one episode.
convert_dataframe_to_episode(
    df=training_data,
    config=config,
    lerobot_dataset=lerobot_dataset,
    segment_id=segment,
    features=features,
)
lerobot_dataset.finalize()

# Export many.
full_dataset = LeRobotDataset.create(
    repo_id="rerun/droid_lerobot_full",
    fps=config.fps,
    features=features,
    root="lerobot_dataset_full",
    use_videos=config.use_videos,
    video_backend="h264x",
)
for segment_id in sorted(dataset.segment_ids()):
    segment_data = dataset.filter_segments(segment_id).filter_contents(CONTENTS).reader(index="real_time")
    convert_dataframe_to_episode(
        df=segment_data,
        config=config,
        lerobot_dataset=full_dataset,
        segment_id=segment_id,
        features=features,
    )
full_dataset.finalize()

# Use the dataset.
print(f"Total episodes: {full_dataset.num_episodes}")
print(f"Total frames: {full_dataset.num_frames}")
sample = full_dataset[0]
print(sample.keys())
