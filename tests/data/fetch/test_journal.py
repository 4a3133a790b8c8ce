"""What is done is known at the next start, and nothing that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.fetch.journal import Journal
from selfdepth.errors import OutputError

NUMBERS = {"a/image_02": (1, 2, 3, 7), "a/image_03": ()}


def journal_in(folder: Path, digest: str = "d") -> Journal:
    return Journal.opened(folder / "journal.json", digest, folder / "frames.u8")


def write(folder: Path, n_bytes: int) -> None:
    with (folder / "frames.u8").open("ab") as file:
        file.write(bytes(n_bytes))


def test_the_next_start_knows_what_is_done_and_cuts_off_the_rest(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.rewind()
    write(tmp_path, 100)
    journal.add("a", NUMBERS)
    write(tmp_path, 30)
    again = journal_in(tmp_path)
    assert again.done == journal.done and again.end == 100
    again.rewind()
    assert (tmp_path / "frames.u8").stat().st_size == 100
    assert again.done["a"].numbers == NUMBERS


@pytest.mark.parametrize("left", [None, 0, 99])
def test_a_drive_whose_frames_are_not_all_there_is_not_done(tmp_path: Path, left: int | None) -> None:
    journal = journal_in(tmp_path)
    for drive, size in (("a", 50), ("b", 50)):
        write(tmp_path, size)
        journal.add(drive, {})
    if left is None:
        (tmp_path / "frames.u8").unlink()
    else:
        with (tmp_path / "frames.u8").open("ab") as file:
            file.truncate(left)
    assert list(journal_in(tmp_path).done) == (["a"] if left == 99 else [])


def test_other_options_are_refused_by_the_folder_to_remove(tmp_path: Path) -> None:
    write(tmp_path, 1)
    journal_in(tmp_path).add("a", {})
    with pytest.raises(OutputError, match=rf"with other options was interrupted.*remove {tmp_path}"):
        journal_in(tmp_path, "e")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"digest": "d", "version": 1}',
        '{"digest": "d", "version": 1, "drives": []}',
        '{"digest": "d", "version": 1, "drives": {"a": {"end": "x", "numbers": {}}}}',
        '{"digest": "d", "version": 1, "drives": {"a": {"end": 1, "numbers": {"b": [1]}}}}',
        '{"digest": "d", "version": 1, "drives": {"a": 1}}',
        '{"digest": "d", "version": 2, "drives": {}}',
    ],
)
def test_a_damaged_state_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(OutputError, match="remove"):
        journal_in(tmp_path)
