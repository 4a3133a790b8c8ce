"""Videos in MP4 that state more samples than they can have."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from selfdepth.data.readers.boxes import judge_samples
from selfdepth.data.readers.video import open_video
from selfdepth.errors import DataError
from selfdepth.limits import VARIABLE

WriteVideo = Callable[..., Path]
MANY = 2_000_000_000


def box(kind: bytes, *contents: bytes, large: bool = False) -> bytes:
    body = b"".join(contents)
    if large:
        return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body
    return struct.pack(">I4s", 8 + len(body), kind) + body


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def movie(*tables: bytes, handler: bytes = b"vide", parent: bytes = b"moov", large: bool = False) -> bytes:
    media = box(b"hdlr", numbers(0, 0), handler, bytes(12)) + box(b"minf", box(b"stbl", *tables))
    head = box(b"mvhd", bytes(100))
    return box(b"ftyp", b"isom", bytes(4)) + box(parent, head, box(b"trak", box(b"mdia", media)), large=large)


SIZES = box(b"stsz", numbers(0, 1, MANY))
BY_ONE = box(b"stts", numbers(0, 1, MANY, 1))
TOO_MANY = {
    "samples of one size": movie(SIZES),
    "small samples": movie(box(b"stz2", numbers(0, 4, MANY))),
    "a large box": movie(SIZES, large=True),
    "the movie of an unfinished recording": movie(SIZES, parent=b"free"),
    "no type in front": movie(SIZES)[16:],
    "pictures of one tick": movie(BY_ONE, SIZES),
    "sound of more than one tick": movie(SIZES, handler=b"soun"),
    "sound in large chunks": movie(
        BY_ONE, box(b"stsc", numbers(0, 1, 1, MANY, 1)), box(b"stco", numbers(0, 1000)), handler=b"soun"
    ),
    "a fragment": movie() + box(b"moof", box(b"traf", box(b"trun", numbers(0, MANY, 0)))),
    "many fragments": movie() + 3 * box(b"moof", box(b"traf", box(b"trun", numbers(0, 4_000_000, 0)))),
    "several tracks": movie(box(b"stsz", numbers(0, 1, 6_000_000))) + movie(box(b"stsz", numbers(0, 1, 6_000_000))),
}


@pytest.mark.parametrize("name", TOO_MANY)
def test_samples_beyond_the_limit_are_refused_before_the_video_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "film.mp4").write_bytes(TOO_MANY[name])
    monkeypatch.setattr(av, "open", lambda *arguments, **options: pytest.fail("it was opened"))
    with pytest.raises(
        DataError, match=rf"too many frames.*film\.mp4; .*10,000,000 samples.*{VARIABLE}=video_samples="
    ):
        open_video(tmp_path / "film.mp4", camera="fov:60")


def test_a_compressed_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "film.mov").write_bytes(box(b"moov", box(b"cmov", bytes(40))))
    with pytest.raises(DataError, match=r"compressed header: .*film\.mov; convert it"):
        judge_samples(tmp_path / "film.mov")


def test_hours_of_uncompressed_sound_are_no_frames(tmp_path: Path) -> None:
    chunks = box(b"stco", numbers(0, 180_000)) + box(b"stsc", numbers(0, 1, 1, 1920, 1))
    (tmp_path / "film.mov").write_bytes(movie(SIZES, chunks, BY_ONE, handler=b"soun"))
    judge_samples(tmp_path / "film.mov")


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi"])
def test_a_video_of_any_format_passes_by_its_true_number(
    tmp_path: Path, write_video: WriteVideo, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = write_video(tmp_path / f"film.{suffix}", [np.full((48, 64, 3), i, np.uint8) for i in range(12)])
    judge_samples(path)
    monkeypatch.setenv(VARIABLE, "video_samples=11")
    if suffix in ("mp4", "mov"):
        with pytest.raises(DataError, match="got 12 samples"):
            judge_samples(path)
    else:
        judge_samples(path)


def test_frames_beyond_the_limit_end_the_count_in_any_format(
    tmp_path: Path, write_video: WriteVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "film.mkv", 1002 * [np.zeros((16, 16, 3), np.uint8)])
    monkeypatch.setenv(VARIABLE, "video_samples=900")
    with pytest.raises(DataError, match=r"too many frames: .*film\.mkv; expected at most 900 samples"):
        open_video(path, camera="fov:60")


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x18ftyp", box(b"ftyp") + b"\0\0\0\1moov", box(b"moov", bytes(3))])
def test_what_is_cut_off_passes_to_the_decoder(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    judge_samples(tmp_path / "film.mp4")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    judge_samples(tmp_path / "film.mp4")
