"""Video files as sequences of frames."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.images import MIN_FRAMES
from selfdepth.data.readers.no_footage import OWN_SOFTWARE
from selfdepth.errors import DataError, SelfDepthWarning

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"}
    | {".h264", ".hevc", ".ogv", ".gif", ".mjpeg"}
)
WHOLE = 0.9
"""A file whose frames cover less than this share of the duration in its header has been cut off."""
MAX_UNDECODABLE = 0.01
"""Share of frames that the decoder may drop (leading frames after an edit) with a warning instead of an error."""

_INDEXED = frozenset({"mp4", "matroska", "avi", "asf", "flv"})
"""Containers that state their duration. Others (transport streams) may start and end anywhere."""
_REPAIR = "copy the file again, or convert it (ffmpeg -i IN OUT.mp4) and check its end"


@dataclass(frozen=True, kw_only=True)
class VideoSequence(FrameSequence):
    """The frames of one video file, numbered from 0 in display order."""

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these numbers: RGB, upright.

        The file is decoded from its start, because seeking to a frame number is not exact in all containers.

        Raises:
            DataError: naming the file, if its stream is damaged, ends early or changes its size.
        """
        if not numbers:
            return
        path, requested, last, damaged = self.files[0], set(numbers), numbers[-1], 0
        image, number = None, -1
        with _opened(path) as container:
            for frame in _decode(container, path):
                number += 1
                damaged += frame.is_corrupt
                if number in requested:
                    image = _upright(frame)
                    self._require_size(image, number)
                    yield image
                if number == last:
                    break
        missing = last - number
        if missing > 0:
            yield from self._end_early(number + 1, image, sum(later > number for later in requested))
        if damaged:
            warnings.warn(f"{damaged} frames of {path} are damaged", SelfDepthWarning, stacklevel=2)

    def _require_size(self, image: UInt8[ndarray, "h w 3"], number: int) -> None:
        if image.shape[:2] != (self.camera.height, self.camera.width):
            raise DataError(
                f"the video changes its size at frame {number}",
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
                fix=_REPAIR,
            )
        warnings.warn(
            f"{n_missing} of {count} frames cannot be decoded; the last frame is repeated instead: {self.files[0]}",
            SelfDepthWarning,
            stacklevel=3,
        )
        for _ in range(n_missing):
            yield last


def open_video(path: Path, *, camera: str | None = None, min_frames: int = MIN_FRAMES) -> VideoSequence:
    """A video file as a sequence. Only its packets are counted and its first frame is decoded.

    Args:
        camera: as `parse_camera` reads it, for the size of the upright frames.
        min_frames: the fewest frames to accept; training needs 3, prediction 1.

    Raises:
        DataError: for a file that is missing, not a video, cut off, without a video stream, or too short.
    """
    if not path.is_file():
        raise DataError("there is no such video", where=path)
    with _opened(path) as container:
        stream = _stream(container, path)
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        square = stream.sample_aspect_ratio in (None, 0, 1)  # 0 stands for unknown
        times = _frame_times(container, stream, path)
        start_s = (container.start_time or 0) / av.time_base
    count = len(times)
    if count < min_frames:
        raise DataError("the video has too few frames", where=path, expected=f"at least {min_frames}", got=str(count))
    # The count has read the container to its end, so it is opened again.
    with _opened(path) as container:
        first = next(_decode(container, path), None)
        if first is None:
            raise DataError("no frame of the video can be decoded", where=path, fix=_REPAIR)
        height, width = _upright(first).shape[:2]
    if not square:
        warnings.warn(
            f"the pixels of {path} are not square; give --camera fx,fy,cx,cy, because a field of view assumes square "
            "ones",
            SelfDepthWarning,
            stacklevel=2,
        )
    numbers = tuple(range(count))
    digits = max(6, len(str(count - 1)))
    return VideoSequence(
        name=path.stem,
        camera=parse_camera(camera, width=width, height=height),
        numbers=numbers,
        names=tuple(f"{number:0{digits}d}" for number in numbers),
        files=(path,),
        fps=fps,
        times_s=_increasing(times, start_s, fps),
    )


