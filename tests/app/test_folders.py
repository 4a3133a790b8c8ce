"""The page's own folder: only there is written, and nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from selfdepth.app import folders
from selfdepth.app.folders import PREFIX, Visits, own_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_there_for_the_block_and_for_this_user_only(temporary: Path) -> None:
    with own_folder() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "a").write_text("a")
    assert list(temporary.iterdir()) == []


def test_the_folder_goes_when_the_block_fails(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), own_folder():
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_stays(temporary: Path) -> None:
    code = "import sys, time\nfrom selfdepth.app.folders import own_folder\n"
    code += "with own_folder() as folder:\n print(folder, flush=True)\n time.sleep(60)"
    places = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=places) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with own_folder() as ours:
            assert theirs.is_dir()
        other.send_signal(signal.SIGKILL)
    assert theirs.is_dir()
    (temporary / f"{PREFIX}link").symlink_to(Path(__file__).parent)
    with own_folder() as ours:
        assert sorted(temporary.iterdir()) == sorted([ours, temporary / f"{PREFIX}link"])


def test_a_new_visit_ends_the_last_one_of_its_session_and_no_other(tmp_path: Path) -> None:
    visits = Visits(tmp_path)
    first, other = visits.begin("a"), visits.begin("b")
    (first.folder / "photo.jpg").write_text("x")
    second = visits.begin("a")
    assert first.stop.is_set()
    assert not first.folder.exists()
    assert (visits.find("a"), visits.find("b")) == (second, other)
    assert other.folder.is_dir()


def test_a_visitor_who_leaves_leaves_nothing(tmp_path: Path) -> None:
    visits = Visits(tmp_path)
    visits.begin("a"), visits.begin("b")
    visits.end("a")
    visits.end("a")
    visits.end("unknown")
    assert visits.find("a") is None
    visits.end_all()
    assert list(tmp_path.iterdir()) == []


def test_of_too_many_visitors_the_one_idle_longest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "app_visitors=2")
    visits = Visits(tmp_path)
    visits.begin("a"), visits.begin("b")
    assert visits.find("a") is not None  # so that b is the one
    visits.begin("c")
    assert [visits.find(name) is not None for name in "abc"] == [True, False, True]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_idle_visit_ends_after_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visits = Visits(tmp_path)
    idle = visits.begin("a")
    idle.seen_s -= folders.IDLE_S + 1
    visits.begin("b")
    assert idle.stop.is_set()
    assert not idle.folder.exists()
