"""Files are there whole or not at all, and a place that cannot be written to is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.errors import OutputError
from selfdepth.files import require_writable, whole_file, writing_to


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
