"""The recording of a live run on a disk that fills up."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from selfdepth.errors import DiskFullError
from selfdepth.live.recorder import RESERVE_BYTES, Recorder

PICTURE = np.zeros((64, 48, 3), np.uint8)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that the disk says are free, one answer after the other."""
    answers: list[int] = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=answers.pop(0)))
    return answers


def test_it_ends_whole_before_the_disk_is_full_and_says_so_once(tmp_path: Path, free: list[int]) -> None:
    free += [RESERVE_BYTES, RESERVE_BYTES, RESERVE_BYTES, RESERVE_BYTES - 1]
    said: list[str] = []
    with Recorder(tmp_path / "out.mp4", said.append) as recorder:
        for i in range(5):
            recorder.write(PICTURE, i / 5)
            with_video = i < 2
            assert recorder.records is with_video
        assert (tmp_path / "out.mp4").is_file(), "while the rest goes on"
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2
    assert len(said) == 1 and "nearly full" in said[0]


def test_without_room_from_the_start_it_is_refused_and_leaves_nothing(tmp_path: Path, free: list[int]) -> None:
    free += [RESERVE_BYTES - 1]
    with pytest.raises(DiskFullError, match="too little room"), Recorder(tmp_path / "out.mp4", print):
        pass
    assert not [*tmp_path.iterdir()]


def test_without_a_path_nothing_is_recorded() -> None:
    with Recorder(None, print) as recorder:
        assert not recorder.records
        recorder.write(PICTURE, 0.0)
