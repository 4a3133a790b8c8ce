"""Files are there whole or not at all, and a place that cannot be written to is one sentence."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from selfdepth import files
from selfdepth.errors import DiskFullError, OutputError
from selfdepth.files import (
    checksum,
    put_in_place,
    recover,
    remove_tree,
    require_writable,
    require_writable_file,
    sync_file,
    sync_folder,
    whole_file,
    writing_to,
)


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a") as temporary:
        temporary.write_text("ne")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with whole_file(tmp_path / "new" / "b") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "new" / "b").read_text() == "new"


def test_a_file_in_a_place_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write: .*file/a") as refused, whole_file(tmp_path / "file/a"):
        pytest.fail("there is nowhere to write")
    assert "\n" not in str(refused.value)


def test_whatever_the_system_says_is_one_sentence_about_the_place(tmp_path: Path) -> None:
    sentence = r"cannot write: .*a\.txt; got No space left on device; check"
    with pytest.raises(OutputError, match=sentence), writing_to(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    with pytest.raises(ValueError, match="not the system's"), writing_to(tmp_path):
        raise ValueError("not the system's")


def test_trying_whether_a_folder_can_be_written_to_leaves_nothing_behind(tmp_path: Path) -> None:
    require_writable(tmp_path / "a/b/c", option="--out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "kept").mkdir()
    require_writable(tmp_path / "kept", option="--out")
    assert list(tmp_path.rglob("*")) == [tmp_path / "kept"]


def test_a_folder_that_is_a_file_or_below_one_is_refused_by_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"the output folder is a file: .*name another place with --out"):
        require_writable(tmp_path / "file", option="--out")
    with pytest.raises(OutputError, match=r"would be in a file: .*file/a; got .*file is a file; .*--store"):
        require_writable(tmp_path / "file/a", option="--store")


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/result").write_text("old")
    for name, target in (("link", "real/result"), ("to_link", "link"), ("dangling", "real/new")):
        (tmp_path / name).symlink_to(target)
    for name in ("to_link", "dangling"):
        with whole_file(tmp_path / name) as temporary:
            temporary.write_text(f"written to {name}")
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "real/result").read_text() == "written to to_link"
    assert (tmp_path / "real/new").read_text() == "written to dangling"
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["new", "result"]


def test_links_in_a_circle_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="cannot write"), whole_file(tmp_path / "a"):
        pass


def test_a_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    before = Path("/dev/null").stat()
    (tmp_path / "null").symlink_to("/dev/null")
    for path in (Path("/dev/null"), tmp_path / "null"):
        with whole_file(path) as temporary:
            temporary.write_text("gone")
    after = Path("/dev/null").stat()
    assert (before.st_rdev, before.st_mode) == (after.st_rdev, after.st_mode)
    assert (tmp_path / "null").is_symlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_device_is_one_sentence() -> None:
    with pytest.raises(OutputError, match=r"/dev/full.*No space"), whole_file(Path("/dev/full")) as temporary:
        temporary.write_text("x" * 100_000)


def test_a_file_that_will_be_written_is_asked_for_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("missing/result")
    for path in (Path("/dev/null"), Path("/dev/stdout"), tmp_path / "new", tmp_path / "link"):
        require_writable_file(path, option="--json")
    assert not (tmp_path / "missing").exists()
    with pytest.raises(OutputError, match="got a folder; name another file with --json"):
        require_writable_file(tmp_path, option="--json")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--json"):
        require_writable_file(tmp_path / "file/below", option="--json")


def test_a_full_disk_is_told_from_other_errors_with_the_space_that_is_needed(tmp_path: Path) -> None:
    with (
        pytest.raises(DiskFullError, match=r"expected 12\.5 MB of space; got No space left"),
        writing_to(tmp_path, needs_bytes=12_500_000),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(OutputError) as refused, writing_to(tmp_path):
        raise PermissionError(13, "Permission denied")
    assert not isinstance(refused.value, DiskFullError)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_system_takes_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        require_writable(tmp_path / name / "run", option="--out")


def make(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "a").write_text(text)
    return folder


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    if not in_one_step:
        monkeypatch.setattr(files, "_exchange", lambda a, b: False)
    for text in ("old", "new"):
        put_in_place(make(tmp_path / ".x.partial", text), tmp_path / "x")
        assert (tmp_path / "x/a").read_text() == text
        assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_rename_that_fails_brings_the_older_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "x", "old")
    monkeypatch.setattr(files, "_exchange", lambda a, b: False)
    replace = os.replace

    def fail(old: Path, new: Path) -> None:
        if Path(old).name == ".x.partial":
            raise OSError(5, "Input/output error")
        replace(old, new)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="Input/output"):
        put_in_place(make(tmp_path / ".x.partial", "new"), tmp_path / "x")
    assert (tmp_path / "x/a").read_text() == "old"


def test_what_killed_processes_left_is_brought_back_or_cleared_away(tmp_path: Path) -> None:
    make(tmp_path / ".x.7.old", "old")
    make(tmp_path / ".x.8.partial", "half")
    make(tmp_path / ".xy.8.partial", "of another")
    recover(tmp_path / "x")
    assert (tmp_path / "x/a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".xy.8.partial", "x"]
    make(tmp_path / ".x.old", "older")
    recover(tmp_path / "x")
    assert (tmp_path / "x/a").read_text() == "old" and not (tmp_path / ".x.old").exists()
    recover(tmp_path / "gone/x")


def test_what_is_no_folder_is_deleted_too_and_of_a_link_only_the_link(tmp_path: Path) -> None:
    make(tmp_path / "folder", "x")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("file", "link", "nowhere", "never was"):
        remove_tree(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (tmp_path / "folder/a").read_text() == "x"
    remove_tree(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_synchronised_is_left_and_what_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> None:
        def fsync(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    (tmp_path / "a").touch()
    fail(22)  # a file system without fsync
    sync_file(tmp_path / "a")
    sync_folder(tmp_path)
    fail(5)
    with pytest.raises(OutputError, match="Input/output error"), whole_file(tmp_path / "a") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a").read_text() == "" and len(list(tmp_path.iterdir())) == 1


def test_a_checksum_is_that_of_all_bytes(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(data)
    assert checksum(tmp_path / "a") == hashlib.sha256(data).hexdigest()
