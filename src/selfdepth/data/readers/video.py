"""Video files as sequences of frames."""

from __future__ import annotations

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
from selfdepth.errors import DataError, SelfDepthWarning

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"}
    | {".h264", ".hevc", ".ogv", ".gif", ".mjpeg"}
)
WHOLE = 0.9
"""A file whose frames cover less than this share of the length that it promises has been cut off."""
MAX_UNDECODABLE = 0.01
"""Share of frames that may fail to come out of the decoder (leading frames of a cut) with a warning only."""

_INDEXED = frozenset({"mp4", "matroska", "avi", "asf", "flv"})
"""Containers that say how long they are. Others (transport streams) go from anywhere to anywhere."""
_REPAIR = "copy the file again, or convert it (ffmpeg -i IN OUT.mp4) and look at its end"


@dataclass(frozen=True, kw_only=True)
class VideoSequence(FrameSequence):
    """The frames of one video file, numbered from 0 in the order they are shown."""

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these numbers, RGB, upright. The file is decoded from its start.

        Raises:
            DataError: naming the file, where its stream breaks, ends early or changes its size.
        """
        if not numbers:
            return
        path, wanted, last, damaged = self.files[0], set(numbers), numbers[-1], 0
        image, number = None, -1
        with _opened(path) as container:
            for frame in _decode(container, path):
                number += 1
                damaged += frame.is_corrupt
                if number in wanted:
                    image = _upright(frame)
                    self._require_size(image, number)
                    yield image
                if number == last:
                    break
        missing = last - number
        if missing > 0:
            yield from self._end_early(number + 1, image, sum(wanted_ > number for wanted_ in wanted))
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
        """A few frames too few are made up for by the last one, and said; more are a broken file."""
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
            f"{n_missing} of {count} frames cannot be decoded; the last one stands in for them: {self.files[0]}",
            SelfDepthWarning,
            stacklevel=3,
        )
        for _ in range(n_missing):
            yield last


def open_video(path: Path, *, camera: str | None = None, min_frames: int = MIN_FRAMES) -> VideoSequence:
    """A video file as a sequence. The packets are counted and the first frame is decoded, no more.

    Args:
        camera: as `parse_camera` reads it, for the size of the upright frames.
        min_frames: refuse fewer; 3 are needed to train, 1 to predict.

    Raises:
        DataError: for a file that is missing, not a video, cut off, without pictures, or too short.
    """
    if not path.is_file():
        raise DataError("there is no such video", where=path)
    with _opened(path) as container:
        stream = _stream(container, path)
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        square = stream.sample_aspect_ratio in (None, 0, 1)
        count = _count_frames(container, stream, path)
    if count < min_frames:
        raise DataError("the video has too few frames", where=path, expected=f"at least {min_frames}", got=str(count))
    with _opened(path) as container:
        first = next(_decode(container, path), None)
        if first is None:
            raise DataError("no frame of the video can be decoded", where=path, fix=_REPAIR)
        height, width = _upright(first).shape[:2]
    if not square:
        warnings.warn(
            f"the pixels of {path} are not square; give --camera fx,fy,cx,cy, as a field of view takes them for square",
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
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open container; whatever the demuxer refuses is a DataError that names the file."""
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.error.FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            "the video cannot be read", where=path, expected="a whole video file", got=str(reason), fix=_REPAIR
        ) from error


def _stream(container: Any, path: Path) -> Any:
    """The first stream of pictures that is not a cover."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            stream.thread_type = "AUTO"
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise DataError("the file has no pictures", where=path, expected="a video stream", got=f"{kinds} only")


def _count_frames(container: Any, stream: Any, path: Path) -> int:
    """Frames to expect, from the packets: the containers' own counts are absent or include what was trimmed away.

    Raises:
        DataError: if the file was cut off: its last packet is not whole, or the time it promises is not filled.
    """
    promises = not _INDEXED.isdisjoint(container.format.name.split(","))
    count, begin, end = 0, None, 0.0
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.is_corrupt and promises:
            raise _cut_off(path, f"a break at frame {count}", stream.frames)
        if packet.pts is not None:
            time = float(packet.pts * packet.time_base)
            begin = time if begin is None else min(begin, time)
            end = max(end, time + float((packet.duration or 0) * packet.time_base))
        # Nothing can be decoded before the first key frame, and trimmed frames are not shown.
        count += (count > 0 or packet.is_keyframe) and not packet.is_discard
    lengths = [float(stream.duration * stream.time_base)] if stream.duration else []
    lengths += [container.duration / 1e6] if container.duration else []
    if promises and begin is not None and lengths and end - begin < WHOLE * min(lengths):
        raise _cut_off(path, f"{end - begin:.1f} of {min(lengths):.1f} seconds", stream.frames)
    return count


def _cut_off(path: Path, got: str, promised: int) -> DataError:
    expected = f"{promised} frames" if promised else "a whole video file"
    return DataError("the video has been cut off", where=path, expected=expected, got=got, fix=_REPAIR)


def _decode(container: Any, path: Path) -> Iterator[Any]:
    """The frames in the order they are shown; where the stream breaks is said."""
    stream, n_decoded = _stream(container, path), 0
    try:
        for frame in container.decode(stream):
            yield frame
            n_decoded += 1
    except av.error.FFmpegError as error:
        raise DataError(
            f"the video breaks after {n_decoded} frames", where=path, got=str(error.strerror), fix=_REPAIR
        ) from error


def _upright(frame: Any) -> UInt8[ndarray, "h w 3"]:
    """RGB pixels as they are to be shown: turned and mirrored by the file's display matrix, as phones need it."""
    image: ndarray = frame.to_ndarray(format="rgb24")
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    if data is None:
        return image
    # Shown (x', y') = (a x + c y, b x + d y) in 16.16 fixed point, with y down.
    a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32)[:5].tolist()
    if abs(a) >= abs(b):
        flip_x, flip_y = a < 0, d < 0
    else:
        image, flip_x, flip_y = image.transpose(1, 0, 2), c < 0, b < 0
    return np.ascontiguousarray(image[:: -1 if flip_y else 1, :: -1 if flip_x else 1])
