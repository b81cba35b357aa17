"""Labels in LeRobot: its reader gives them, and its renderer of recipes finds the right one in each row."""

from dataclasses import replace

from support.dataset import episode, write
from telecine.core.label import Label
from telecine.editing.edit import edit

LABELS = (
    Label(0, 6, "subtask", "reach"),
    Label(6, 24, "subtask", "grasp"),
    Label(0, 24, "task_aug", "take the cube"),
    Label(0, 24, "plan", "1. reach 2. grasp"),
    Label(9, 10, "interjection", "careful"),
    Label(9, 10, "speech", "I will"),
    Label(12, 18, "intervention", value=1.0),
)


def test_lerobot_reads_and_renders_what_labels_say(tmp_path, lerobot_dataset):
    from lerobot.configs.recipe import MessageTurn, TrainingRecipe
    from lerobot.datasets.language import column_for_style
    from lerobot.datasets.language_render import render_sample
    from lerobot.utils.collate import lerobot_collate_fn
    from torch.utils.data import DataLoader

    write(tmp_path / "in", [episode(9, 0), replace(episode(24, 1), labels=LABELS), episode(5, 2)])
    edit(tmp_path / "in", tmp_path / "out", trim="1:2..20", delete="2")
    dataset = lerobot_dataset(tmp_path / "out")
    assert dataset.meta.has_language_columns
    assert {column_for_style(e["style"]) for e in dataset[9]["language_persistent"]} == {"language_persistent"}
    recipe = TrainingRecipe(messages=[
        MessageTurn(role="user", content="${task}", stream="high_level"),
        MessageTurn(role="user", content="${interjection}", stream="high_level", if_present="interjection"),
        MessageTurn(role="assistant", content="${subtask}", stream="low_level", target=True, if_present="subtask"),
        MessageTurn(role="assistant", stream="high_level", tool_calls_from="speech", if_present="speech"),
    ])  # fmt: skip
    for position in range(len(dataset)):
        item = dataset[position]
        row = position - 9 + 2  # of the second source episode
        rendered = render_sample(
            recipe=recipe, persistent=item["language_persistent"], events=item["language_events"],
            t=float(item["timestamp"]), sample_idx=position, task=None, dataset_ctx={"task": item["task"]},
        )  # fmt: skip
        assert bool(item["intervention"]) == (position >= 9 and 12 <= row < 18)
        if position < 9:
            assert (rendered, item["language_persistent"]) == (None, [])
            continue
        messages = rendered["messages"]
        assert messages[0]["content"] == "take the cube"
        assert [m["content"] for m in messages if m["role"] == "assistant" and "content" in m] == [
            "reach" if row < 6 else "grasp"
        ]
        assert [m["content"] for m in messages[1:] if m["role"] == "user"] == (["careful"] if row == 9 else [])
        calls = [m["tool_calls"][0]["function"]["arguments"] for m in messages if "tool_calls" in m]
        assert calls == ([{"text": "I will"}] if row == 9 else [])
    batch = next(iter(DataLoader(dataset, batch_size=6, collate_fn=lerobot_collate_fn)))
    assert tuple(batch["action"].shape) == (6, 3)
