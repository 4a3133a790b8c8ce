"""Files are there whole or not at all, and a place that cannot be written to is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.errors import OutputError
from selfdepth.files import require_writable, require_writable_file, whole_file, writing_to


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
