"""Finding recordings: order, damage, strangers and third-party formats. No format library needed."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.recording import Recording, Ref
from telecine.sources import claims, registry
from telecine.sources.format import Found, MissingExtra


class Plain:
    """A format for tests: the first line says "PLAIN", the others are recording ids."""

    NAME = "plain"
    SUFFIXES = (".plain",)

    def claims(self, path: str) -> bool:
        return Path(path).read_bytes().startswith(b"PLAIN")

    def index(self, path: str, *, recover: bool, token: str | None) -> Found:
        lines = Path(path).read_text().split()
        if lines[:1] != ["PLAIN"]:
            raise SourceError(f"{path}: starts with {lines[:1]}, expected PLAIN")
        if lines[1:2] == ["missing"]:
            raise MissingExtra("reading .plain needs: pip install 'telecine[plain]'")
        notes = (Finding("source-truncated", "warning", path, "short"),) if lines[1:] == ["short"] else ()
        return Found(tuple(Ref("plain", path, name, 1, recover, token) for name in reversed(lines[1:])), notes)

    def open(self, ref: Ref) -> Recording:
        return Recording(ref, {})


PLAIN = Plain()


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    point = EntryPoint("plain", f"{__name__}:PLAIN", "telecine.sources")
    monkeypatch.setattr(claims, "entry_points", lambda group: [point])
    claims._theirs.cache_clear()
    yield
    claims._theirs.cache_clear()


def test_the_table_says_what_each_format_says_of_itself() -> None:
    ours = {name: registry.formats()[name] for name in claims._SUFFIXES}
    assert {name: (form.NAME, form.SUFFIXES) for name, form in ours.items()} == {
        name: (name, suffixes) for name, suffixes in claims._SUFFIXES.items()
    }


def test_a_recording_is_found_and_opened_without_importing_other_formats(tmp_path: Path) -> None:
    (tmp_path / "1.rrd").write_bytes(b"RRF2" + bytes(4))
    code = (
        "import sys; from telecine.sources import claims, registry; found = registry.claimed([sys.argv[1]]); "
        "print([c.format for c in found], "
        "[n for n in claims._SUFFIXES if f'telecine.sources.{n}.source' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "['rrd'] ['rrd']\n"


def write(folder: Path, *files: str, content: str = "PLAIN a") -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def names(found: Found, folder: Path) -> list[str]:
    return [f"{Path(ref.path).relative_to(folder)}#{ref.id}" for ref in found.refs]


def test_numbers_in_names_sort_by_value_and_ids_within_a_file(tmp_path: Path) -> None:
    write(tmp_path, "take_10.plain", "take_9.plain", "Take_2.plain", "b/take_1.plain", content="PLAIN y x")
    assert names(registry.find([tmp_path]), tmp_path) == [
        "b/take_1.plain#x", "b/take_1.plain#y", "Take_2.plain#x", "Take_2.plain#y",
        "take_9.plain#x", "take_9.plain#y", "take_10.plain#x", "take_10.plain#y",
    ]  # fmt: skip


def test_files_folders_and_globs_give_each_file_once(tmp_path: Path) -> None:
    write(tmp_path, "1.plain", "2.plain", "deep/er/3.plain")
    everything = names(registry.find([tmp_path]), tmp_path)
    assert everything == ["1.plain#a", "2.plain#a", "deep/er/3.plain#a"]
    assert names(registry.find([tmp_path / "2.plain", str(tmp_path / "*.plain")]), tmp_path) == everything[:2]
    assert names(registry.find([str(tmp_path / "**" / "*.plain"), tmp_path]), tmp_path) == everything


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    write(tmp_path, "1.plain")
    (tmp_path / "2.plain").symlink_to(tmp_path / "1.plain")
    assert len(registry.find([tmp_path]).refs) == 1


def test_strangers_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "1.plain", ".2.plain", ".git/3.plain")
    write(tmp_path, "README.txt", content="hello")
    found = registry.find([tmp_path])
    assert names(found, tmp_path) == ["1.plain#a"]
    assert found.findings == ()


def test_a_known_suffix_with_unknown_content_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "1.plain")
    write(tmp_path, "2.plain", content="nonsense")
    found = registry.find([tmp_path])
    assert names(found, tmp_path) == ["1.plain#a"]
    (finding,) = found.findings
    assert (finding.code, finding.severity, finding.where) == (
        "source-unreadable", "error", str(tmp_path / "2.plain"),
    )  # fmt: skip
    assert finding.message == "starts with ['nonsense'], expected PLAIN"


def test_a_file_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.rrd").symlink_to(tmp_path / "nowhere")
    (finding,) = registry.find([tmp_path]).findings
    assert finding.code == "source-unreadable"
    assert "No such file" in finding.message


def test_two_files_with_one_id_are_kept_and_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "1.plain", "2.plain", content="PLAIN same")
    found = registry.find([tmp_path])
    assert len({ref.label for ref in found.refs}) == 2
    (finding,) = found.findings
    assert (finding.code, finding.severity) == ("source-duplicate-id", "warning")
    assert "1.plain" in finding.message
    assert "2.plain" in finding.message


def test_findings_of_a_format_are_passed_on(tmp_path: Path) -> None:
    write(tmp_path, "1.plain", content="PLAIN short")
    found = registry.find([tmp_path], recover=True, token="secret")
    assert [finding.code for finding in found.findings] == ["source-truncated"]
    assert found.refs[0].recover
    assert found.refs[0].token == "secret"
    assert "secret" not in repr(found)


def test_what_does_not_exist_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.rrd", tmp_path / "*.rrd"):
        with pytest.raises(SourceError, match="does not exist"):
            registry.find([path])


def test_a_folder_without_recordings_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    write(tmp_path, "README.txt", content="hello")
    with pytest.raises(SourceError, match=r"no recording found; 1 \.txt is not read; expected files like .*\.rrd"):
        registry.find([tmp_path])


def test_a_file_named_by_hand_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "README.txt", content="hello")
    with pytest.raises(SourceError, match="not a recording that telecine reads"):
        registry.find([tmp_path / "README.txt"])


def test_a_missing_extra_costs_its_files_and_no_others(tmp_path: Path) -> None:
    write(tmp_path, "1.plain", "2.plain", content="PLAIN missing")
    write(tmp_path, "3.plain", content="PLAIN a")
    found = registry.find([tmp_path])
    assert [ref.id for ref in found.refs] == ["a"]
    assert [f.where for f in found.findings] == [str(tmp_path / "1.plain"), str(tmp_path / "2.plain")]
    assert {f.message for f in found.findings} == {"reading .plain needs: pip install 'telecine[plain]'"}


def test_opening_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(SourceError, match="no format 'vhs'; known: .*catalog, .*plain.*, rrd"):
        registry.open(Ref("vhs", "tape"))


def test_a_format_of_another_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("their", f"{__name__}:THEIRS", "telecine.sources")
    monkeypatch.setattr(claims, "entry_points", lambda group: [point])
    write(tmp_path, "1.their", content="THEIRS a")
    assert [ref.format for ref in registry.find([tmp_path]).refs] == ["their"]


def test_a_format_of_another_package_takes_no_name_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", f"{__name__}:USURPER", "telecine.sources")
    monkeypatch.setattr(claims, "entry_points", lambda group: [point])
    assert registry.formats()["rrd"].SUFFIXES == (".rrd",)


def test_a_format_of_another_package_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("their", "no_such_module_anywhere:X", "telecine.sources")
    monkeypatch.setattr(claims, "entry_points", lambda group: [point])
    with pytest.raises(SourceError, match="the source 'their' .* cannot be loaded"):
        registry.formats()


class _Theirs(Plain):
    NAME = "their"
    SUFFIXES = (".their",)

    def claims(self, path: str) -> bool:
        return Path(path).read_bytes().startswith(b"THEIRS")

    def index(self, path: str, **_: Any) -> Found:
        return Found((Ref("their", path, "a"),))


THEIRS = _Theirs()


class _Usurper(Plain):
    NAME = "rrd"


USURPER = _Usurper()


def test_texts_that_lie_beside_recordings_are_read_by_formats_that_know_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other format knows files by first bytes, or folders alone; and a file that it knows is no text in JSON."""
    (tmp_path / "result.json").write_text('{"episode_id": "a"}')
    (tmp_path / "notes.json").write_text("[]")
    (tmp_path / "a.plain").write_bytes(b"\x89HDF")
    asked = set()
    for name in claims._SUFFIXES:
        form = claims._ours(name)

        def note(path: str, form: Any = form, claim: Any = form.claims) -> bool:
            asked.add((form.NAME, Path(path).name))
            return bool(claim(path))

        monkeypatch.setattr(form, "claims", note)
    found = registry.claimed([tmp_path])
    assert [(claim.format, Path(claim.path).name) for claim in found] == [
        ("plain", "a.plain"),
        ("robosandbox", "result.json"),
    ]
    assert {name for name, file in asked if file.endswith(".json")} == {"robosandbox", "rlds"}
    assert {name for name, file in asked if file == "a.plain"} >= {
        "hdf5",
        "rrd",
        "mcap",
        "zarr",
        "rosbag2",
        "recorder_spool",
    }
    assert not {name for name, file in asked if file == "a.plain"} & claims._FOLDERS_ALONE


