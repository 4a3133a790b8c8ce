"""Results that go to pipes, devices and open descriptors."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from selfdepth.streams import is_stream, streamed


def test_files_folders_and_what_does_not_exist_are_no_streams(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not any(map(is_stream, (tmp_path, tmp_path / "file", tmp_path / "missing", tmp_path / "file/below")))


def test_pipes_devices_and_links_to_them_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    names = (tmp_path / "pipe", tmp_path / "link", "/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
    assert all(is_stream(Path(name)) for name in names)


def test_a_pipe_gets_all_of_it_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with streamed(pipe) as temporary:
        temporary.write_bytes(b"result")
    reader.join()
    assert got == [b"result"] and pipe.is_fifo()


def test_what_was_written_to_an_open_file_before_stays(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b"before ")
        file.flush()
        with streamed(Path(f"/dev/fd/{file.fileno()}")) as temporary:
            temporary.write_bytes(b"after")
    assert (tmp_path / "log").read_bytes() == b"before after"


def test_after_an_error_nothing_is_sent(tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("wb") as file,
        pytest.raises(KeyError),
        streamed(Path(f"/dev/fd/{file.fileno()}")) as part,
    ):
        part.write_bytes(b"half")
        raise KeyError
    assert (tmp_path / "log").read_bytes() == b""
