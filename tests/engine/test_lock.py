"""One run at a time in a folder, and what a killed one leaves behind is cleared away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selfdepth.engine import lock
from selfdepth.engine.lock import LOCK_FILE, clear_leftovers, sole_run
from selfdepth.errors import OutputError
from selfdepth.files import make_folder
from selfdepth.locks import held


def can_be_locked(folder: Path) -> bool:
    """Whether another process could hold the folder now."""
    code = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    words = [sys.executable, "-S", "-c", code, str(folder / LOCK_FILE)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_a_folder_is_held_against_other_processes_and_let_go_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text("{}")
    with sole_run(tmp_path / "run"):
        assert not can_be_locked(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]
    assert can_be_locked(tmp_path / "run")


def test_a_second_run_in_the_folder_is_refused_and_the_first_keeps_it(tmp_path: Path) -> None:
    with sole_run(tmp_path):
        with pytest.raises(OutputError, match=r"another process is training.*--out"), sole_run(tmp_path):
            pytest.fail("two runs in one folder")
        assert (tmp_path / LOCK_FILE).exists()
    with sole_run(tmp_path):
        pass


def test_a_run_that_fails_lets_go_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), sole_run(tmp_path / "run"):
        (tmp_path / "run/config.json").write_text("{}")
        raise KeyboardInterrupt
    with sole_run(tmp_path / "run"):
        pass


def test_folders_that_were_made_for_a_run_that_wrote_nothing_are_removed(tmp_path: Path) -> None:
    with sole_run(tmp_path / "a/b/run"):
        assert (tmp_path / "a/b/run").is_dir()
    assert list(tmp_path.iterdir()) == []


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


HALVES = [
    ".store.123.partial/frames.bin",
    ".config.json.123.part",
    ".history.jsonl.123.part",
    "last/.model.safetensors.123.part",
    "best/.config.json.123.part",
    "previews/.step_000004.png.123.part",
    "skipped/step_000007/.clip_1.png.123.part",
    "skipped/step_000007/.clips.json.123.part",
    "checkpoints/.step_000004.partial/state.pt",
    "checkpoints/.step_000006.partial",
    "checkpoints/.step_000002.123.old/state.pt",
]
"""What a killed run may leave."""
OTHERS = [
    *(
        ".notes",
        "last/model.safetensors",
        ".store.mine",
        "other/.store.old/doc.txt",
        "checkpoints/step_000002/state.pt",
    ),
    *(
        ".part",
        "inner/.store.4242.partial/frames.bin",
        "inner/.config.json.123.part",
        "inner/checkpoints/.step_4.partial",
    ),
    *(".step_000004.partial/state.pt", "best/.step_000004.png.123.part", ".config.json.123.part.d/mine"),
    "checkpoints/.config.json.123.part",
]
"""Of the user, or of a run within the folder that another process may be writing."""


def test_what_a_killed_run_was_about_to_write_is_removed_and_nothing_of_the_users(tmp_path: Path) -> None:
    put(tmp_path, *HALVES, *OTHERS)
    (tmp_path / ".metrics.jsonl.123.part").mkdir()  # no file: not what a run leaves
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with sole_run(tmp_path / "link"):
        clear_leftovers(tmp_path / "link")
    assert files_in(tmp_path) == set(OTHERS)
    assert (tmp_path / ".metrics.jsonl.123.part").is_dir()


def test_nothing_is_removed_before_the_folder_is_known_to_be_the_runs(tmp_path: Path) -> None:
    put(tmp_path, *HALVES, *OTHERS)
    with sole_run(tmp_path):
        assert files_in(tmp_path) == {*HALVES, *OTHERS, LOCK_FILE}


def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "checkpoints/.step_000004.partial/state.pt", "step_000001/.clips.json.123.part")
    before = files_in(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoints").symlink_to(tmp_path / "elsewhere/checkpoints")
    (run / "skipped").symlink_to(tmp_path / "elsewhere")
    clear_leftovers(run)
    assert files_in(tmp_path) == before


def test_a_store_that_another_process_is_building_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path, ".store.123.partial/frames.bin")
    with held(tmp_path / ".store.lock", on_busy=lambda: None):
        clear_leftovers(tmp_path)
        assert files_in(tmp_path) == {".store.123.partial/frames.bin", ".store.lock"}
    clear_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_was_about_to_be_replaced_has_its_name_back_before_the_run_is_looked_for(
    tmp_path: Path,
) -> None:
    put(tmp_path / "checkpoints", ".step_000002.7.old/state.pt", ".step_000004.7.old/notes.txt")
    put(tmp_path / "checkpoints", "step_000006/state.pt", ".step_000006.7.old/state.pt")
    before = files_in(tmp_path)
    with sole_run(tmp_path):
        found = files_in(tmp_path) - {LOCK_FILE}
    assert found - before == {"checkpoints/step_000002/state.pt"}
    assert before - found == {"checkpoints/.step_000002.7.old/state.pt"}


def test_a_place_that_is_a_file_is_refused_by_the_option(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(OutputError, match=r"the output folder is a file.*--out"), sole_run(tmp_path / "run"):
        pytest.fail("a run in a file")


def test_a_folder_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def make_and_lose(folder: Path) -> None:
        make_folder(folder)
        made.append(folder)
        if len(made) == 1:
            folder.rmdir()

    monkeypatch.setattr(lock, "make_folder", make_and_lose)
    with sole_run(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK_FILE).exists()
    assert len(made) == 2


def test_a_lock_file_of_other_software_stays(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("mine")
    with sole_run(tmp_path):
        pass
    assert (tmp_path / ".lock").read_text() == "mine"