def is_own_video(path: Path) -> bool:
    """Whether `predict` has written this video."""
    try:
        with av.open(str(path)) as container:
            return bool(container.metadata.get("comment") == OWN_SOFTWARE)
    except (av.error.FFmpegError, UnicodeDecodeError):
        return False


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open container. Errors of the demuxer become a DataError that names the file."""
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.error.FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            "the video cannot be read", where=path, expected="a complete video file", got=str(reason), fix=_REPAIR
        ) from error


def _stream(container: Any, path: Path) -> Any:
    """The first video stream. Raises DataError if there is none."""
    for stream in container.streams.video:
        # An attached picture, such as the cover of an album, is a video stream of one frame.
        if not stream.disposition & av.stream.Disposition.attached_pic:
            stream.thread_type = "AUTO"  # decode on all cores
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise DataError("the file has no video stream", where=path, expected="a video file", got=f"{kinds} only")


def _frame_times(container: Any, stream: Any, path: Path) -> list[float | None]:
    """The time of each frame to expect, in seconds, in decoding order; None where a packet states none or jumps back.

    They are counted and read from the packets, without decoding. The containers' own counts are often absent, or
    include frames that were trimmed away.

    Raises:
        DataError: if the file was cut off: a packet is incomplete, or the frames do not fill the stated duration.
    """
    states_duration = not _INDEXED.isdisjoint(container.format.name.split(","))
    times: list[float | None] = []
    begin, end, last_dts = None, 0.0, None
    for packet in container.demux(stream):
        if not packet.size:  # the demuxer ends with an empty packet, to flush the decoder
            continue
        if packet.is_corrupt and states_duration:
            raise _cut_off(path, f"a break at frame {len(times)}", stream.frames)
        time = None if packet.pts is None else float(packet.pts * packet.time_base)
        if time is not None:
            # Packets come in decoding order, which B-frames make differ from the order of their times.
            begin = time if begin is None else min(begin, time)
            end = max(end, time + float((packet.duration or 0) * packet.time_base))
        # Nothing can be decoded before the first key frame, and trimmed frames are not displayed.
        if (times or packet.is_keyframe) and not packet.is_discard:
            jumps_back = None not in (packet.dts, last_dts) and packet.dts < last_dts
            times.append(None if jumps_back else time)
        last_dts = packet.dts if packet.dts is not None else last_dts
    lengths = [float(stream.duration * stream.time_base)] if stream.duration else []
    lengths += [container.duration / 1e6] if container.duration else []
    # The shorter one: the container lasts as long as its longest stream, which may be the sound.
    if states_duration and begin is not None and lengths and end - begin < WHOLE * min(lengths):
        raise _cut_off(path, f"{end - begin:.1f} of {min(lengths):.1f} seconds", stream.frames)
    return times


def _increasing(times: list[float | None], start_s: float, fps: float) -> tuple[float, ...] | None:
    """Times in display order, from the start of the file, as players count them.

    A stream without times, as a raw one, or with a jump back, as in joined recordings, has those of its stated rate;
    None if it states none.
    """
    known = sorted(time - start_s for time in times if time is not None)
    if len(known) == len(times) and all(after > before for before, after in itertools.pairwise(known)):
        return tuple(known)
    return tuple(number / fps for number in range(len(times))) if fps else None


def _cut_off(path: Path, got: str, stated: int) -> DataError:
    """The error for a file whose end is missing; `stated` is the container's own count of frames, or 0."""
    expected = f"{stated} frames" if stated else "a complete video file"
    return DataError("the video has been cut off", where=path, expected=expected, got=got, fix=_REPAIR)


def _decode(container: Any, path: Path) -> Iterator[Any]:
    """The frames in display order. Raises DataError, with the frame number, where the stream is damaged."""
    stream, n_decoded = _stream(container, path), 0
    try:
        for frame in container.decode(stream):
            yield frame
            n_decoded += 1
    except av.error.FFmpegError as error:
        raise DataError(
            f"the video is damaged after {n_decoded} frames", where=path, got=str(error.strerror), fix=_REPAIR
        ) from error


def _upright(frame: Any) -> UInt8[ndarray, "h w 3"]:
    """RGB pixels, turned and mirrored by the file's display matrix: phones store upright videos sideways."""
    image: ndarray = frame.to_ndarray(format="rgb24")
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    if data is None:
        return image
    # The display matrix maps a stored pixel to (x', y') = (a x + c y, b x + d y), in 16.16 fixed point, y down. Only
    # quarter turns and mirrors are applied, so the signs are enough.
    a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32)[:5].tolist()
    if abs(a) >= abs(b):
        flip_x, flip_y = a < 0, d < 0
    else:
        image, flip_x, flip_y = image.transpose(1, 0, 2), c < 0, b < 0
    return np.ascontiguousarray(image[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
