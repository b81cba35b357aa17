"""The dataset card: facts, licence, defects; and somebody's own text, which stays."""

import pytest

from support.dataset import TOP, clip, episode, write
from telecine.core.findings import Finding
from telecine.dataset.card import as_written, card, completed, is_license, license_of
from telecine.dataset.reader import Dataset

INFO = {
    "fps": 30, "codebase_version": "v3.0", "total_episodes": 2, "total_frames": 90,
    "features": {
        "action": {"dtype": "float32", "shape": [2], "names": {"motors": ["pan", "lift"]}},
        "observation.images.top": {"dtype": "video", "shape": [4, 6, 3], "names": None, "info": None},
    },
}  # fmt: skip
DARK = Finding("look-dark", "warning", "episode 3 top", "dark: mean brightness 4 of 255")


def test_a_card_of_what_lerobot_wrote_needs_none_of_our_keys():
    text = card(INFO, ["pick"])
    assert "| `action` | float32 | 2 | pan, lift |" in text
    assert "| Robot | not given |" in text
    assert "| Cameras | 1 |" in text
    assert "video (unknown codec)" in text
    assert "## Defects" not in text
    assert license_of(text) is None


def test_the_licence_stands_in_the_front_matter_and_defects_are_listed_with_their_place():
    text = card(INFO, ["pick"], license="cc-by-4.0", defects=[DARK])
    assert text.startswith("---\nlicense: cc-by-4.0\ntags:\n")
    assert "- episode 3 top: dark: mean brightness 4 of 255 (`look-dark`)" in text
    assert "`telecine inspect` found none." in card(INFO, ["pick"], defects=[])
    many = [Finding("look-dark", "warning", f"episode {i}", f"dark {i}") for i in range(40)]
    assert "- and 10 more: `telecine inspect` lists them" in card(INFO, ["pick"], defects=many)


@pytest.mark.parametrize("plan", [None, "fps: 30\n"])
def test_what_pushing_adds_can_be_taken_off_again(plan):
    text = card(INFO, ["pick"], plan, license="mit", defects=[DARK])
    assert as_written(text) == card(INFO, ["pick"], plan)


def test_a_card_of_ones_own_keeps_its_text_and_gets_the_facts_once():
    ours = card(INFO, ["pick"], license="mit", defects=[])
    made = completed("# My robot\n\nIt is blue.\n", ours)
    assert license_of(made) == "mit"
    assert made.count("It is blue.") == made.count("| Episodes | 2 |") == made.count("- LeRobot") == 1
    again = completed(made, card(INFO | {"total_episodes": 9}, ["pick"], license="apache-2.0", defects=[]))
    assert license_of(again) == "mit"  # stated already
    assert again.count("It is blue.") == again.count("| Episodes | 9 |") == 1
    assert "| Episodes | 2 |" not in again


def test_front_matter_of_ones_own_gets_only_the_licence():
    made = completed("---\ntags:\n- mine\n---\ntext\n", card(INFO, ["pick"], license="mit"))
    assert made.startswith("---\nlicense: mit\ntags:\n- mine\n---\ntext\n")


@pytest.mark.parametrize(("text", "right"), [("apache-2.0", True), ("other", True), ("All rights", False), ("", False)])
def test_licences_are_identifiers(text, right):
    assert is_license(text) is right


def test_a_dataset_that_grows_keeps_its_licence(tmp_path):
    from telecine.dataset.writer import DatasetWriter
    from telecine.inspection.dataset_card import dataset_card

    root = write(tmp_path / "out", [episode(40, clips=[clip(tmp_path, TOP, 40)])])
    (root / "README.md").write_text(dataset_card(root, "mit"))
    assert "## Defects" in (root / "README.md").read_text()
    with DatasetWriter.append(root, fps=30, robot_type="arm") as writer:
        writer.add(episode(40, 1, clips=[clip(tmp_path, TOP, 40, episode=1)]))
        writer.commit()
    text = (root / "README.md").read_text()
    assert license_of(text) == "mit"
    assert "| Episodes | 2 |" in text
    assert len(Dataset(root)) == 2
