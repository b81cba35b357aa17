import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.dataset import FPS, episode, write
from telecine.core.errors import DatasetError
from telecine.dataset import staging as stage_module
from telecine.dataset.atomic_swap import exchange
from telecine.dataset.staging import Asker, Staging, require_writable, workspace
from telecine.dataset.writer import DatasetWriter


def create(root, **options):
    return DatasetWriter.create(root, fps=FPS, robot_type=None, **options)


def rows(root):
    return sum(1 for _ in root.rglob("*.parquet"))


def test_an_existing_target_is_refused_and_left_alone(tmp_path):
    root = write(tmp_path / "out", [episode(3)])
    before = sorted(root.rglob("*"))
    with pytest.raises(DatasetError, match="name another folder$"):
        create(root)
    assert sorted(root.rglob("*")) == before
    assert not workspace(root).exists()


def test_an_empty_folder_is_no_obstacle(tmp_path):
    (tmp_path / "out").mkdir()
    assert (write(tmp_path / "out", [episode(3)]) / "meta/info.json").is_file()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DatasetError, match="a file is in the way"):
        create(tmp_path / "out", overwrite=True)


def test_overwrite_replaces_a_dataset(tmp_path):
    write(tmp_path / "out", [episode(3)])
    root = write(tmp_path / "out", [episode(5)], overwrite=True)
    assert "| Frames | 5 |" in (root / "README.md").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_overwrite_leaves_alone_what_is_no_dataset(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/precious").write_text("keep")
    with pytest.raises(DatasetError, match="holds no dataset"):
        create(tmp_path / "home", overwrite=True)
    assert (tmp_path / "home/precious").read_text() == "keep"


def test_the_old_dataset_stays_until_commit(tmp_path):
    root = write(tmp_path / "out", [episode(3)])
    with create(root, overwrite=True) as writer:
        writer.add(episode(5))
        assert "| Frames | 3 |" in (root / "README.md").read_text()
    assert "| Frames | 3 |" in (root / "README.md").read_text()


def test_the_old_dataset_comes_back_when_the_new_one_cannot_be_shown(tmp_path, monkeypatch):
    root = write(tmp_path / "out", [episode(3)])
    rename = Path.rename

    def failing(self, target):
        if self.name == "stage":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with create(root, overwrite=True) as writer:
        writer.add(episode(5))
        monkeypatch.setattr(stage_module, "exchange", lambda one, other: False)
        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(DatasetError, match="writing failed"):
            writer.commit()
    assert "| Frames | 3 |" in (root / "README.md").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path):
    with create(tmp_path / "out") as writer:
        writer.add(episode(3))
        (tmp_path / "out").mkdir()
        (tmp_path / "out/theirs").write_text("keep")
        with pytest.raises(DatasetError, match="exists and is not empty.*; name another folder$"):
            writer.commit()
    assert (tmp_path / "out/theirs").read_text() == "keep"
    assert not workspace(tmp_path / "out").exists()


def test_two_writers_of_one_target_exclude_each_other(tmp_path):
    with create(tmp_path / "out"):
        with pytest.raises(DatasetError, match=rf"process {os.getpid()} on .*, since .*, is writing it"):
            create(tmp_path / "out")
        with create(tmp_path / "other"):
            pass
    with create(tmp_path / "out"):
        pass


def test_links_to_one_folder_are_one_target(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with create(tmp_path / "link"), pytest.raises(DatasetError, match="locked"):
        create(tmp_path / "real")


def test_closing_twice_does_not_let_go_of_another_writers_lock(tmp_path):
    first = Staging(tmp_path / "out", overwrite=False, asker=Asker())
    first.close()
    second = Staging(tmp_path / "out", overwrite=False, asker=Asker())
    first.close()
    with pytest.raises(DatasetError, match="locked"):
        Staging(tmp_path / "out", overwrite=False, asker=Asker())
    second.close()


def test_scratch_files_stay_until_a_writer_commits(tmp_path):
    with create(tmp_path / "out") as writer:
        (writer.scratch / "work").write_text("of hours")
    assert [p.name for p in workspace(tmp_path / "out").iterdir()] == ["scratch"]
    with create(tmp_path / "out") as writer:
        assert (writer.scratch / "work").read_text() == "of hours"
        writer.add(episode(3))
        writer.commit()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def killed_writer(root, *, after):
    """Run a writer in another process and kill it at a given point."""
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from pathlib import Path
        from support.dataset import FPS, episode
        from telecine.dataset.writer import DatasetWriter
        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)
        writer = DatasetWriter.create({str(root)!r}, fps=FPS, robot_type=None, overwrite=True)
        writer.add(episode(5))
        {after}
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr


