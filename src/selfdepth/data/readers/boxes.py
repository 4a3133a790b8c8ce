"""How many samples a video in MP4 or MOV states, from its boxes: FFmpeg makes an entry of each when it opens one.

A few bytes can state billions: samples of one size need no list of sizes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from selfdepth.errors import DataError
from selfdepth.limits import require_within
from selfdepth.texts import open_regular

_FIRST = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"hoov", b"pnot", b"uuid", b"sidx")
"""Kinds of the boxes that such a file begins with."""
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex", b"edts", b"udta", b"wave", b"dinf")
_HIDDEN = {b"free", b"hoov"}
"""Kinds in which FFmpeg looks for the movie that an unfinished recording left there."""
_MOST_BOXES = 2_000_000
_MOST_BYTES = 64_000_000
"""Of a table that is read."""
_TOGETHER = 1024
"""Samples of uncompressed sound that FFmpeg takes as one."""


@dataclass
class _Track:
    """What the boxes of a track state.

    Attributes:
        samples: of all its lists.
        is_sound, steps_by_one: whether it is sound, and each sample lasts one tick: then it is uncompressed sound, of
            which FFmpeg counts pieces by the chunks and the samples of the largest chunk.
    """

    samples: int = 0
    is_sound: bool = False
    steps_by_one: bool = False
    chunks: int = 0
    largest_chunk: int = 0

    def pieces(self) -> int:
        """The entries that FFmpeg makes."""
        if self.is_sound and self.steps_by_one:
            return self.chunks * (1 + self.largest_chunk // _TOGETHER)
        return self.samples

    def add(self, kind: bytes, start: bytes, read: Callable[[], bytes]) -> None:
        """Take in a box: its kind, its first bytes, and what reads the rest of its first megabytes."""
        first, second = struct.unpack_from(">II", start.ljust(12, b"\0"), 4)
        if kind == b"hdlr" and start[8:12] in (b"soun", b"vide"):
            self.is_sound = start[8:12] == b"soun"
        elif kind == b"stts":
            self.steps_by_one = first == 1 and start[12:16] == b"\0\0\0\x01"
        elif kind in (b"stco", b"co64"):
            self.chunks += first
        elif kind == b"stsc":
            table = np.frombuffer(read()[8:], ">u4")
            self.largest_chunk = max(self.largest_chunk, int(table[1::3].max(initial=0)))
        elif kind in (b"stsz", b"stz2"):
            self.samples += second
        elif kind == b"trun":
            self.samples += first


def judge_samples(path: Path) -> None:
    """Refuse a video that states more samples than the limit; a file of another format passes.

    Raises:
        DataError: also for a movie whose boxes are compressed, so that they cannot be judged.
    """
    with suppress(struct.error, OSError), open_regular(path) as file:  # cut off, or unreadable: FFmpeg will say so
        if file.read(8)[4:] in _FIRST:
            tracks, n_before, what = [_Track()], 0, "the video states too many frames and pieces of sound"
            for kind, start, read in _boxes(file, path):
                if kind == b"trak":
                    n_before += tracks.pop().pieces()
                    tracks.append(_Track())
                tracks[0].add(kind, start, read)
                if kind in (b"trun", b"trak"):
                    require_within("video_samples", n_before + tracks[0].pieces(), what=what, where=path)
            require_within("video_samples", n_before + tracks[0].pieces(), what=what, where=path)


def _boxes(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, bytes, Callable[[], bytes]]]:
    """The boxes of a file in their order, those within others, too. See `_Track.add`."""
    end = file.seek(0, 2)
    place = 0
    for _ in range(_MOST_BOXES):
        if place >= end:
            return
        file.seek(place)
        size, kind = struct.unpack(">I4s", file.read(8))
        begin = place + 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            begin += 8
        start = file.read(24)
        if kind == b"cmov":
            raise DataError("the video has a compressed header", where=path, fix="convert it: ffmpeg -i IN OUT.mp4")
        is_parent = kind in _PARENTS or (kind in _HIDDEN and start[4:8] in (b"mvhd", b"cmov"))
        behind = max(place + size, begin) if size else end  # a size of 0 reaches to the end
        yield kind, start, partial(_read, file, begin, min(behind - begin, _MOST_BYTES))
        place = begin if is_parent else behind
    raise DataError("the video has too many parts", where=path, expected=f"at most {_MOST_BOXES:,} boxes", got="more")


def _read(file: BinaryIO, begin: int, n_bytes: int) -> bytes:
    file.seek(begin)
    data = file.read(n_bytes)
    return data[: len(data) // 4 * 4]
