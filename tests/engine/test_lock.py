"""One run at a time in a folder, and what a killed one leaves behind is cleared away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selfdepth.engine.lock import LOCK_FILE, sole_run
from selfdepth.errors import OutputError


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


def test_what_a_killed_run_was_about_to_write_is_removed_and_nothing_of_the_users(tmp_path: Path) -> None:
    halves = [
        ".store.123.partial/frames.bin",
        "checkpoints/.step_000004.partial/state.pt",
        ".config.json.123.part",
        "last/.model.safetensors.123.part",
        "previews/.step_000004.png.123.part",
    ]
    own = [".notes", "last/model.safetensors", ".store.mine", "checkpoints/step_000002/state.pt", ".part"]
    for name in (*halves, *own):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    with sole_run(tmp_path):
        left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*own, LOCK_FILE}


def test_a_place_that_is_a_file_is_refused_by_the_option(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(OutputError, match=r"the output folder is a file.*--out"), sole_run(tmp_path / "run"):
        pytest.fail("a run in a file")
