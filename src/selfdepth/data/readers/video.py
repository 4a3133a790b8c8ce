"""Video files as sequences of frames."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8, UInt16
from numpy import ndarray

from selfdepth.data.frames import FrameSequence, find_gaps
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.containers import REPAIR, choose_track, opened_video, video_stream
from selfdepth.data.readers.images import MIN_FRAMES
from selfdepth.data.readers.levels import stretched
from selfdepth.data.readers.no_footage import OWN_SOFTWARE
from selfdepth.data.readers.pictures import ALL_LEVELS, Levels
from selfdepth.data.readers.video_frames import Converter, grey16_of, is_deep_grey, what_is_odd
from selfdepth.data.readers.video_times import timeline
from selfdepth.errors import DataError, SelfDepthWarning

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"}
    | {
        ".h264",
        ".hevc",
        ".ogv",
        ".gif",
        ".mjpeg",
        ".mjpg",
        ".3g2",
        ".vob",
        ".asf",
        ".mxf",
        ".dv",
        ".y4m",
        ".265",
        ".264",
    }
)
"""How the videos in a folder are told from other files. A file that is named itself may have any suffix."""
MAX_UNDECODABLE = 0.01
"""Share of frames that the decoder may drop (leading frames after an edit) with a warning instead of an error."""

_LOOKED_AT = 16
"""Frames of deep grey that are looked at, evenly spread, to find its range."""


@dataclass(frozen=True, kw_only=True)
class VideoSequence(FrameSequence):
    """The frames of one video stream of a file, numbered from 0 in display order, and named by their position.

    Numbers jump where the video's time has a hole, and where another recording was joined to it.

    Attributes:
        stream: number of the stream among the file's video streams.
        jumps: where the numbers of the stream jump, as (last before, first after).
        levels: values of 16-bit grey that become black and white.
    """

    stream: int = 0
    jumps: tuple[tuple[int, int], ...] = ()
    levels: Levels = ALL_LEVELS

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these numbers: RGB, upright.

        The file is decoded from its start, because seeking to a frame number is not exact in all containers.

        Raises:
            DataError: naming the file, if its stream is damaged, ends early or changes its size.
        """
        if not numbers:
            return
        path, damaged, requested = self.files[0], 0, set(self._positions(numbers))
        image, position, last, convert = None, -1, max(requested), Converter(self.levels)
        said: set[str] = set()
        with opened_video(path) as container:
            for frame in _decode(container, self.stream, path):
                position += 1
                damaged += frame.is_corrupt
                for sentence in what_is_odd(frame, f"a part of {path}"):
                    if position > 0 and sentence not in said:  # what the first frame shows was said of the whole video
                        warnings.warn(sentence, SelfDepthWarning, stacklevel=2)
                    said.add(sentence)
                if position in requested:
                    image = convert(frame)
                    self._require_size(image, position)
                    yield image
                if position == last:
                    break
        missing = sum(later > position for later in requested)
        if missing > 0:
            yield from self._end_early(position + 1, image, missing)
        if damaged:
            warnings.warn(f"{damaged} frames of {path} are damaged", SelfDepthWarning, stacklevel=2)

    def _positions(self, numbers: tuple[int, ...]) -> list[int]:
        """Positions in the stream, from 0, of the frames with these numbers."""
        skipped = np.cumsum([0, *(after - before - 1 for before, after in self.jumps)])
        n_before = np.searchsorted([after for _, after in self.jumps], numbers, side="right")
        positions: list[int] = (np.array(numbers) - skipped[n_before]).tolist()
        return positions

    def _require_size(self, image: UInt8[ndarray, "h w 3"], position: int) -> None:
        if image.shape[:2] != (self.camera.height, self.camera.width):
            raise DataError(
                f"the video changes its size at frame {position}",
                where=self.files[0],
                expected=f"{self.camera.width}x{self.camera.height}",
                got=f"{image.shape[1]}x{image.shape[0]}",
                fix="convert it to one size (ffmpeg -i IN -vf scale=W:H OUT.mp4), or cut it there",
            )

    def _end_early(
        self, n_decoded: int, last: UInt8[ndarray, "h w 3"] | None, n_missing: int
    ) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Repeat the last frame, with a warning, for a few missing ones. Raises DataError if many are missing."""
        count = len(self.numbers)
        if last is None or count - n_decoded > max(2, MAX_UNDECODABLE * count):
            raise DataError(
                "the video ends early",
                where=self.files[0],
                expected=f"{count} frames",
                got=f"{n_decoded}",
                fix=REPAIR,
            )
        warnings.warn(
            f"{n_missing} of {count} frames cannot be decoded; the last frame is repeated instead: {self.files[0]}",
            SelfDepthWarning,
            stacklevel=3,
        )
        for _ in range(n_missing):
            yield last


def open_video(
    path: Path, *, camera: str | None = None, min_frames: int = MIN_FRAMES, stream: int | None = None
) -> VideoSequence:
    """A video file as a sequence. Only its packets are read and its first frame is decoded.

    The time of each frame is that of its packet, in seconds from the start of the file, as players count them. A hole
    in these times is a gap in the numbers.

    Args:
        camera: as `parse_camera` reads it, for the size of the upright frames.
        min_frames: the fewest frames to accept; training needs 3, prediction 1.
        stream: number of the video stream to take, from 0; None: the one with the most frames (`choose_track`).

    Raises:
        DataError: for a file that is missing, not a video, cut off, too large, without that stream, or too short.
    """
    if not path.is_file():
        raise DataError("there is no such video", where=path)
    with opened_video(path) as container:
        track = choose_track(container, path, stream)
        chosen = video_stream(container, track.number, path)
        # Of a raw stream, which has no times, FFmpeg calls 25 the average; its guess is what the stream itself states.
        average = chosen.average_rate if track.begin_s is not None else None
        stated_fps = float(average or chosen.guessed_rate or 0)
        square = chosen.sample_aspect_ratio in (None, 0, 1)  # 0 stands for unknown
        start_s = (container.start_time or 0) / av.time_base
    # The packets were read to the end of the file, so it is opened again.
    first = _first_frame(path, track.number)
    track.begin_with(first)
    height, width = Converter()(first).shape[:2]
    count = track.n_frames
    if count < min_frames:
        raise DataError("the video has too few frames", where=path, expected=f"at least {min_frames}", got=str(count))
    _say_what_is_odd(first, square, path)
    shown = timeline(track.recordings, stated_fps=stated_fps, start_s=start_s, path=path)
    return VideoSequence(
        name=path.stem,
        camera=parse_camera(camera, width=width, height=height),
        numbers=shown.numbers,
        names=tuple(f"{number:0{max(6, len(str(count - 1)))}d}" for number in range(count)),
        files=(path,),
        fps=shown.fps,
        times_s=shown.times_s,
        stream=track.number,
        jumps=find_gaps(shown.numbers),
        levels=stretched(_grey_samples(path, track.number), path) if is_deep_grey(first) else ALL_LEVELS,
    )


def _say_what_is_odd(first: Any, square: bool, path: Path) -> None:
    sentences = list(what_is_odd(first, str(path)))
    if not square:
        sentences.append(
            f"the pixels of {path} are not square; give --camera fx,fy,cx,cy, because a field of view assumes square "
            "ones"
        )
    for sentence in sentences:
        warnings.warn(sentence, SelfDepthWarning, stacklevel=3)


def is_own_video(path: Path) -> bool:
    """Whether `predict` has written this video."""
    try:
        with opened_video(path) as container:
            return bool(container.metadata.get("comment") == OWN_SOFTWARE)
    except DataError:
        return False


def _first_frame(path: Path, number: int) -> Any:
    with opened_video(path) as container:
        first = next(_decode(container, number, path), None)
    if first is None:
        raise DataError("no frame of the video can be decoded", where=path, fix=REPAIR)
    return first


def _grey_samples(path: Path, number: int) -> Iterator[UInt16[ndarray, "_h _w"]]:
    """Frames of a video in deep grey, evenly spread over it, or its first ones if it does not state how long it is."""
    with opened_video(path) as container:
        stream = video_stream(container, number, path)
        for i in range(_LOOKED_AT):
            if container.duration:
                container.seek((container.start_time or 0) + container.duration * i // _LOOKED_AT)
            frame = next(container.decode(stream), None)
            if frame is None:
                return
            yield grey16_of(frame)


def _decode(container: Any, number: int, path: Path) -> Iterator[Any]:
    """The frames in display order. Raises DataError, with the frame number, where the stream is damaged."""
    n_decoded = 0
    try:
        for frame in container.decode(video_stream(container, number, path)):
            yield frame
            n_decoded += 1
    except av.error.FFmpegError as error:
        raise DataError(
            f"the video is damaged after {n_decoded} frames", where=path, got=str(error.strerror), fix=REPAIR
        ) from error
