"""Environments of the programs that read our datasets, one each: their versions exclude each other and ours.

Of the projects whose own loaders read the same demonstrations as we do, only the package is laid into a folder; what it
needs of others (torch, h5py, gymnasium) is in our environment of the reference tests.

python tests/consumers/install.py [NAME ...] makes all, or those named, below .consumers; then `pytest -m long
tests/consumers` runs what each of them says of our datasets. Needs a package index; the tests themselves need none.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".consumers"
# LeRobot 0.3.3 asks for datasets <= 3.6.0, which is what openpi's lock has too; huggingface_hub 1.0 came later.
# fsspec, dill and multiprocess are those that datasets 3.6.0 asks for.
PACKAGES = {
    "lerobot-0.3.3": ["fsspec<=2025.3.0", "dill<0.3.9", "multiprocess<0.70.17", "jsonlines", "deepdiff", "draccus"],
    "ray": ["ray"],
    "daft": ["daft", "av", "numpy", "pillow"],
    "rdq": ["rdq[video]==0.3.4"],
    "robovet": ["robovet==0.2.2", "av"],
    "kalanos": ["kalanos==0.8.2"],
    "lerobot-doctor": ["lerobot-doctor==0.2.0"],
    "robot-report-card": ["robot-report-card[score]==0.1.0"],
    "tfds": ["tensorflow-cpu==2.21.0", "tensorflow-datasets==4.9.10", "importlib_resources", "pillow"],
}
BORROWING = {"lerobot-0.3.3": ["lerobot==0.3.3", "datasets==3.6.0", "huggingface_hub<1"], "ray": []}
"""Environments that see the packages of the one that runs this behind their own (torch, torchvision and, for Ray,
LeRobot 0.6.1), and what is installed there without what it needs: its own torch would be gigabytes."""
LOADERS = {"robomimic": "robomimic==0.3.0", "minari": "minari==0.5.4", "mani-skill": "mani-skill==3.0.1"}


def program(name: str, command: str = "python") -> Path:
    """A program of the environment of that name."""
    return FOLDER / name / "bin" / command


def install(name: str) -> None:
    """Make the environment or the folder, unless it is there."""
    if name in LOADERS:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            FOLDER / name,
            LOADERS[name],
        ]
        if not (FOLDER / name).is_dir():
            subprocess.run(command, check=True)
        return
    if not program(name).is_file():
        venv.create(FOLDER / name, with_pip=True)
    pip = [program(name), "-m", "pip", "install", "--quiet"]
    if name in BORROWING:
        own = subprocess.run([program(name), "-c", _WHERE], check=True, capture_output=True, text=True).stdout.strip()
        (Path(own) / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        if BORROWING[name]:
            subprocess.run([*pip, "--no-deps", *BORROWING[name]], check=True)
    subprocess.run([*pip, *PACKAGES[name]], check=True)


_WHERE = "import sysconfig; print(sysconfig.get_path('purelib'))"

if __name__ == "__main__":
    for chosen in sys.argv[1:] or (*PACKAGES, *LOADERS):
        install(chosen)