def test_without_rerun_sdk_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rerun", "rerun.chunk", "rerun.experimental", "rerun_bindings"):
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "a.rrd").write_bytes(b"RRF2\0\0\0\0\1\2\0\0" + b"\2" + b"\0" * 15)
    (finding,) = registry.find([tmp_path]).findings
    assert (finding.code, finding.severity) == ("source-unreadable", "error")
    assert "reading .rrd needs: pip install 'telecine[rrd]'" in finding.message


def test_without_the_catalog_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datafusion", None)
    (finding,) = registry.find(["rerun+http://127.0.0.1:1/dataset/x"]).findings
    assert "pip install 'telecine[catalog]'" in finding.message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("training/episode_0358482.npz", "npz files as CALVIN writes them"),
        ("bridge-train.tfrecord-00000-of-00010", r"TFRecord shards: they need `dataset_info\.json`"),
        ("step_0.pkl", "pickles: of these only those of BridgeData"),
        ("a/values.npy", "arrays of numpy: put them into HDF5"),
        ("data/chunk-000/file-000.parquet", r"Parquet files: a LeRobot dataset needs `meta/info\.json`"),
        ("front.mp4", "videos: no file beside them has the joints"),
        (
            "train/data-00000-of-00001.arrow",
            "tables of Hugging Face `datasets`: LeRobot datasets are read from v2.0 on",
        ),
        ("recordings/SVO/2001.svo2", "recordings of ZED cameras: the vendor's SDK"),
        ("joints.mat", "MATLAB files: save them as HDF5"),
    ],
)
def test_a_folder_without_recordings_is_told_what_it_looks_like(tmp_path, name, words):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("a note")
    with pytest.raises(SourceError, match=f"1 of its 2 files looks like {words}.*expected files like"):
        registry.find([tmp_path])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "there is no file in it"),
        (("a.vla",), r"1 \.vla is not read"),
        (("a.vla", "b.vla", "README"), r"none of its 3 files is of a known kind \(2 \.vla, 1 README\)"),
        (("only.mp4",), "its only file looks like videos"),
    ],
)
def test_other_folders_are_told_what_is_in_them(tmp_path, names, words):
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match=f"no recording found; {words}.*expected files like"):
        registry.find([tmp_path])


def test_pointers_of_git_lfs_are_told_whatever_their_name(tmp_path):
    (tmp_path / "a.npz").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(SourceError, match="1 of its files is a Git LFS pointer.*git lfs pull"):
        registry.find([tmp_path])


@pytest.mark.parametrize(("name", "module"), [("a.rrd", "rrd"), ("sub/A.MCAP", "mcap"), ("a.txt", ""), ("gone/a", "")])
def test_formats_are_imported_by_the_names_that_lie_there(tmp_path, name, module):
    (tmp_path / "sub").mkdir()
    if not name.startswith("gone"):
        (tmp_path / name).touch()
    code = "import sys; from telecine.sources.claims import import_likely; import_likely(sys.argv[1:])\n"
    code += (
        "print(*(n.split('.')[2] for n in sys.modules if n.startswith('telecine.sources.') and n.endswith('.source')))"
    )
    asked = [sys.executable, "-c", code, str(tmp_path / name if name.startswith("a") else (tmp_path / name).parent)]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split() == [module] * bool(module)
