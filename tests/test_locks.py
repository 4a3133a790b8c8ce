"""One process at a time holds a lock, however many wait for it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selfdepth.errors import OutputError
from selfdepth.locks import held

WAITER = """
import sys, time
from pathlib import Path
from selfdepth.locks import held
lock, log, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def say():
    with log.open("a") as file:
        file.write(f"{name} waits\\n")
with held(lock, on_busy=say):
    with log.open("a") as file:
        file.write(f"{name} in\\n")
    time.sleep(0.2)
    with log.open("a") as file:
        file.write(f"{name} out\\n")
"""


def refuse() -> None:
    raise OutputError("busy")


def test_of_several_that_wait_one_at_a_time_gets_in(tmp_path: Path) -> None:
    lock, log = tmp_path / ".lock", tmp_path / "log"
    log.touch()
    with held(lock, on_busy=refuse):
        waiters = [subprocess.Popen([sys.executable, "-c", WAITER, str(lock), str(log), name]) for name in "BCD"]
        deadline = time.monotonic() + 60
        while log.read_text().count("waits") < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert [waiter.wait() for waiter in waiters] == [0, 0, 0]
    lines = [line.split() for line in log.read_text().splitlines() if "waits" not in line]
    assert [what for _, what in lines] == ["in", "out"] * 3
    assert all(lines[i][0] == lines[i + 1][0] for i in (0, 2, 4))
    assert not lock.exists()


def test_whoever_does_not_want_to_wait_is_refused(tmp_path: Path) -> None:
    with held(tmp_path / ".lock", on_busy=refuse):
        with pytest.raises(OutputError, match="busy"), held(tmp_path / ".lock", on_busy=refuse):
            pytest.fail("two hold it")
        assert (tmp_path / ".lock").exists(), "a refusal does not remove the file of the other"
    with held(tmp_path / ".lock", on_busy=refuse):
        pass


def test_a_lock_on_a_file_that_has_been_removed_means_nothing(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    old = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(old, fcntl.LOCK_EX)
    asked = []

    def give_way() -> None:
        asked.append(True)
        lock.unlink()
        os.close(old)  # its holder ends, after removing the file, while the other waits on it

    with held(lock, on_busy=give_way):
        assert asked == [True]
        assert lock.exists(), "the newcomer holds a file that others will find"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"), held(tmp_path / "gone/.lock", on_busy=refuse):
        pytest.fail("held nothing")


def test_an_error_while_saying_that_it_is_busy_lets_nobody_in(tmp_path: Path) -> None:
    def nobody_reads() -> None:
        raise BrokenPipeError

    with (
        held(tmp_path / ".lock", on_busy=refuse),
        pytest.raises(BrokenPipeError),
        held(tmp_path / ".lock", on_busy=nobody_reads),
    ):
        pytest.fail("two hold it")


def test_the_file_of_another_process_is_not_removed(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with held(lock, on_busy=refuse):
        lock.unlink()  # somebody empties the folder,
        lock.write_text("of another")  # and another process begins in it
    assert lock.read_text() == "of another"