def test_a_killed_writer_leaves_the_target_and_no_lock(tmp_path):
    root = write(tmp_path / "out", [episode(3)])
    killed_writer(root, after="die()")
    assert "| Frames | 3 |" in (root / "README.md").read_text()
    assert (workspace(root) / "stage").is_dir()
    write(root, [episode(7)], overwrite=True)
    assert "| Frames | 7 |" in (root / "README.md").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_writer_killed_between_the_two_renames_is_repaired_by_the_next(tmp_path):
    root = write(tmp_path / "out", [episode(3)])
    die_at_second_rename = (
        "rename = Path.rename; Path.rename = lambda s, t: die() if s.name == 'stage' else rename(s, t); "
        "import telecine.dataset.staging as stage; stage.exchange = lambda a, b: False; writer.commit()"
    )
    killed_writer(root, after=die_at_second_rename)
    assert not root.exists()
    with pytest.raises(DatasetError, match="exists and is not empty; name another folder$"):
        create(root)
    assert "| Frames | 3 |" in (root / "README.md").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_two_folders_change_their_names_in_one_step(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    swapped = exchange(tmp_path / "a", tmp_path / "b")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b" if swapped else "a"]
    assert not exchange(tmp_path / "a", tmp_path / "gone")
    assert (tmp_path / "a").is_dir()


def test_a_writer_killed_right_after_the_exchange_leaves_the_new_dataset(tmp_path):
    root = write(tmp_path / "out", [episode(3)])
    killed_writer(
        root,
        after="import telecine.dataset.staging as stage; change = stage.exchange; "
        "stage.exchange = lambda a, b: die() if change(a, b) else die(); writer.commit()",
    )
    assert "| Frames | 5 |" in (root / "README.md").read_text()
    write(root, [episode(7)], overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_lock_file_that_vanishes_while_it_is_opened_is_tried_again(tmp_path, monkeypatch):
    opened, calls = os.open, []

    def vanishing(path, *args):
        calls.append(path)
        if len(calls) == 1:
            raise FileNotFoundError(path)
        handle = opened(path, *args)
        if len(calls) == 2:
            Path(path).unlink()
        return handle

    monkeypatch.setattr(os, "open", vanishing)
    stage = Staging(tmp_path / "out", overwrite=False, asker=Asker())
    assert len(calls) == 3
    stage.close()


def test_a_lock_file_that_always_vanishes_is_given_up(tmp_path, monkeypatch):
    def vanished(path, *args):
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "open", vanished)
    with pytest.raises(DatasetError, match="locked again and again"):
        Staging(tmp_path / "out", overwrite=False, asker=Asker())


def test_a_writer_keeps_its_lock_until_it_is_closed_when_the_commit_fails(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with create(tmp_path / "out") as first:
        first.add(episode(5))
        with monkeypatch.context() as patch:
            patch.setattr(stage_module, "sync_to_disk", refuse)
            with pytest.raises(DatasetError, match="no space left"):
                first.commit()
        with pytest.raises(DatasetError, match="locked"):
            create(tmp_path / "out")
        first.clear_scratch()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("asker", "said"),
    [
        (Asker(), "name another folder"),
        (Asker("--overwrite"), "name another folder, or replace it with --overwrite"),
        (Asker(append="--append"), "name another folder, or add to it with --append"),
        (
            Asker("--overwrite", "--append"),
            "name another folder, add to it with --append, or replace it with --overwrite",
        ),
    ],
)
def test_what_is_in_the_way_is_told_in_the_words_of_whoever_asks(tmp_path, asker, said):
    with pytest.raises(DatasetError) as refused:
        require_writable(write(tmp_path / "out", [episode(3)]), overwrite=False, asker=asker)
    assert str(refused.value).endswith(f"exists and is not empty; {said}")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_without_a_dataset_is_never_replaced_nor_is_that_advised(tmp_path, overwrite):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError, match="holds no dataset .* is missing.; name another folder$"):
        require_writable(tmp_path, overwrite=overwrite, asker=Asker("--overwrite", "--append"))
