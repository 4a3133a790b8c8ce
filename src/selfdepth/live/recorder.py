"""The recording of a live run, which may fill a disk: it ends, whole, while there is room to end it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.errors import DiskFullError
from selfdepth.inference.writers import VideoWriter, create_video

RESERVE_BYTES = 64 * 2**20
"""What stays free: the index of an MP4, written at its end, has about 20 bytes for each frame."""


class Recorder:
    """A context in which pictures become a video. See `create_video`.

    Args:
        path: None: nothing is recorded.
        say: called with a sentence, if the recording ends early.

    Raises:
        DiskFullError: if there is too little room from the start.
        OutputError: if the video cannot be written.
    """

    def __init__(self, path: Path | None, say: Callable[[str], None]) -> None:
        self._path, self._say = path, say
        self._stack = ExitStack()
        self._video: VideoWriter | None = None

    def __enter__(self) -> Recorder:
        if self._path is None:
            return self
        with ExitStack() as stack:
            video = stack.enter_context(create_video(self._path, Fraction(30)))
            if self._is_full(self._path):
                raise DiskFullError(
                    "there is too little room for a recording",
                    where=self._path,
                    expected=f"more than {RESERVE_BYTES // 2**20} MB free",
                    fix="make room, or record elsewhere",
                )
            self._video, self._stack = video, stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.__exit__(*exception)  # type: ignore[arg-type]

    @property
    def records(self) -> bool:
        """Whether pictures are still wanted."""
        return self._video is not None

    def write(self, picture: UInt8[ndarray, "h w 3"], time_s: float) -> None:
        """Append a picture that was taken at a time in seconds, unless the recording has ended."""
        if self._video is None or self._path is None:
            return
        if self._is_full(self._path):
            self._video = None
            self._stack.close()
            self._say(f"the disk is nearly full: the recording {self._path} is whole, and ends here")
            return
        self._video.write(picture, time_s)

    @staticmethod
    def _is_full(path: Path) -> bool:
        return shutil.disk_usage(path.parent).free < RESERVE_BYTES
