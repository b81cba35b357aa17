"""The dataset card: facts, licence, defects; and somebody's own text, which stays."""

import pytest

from support.dataset import TOP, clip, episode, write
from telecine.core.findings import Finding
from telecine.dataset.card import card, completed, is_as_written, is_license, license_of, repo_of
from telecine.dataset.reader import Dataset
from telecine.dataset.units import units_of
from telecine.lerobot_format.paths import DERIVED, PLAN

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


def test_a_card_says_how_to_look_load_and_train():
    text = card(INFO, ["pick"], repo_id="me/picks", sheet=True)
    assert "2 demonstrations of a robot, 3 s in all: state, action and 1 camera at 30 rows a second" in text
    assert "(https://huggingface.co/spaces/lerobot/visualize_dataset?path=/me/picks/episode_0)" in text
    assert '\ndataset = LeRobotDataset("me/picks")\n' in text
    assert '\n# from a folder: LeRobotDataset("me/picks", root="FOLDER")\n' in text
    assert "\nlerobot-train --dataset.repo_id=me/picks " in text
    assert "![Cameras](meta/telecine/cameras.jpg)\n\nFrom the left: `observation.images.top`.\n" in text
    assert "To fill in" not in text
    assert "![" not in card(INFO, ["pick"])
    assert repo_of(text) == "me/picks"


def test_a_card_that_was_not_published_has_the_name_to_fill():
    text = card(INFO, ["pick"])
    assert "<!-- To fill in: the name on the Hub." in text
    assert 'LeRobotDataset("USER/NAME")' in text
    assert repo_of(text) == repo_of("") == "USER/NAME"


def test_a_card_of_an_older_layout_names_who_reads_it_instead_of_a_trainer_that_does_not():
    text = card(INFO | {"codebase_version": "v2.1"}, ["pick"])
    assert "Layout v2.1 is read by LeRobot 0.3.3" in text
    assert "lerobot-train" not in text


def test_a_card_without_a_licence_has_the_line_to_fill_which_states_none():
    text = card(INFO, ["pick"])
    assert text.startswith("---\n# license: which one?")
    assert license_of(text) is None
    made = completed(text.replace("## Tasks", "## My tasks"), card(INFO, ["pick"], license="mit"))
    assert made.startswith("---\nlicense: mit\ntags:")


def test_units_stand_beside_the_features():
    features = INFO["features"] | {
        "observation.depth": {"dtype": "video", "shape": [4, 6, 1], "info": {"depth_unit": "mm"}}
    }
    text = card(INFO | {"features": features}, ["pick"], units={"action": "rad"})
    assert "| feature | type | shape | names | unit |" in text
    assert "| `action` | float32 | 2 | pan, lift | rad |" in text
    assert "| `observation.depth` | video (unknown codec) | 4 x 6 x 1 |  | mm |" in text
    assert "| unit |" not in card(INFO, ["pick"])


@pytest.mark.parametrize(
    ("plan", "units"),
    [
        ("action: {from: /a, units: deg to rad}", {"action": "rad"}),
        ("action: {from: /a, units: rad}", {"action": "rad"}),
        ("action: {from: [/a, /b]}", {}),
        ("observation.state: {from: [{stream: /a, units: mm to m}]}", {"observation.state": "m"}),
        ("observation.state: {from: [{stream: /a, units: mm to m}, /b]}", {}),
        ("action: {from: /a, units: rad}\n  pose: {from: /b, units: m}", {"action": "rad", "pose": "m"}),
    ],
)
def test_the_plan_states_units(tmp_path, plan, units):
    (tmp_path / PLAN).parent.mkdir(parents=True)
    (tmp_path / PLAN).write_text(f"fps: 30\nfeatures:\n  {plan}\n")
    assert units_of(tmp_path) == units


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ('{"action": {"units": "0 to 1"}}', {"action": "0 to 1"}),
        ('{"action": {"units": null}}', {}),
        ('{"speed": {"units": "m/s"}}', {"action": "rad", "speed": "m/s"}),
        ("[]", {"action": "rad"}),
        ("no JSON", {"action": "rad"}),
        ('{"action": {"units": 3}, "speed": 1}', {}),
    ],
)
def test_computed_columns_have_the_units_they_were_computed_into(tmp_path, text, units):
    (tmp_path / PLAN).parent.mkdir(parents=True)
    (tmp_path / PLAN).write_text("fps: 30\nfeatures:\n  action: {from: /a, units: rad}\n")
    (tmp_path / DERIVED).write_text(text)
    assert units_of(tmp_path) == units


@pytest.mark.parametrize("plan", [None, "fps: 30\n"])
@pytest.mark.parametrize("sheet", [False, True])
def test_what_is_filled_in_is_no_edit(plan, sheet):
    ours = card(INFO, ["pick"], plan, sheet=sheet)
    pushed = card(INFO, ["pick"], plan, license="mit", defects=[DARK], repo_id="me/picks", sheet=sheet)
    assert is_as_written(pushed, card(INFO, ["pick"], plan, repo_id="me/picks", sheet=sheet))
    by_hand = ours.replace("USER/NAME", "me/picks").replace("# license: which one?", "license: mit #")
    assert is_as_written(by_hand, card(INFO, ["pick"], plan, repo_id=repo_of(by_hand), sheet=sheet))
    start, stop = ours.index("## Look, load, train"), ours.index("## Features")
    assert is_as_written(ours[:start] + ours[stop:], ours)  # as cards were until they were pushed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dataset = ", "picks = "),
        ("--steps=100000", "--steps=2000"),
        ("# from a folder:", "# on our disk:"),
        ("Every episode", "Each episode"),
        ("## Tasks", "## What it does"),
    ],
)
def test_an_edit_is_an_edit_wherever_it_is(old, new):
    ours = card(INFO, ["pick"], sheet=True)
    assert old in ours
    assert not is_as_written(ours.replace(old, new), ours)


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


def test_a_dataset_that_grows_keeps_its_licence_and_its_name(tmp_path):
    from telecine.dataset.writer import DatasetWriter
    from telecine.inspection.dataset_card import dataset_card

    root = write(tmp_path / "out", [episode(40, clips=[clip(tmp_path, TOP, 40)])])
    (root / "README.md").write_text(dataset_card(root, "mit", repo_id="me/picks"))
    assert "## Defects" in (root / "README.md").read_text()
    with DatasetWriter.append(root, fps=30, robot_type="arm") as writer:
        writer.add(episode(40, 1, clips=[clip(tmp_path, TOP, 40, episode=1)]))
        writer.commit()
    text = (root / "README.md").read_text()
    assert license_of(text) == "mit"
    assert repo_of(text) == "me/picks"
    assert "| Episodes | 2 |" in text
    assert "![Cameras](meta/telecine/cameras.jpg)" in text
    assert len(Dataset(root)) == 2
