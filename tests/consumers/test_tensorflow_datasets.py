"""RLDS by TensorFlow Datasets itself: what its writer leaves and its reader gives, beside what telecine reads.

In an environment of its own (install.py), because TensorFlow is one of 300 MB.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from consumers.install import program
from support.hdf5 import patch_colours
from support.proposed import shown_frame
from telecine import convert
from telecine.dataset.reader import Dataset
from telecine.sources import registry

pytestmark = pytest.mark.long
SAMPLE = Path(__file__).parents[3] / "shared/samples/rlds"

WRITE = """
import sys
import numpy as np
import tensorflow_datasets as tfds
F = tfds.features
STEP = {
    "observation": F.FeaturesDict({"image": F.Image(shape=(48, 64, 3), encoding_format="jpeg"),
                                   "state": F.Tensor(shape=(7,), dtype=np.float32)}),
    "action": F.Tensor(shape=(7,), dtype=np.float32), "reward": F.Scalar(np.float32), "discount": F.Scalar(np.float32),
    "is_first": F.Scalar(np.bool_), "is_last": F.Scalar(np.bool_), "is_terminal": F.Scalar(np.bool_),
    "language_instruction": F.Text(),
}
class Arms(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    def _info(self):
        metadata = F.FeaturesDict({"file_path": F.Text()})
        features = F.FeaturesDict({"steps": F.Dataset(STEP), "episode_metadata": metadata})
        return tfds.core.DatasetInfo(builder=self, features=features, description="arms", homepage="x", citation="x")
    def _split_generators(self, manager):
        return {"train": self._generate_examples(0, 5), "val": self._generate_examples(5, 2)}
    def _generate_examples(self, first, count):
        for episode in range(first, first + count):
            values, steps = np.random.default_rng(episode), 6 + episode
            rows = []
            for i in range(steps):
                image = np.zeros((48, 64, 3), np.uint8)
                for third in range(3):
                    image[:, third * 64 // 3 : (third + 1) * 64 // 3, third] = 220
                image[:8, i % 64] = 255
                rows.append({"observation": {"image": image, "state": values.random(7, np.float32)},
                             "action": values.random(7, np.float32), "reward": np.float32(i == steps - 1),
                             "discount": np.float32(1), "is_first": i == 0, "is_last": i == steps - 1,
                             "is_terminal": i == steps - 1, "language_instruction": f"pick cube {episode}"})
            yield episode, {"steps": rows, "episode_metadata": {"file_path": f"{episode}.npy"}}
Arms(data_dir=sys.argv[1], file_format=sys.argv[2]).download_and_prepare()
"""
READ = """
import sys
import numpy as np
import tensorflow_datasets as tfds
folder, out, state = sys.argv[1:]
builder = tfds.builder_from_directory(folder)
found = {"action": [], "state": [], "image": [], "lengths": [], "texts": [], "splits": []}
shards = builder.info.file_format.value
for split in sorted(builder.info.splits):
    of_arrays = shards == "array_record"
    for episode in builder.as_data_source(split) if of_arrays else tfds.as_numpy(builder.as_dataset(split=split)):
        rows = list(episode["steps"])
        found["lengths"].append(len(rows))
        found["splits"].append(split)
        found["texts"].append(rows[0]["language_instruction"].decode())
        found["action"] += [row["action"] for row in rows]
        found["state"] += [row["observation"][state] for row in rows]
        camera = next(name for name in sorted(rows[0]["observation"]) if name.startswith("image"))
        found["image"] += [rows[0]["observation"][camera], rows[-1]["observation"][camera]]
np.savez(out, **{name: np.array(values) for name, values in found.items()})
"""


def run(script, *arguments):
    """A script in the environment of TensorFlow Datasets."""
    if not program("tfds").is_file():
        pytest.skip("needs its environment: python tests/consumers/install.py tfds")
    environment = {
        "PATH": "/usr/bin:/bin",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "HOME": "/nowhere",
    }
    command = [program("tfds"), "-W", "ignore", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def rows(dataset, key):
    found = [np.array(dataset.rows(e.index, [key])[key].to_pylist()) for e in dataset.episodes]
    return np.concatenate(found).astype("f4")


@pytest.mark.parametrize("container", ["tfrecord", "array_record"])
def test_a_dataset_of_its_own_writer_reads_as_its_own_reader_reads_it(crc32c, tmp_path, container):
    run(WRITE, tmp_path / "in", container)
    (version,) = (tmp_path / "in/arms").iterdir()
    run(READ, version, tmp_path / "own.npz", "state")
    own = np.load(tmp_path / "own.npz")
    report = convert(tmp_path / "in", tmp_path / "out", rate=10)
    assert report.ok
    dataset = Dataset(tmp_path / "out")
    assert [e.length for e in dataset.episodes] == own["lengths"].tolist()
    assert [e.tasks[0] for e in dataset.episodes] == own["texts"].tolist()
    assert [p["recording_id"].split("-")[0].strip("/") for p in dataset.provenance] == own["splits"].tolist()
    assert np.array_equal(rows(dataset, "action"), own["action"])
    assert np.array_equal(rows(dataset, "observation.state"), own["state"])
    for episode, length in enumerate(own["lengths"].tolist()):
        for row, frame in ((0, own["image"][2 * episode]), (length - 1, own["image"][2 * episode + 1])):
            shown = shown_frame(dataset, "observation.images.image", row, episode)
            assert patch_colours(shown) == [0, 1, 2]
            assert np.abs(shown.astype(int) - frame.astype(int)).mean() < 12


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="outside this repository: a dataset of another project")
def test_a_real_bridge_dataset_reads_as_tensorflow_datasets_reads_it(crc32c, tmp_path):
    (place,) = SAMPLE.rglob("features.json")
    run(READ, place.parent, tmp_path / "own.npz", "state")
    own = np.load(tmp_path / "own.npz")
    refs = registry.find([place.parent]).refs
    assert len(refs) == len(own["lengths"])
    assert [ref.id.split("-")[0].strip("/") for ref in refs] == own["splits"].tolist()
    start = 0
    for ref, length, text in zip(refs, own["lengths"].tolist(), own["texts"].tolist(), strict=True):
        with registry.open(ref) as recording:
            for stream, key in (("/action", "action"), ("/observation/state", "state")):
                values = recording.streams[stream].take(np.arange(length), "step")
                assert np.array_equal(values.astype("f4"), own[key][start : start + length].astype("f4"))
            instruction = recording.streams["/language_instruction"].take(np.array([0]), "step")
            assert instruction == [text]
        start += length
    assert start == len(own["action"])
