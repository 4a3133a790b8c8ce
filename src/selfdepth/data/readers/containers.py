"""Open a video file: which formats are read, how large its frames may be, which of its streams is taken."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from selfdepth.data.readers.boxes import judge_samples
from selfdepth.data.readers.file_kinds import GIF, file_kind, require_role
from selfdepth.errors import DataError, SelfDepthError, SelfDepthWarning
from selfdepth.limits import limit, require_within

FORMATS = "a video in MP4, MOV, Matroska, WebM, AVI, MPEG, FLV, WMV, Ogg, MXF, DV, Y4M, GIF, MJPEG, H.264 or H.265"
REPAIR = "copy the file again, or convert it (ffmpeg -i IN OUT.mp4) and check its end"
WHOLE = 0.9
"""A file whose frames cover less than this share of the duration in its header has been cut off."""

_DEMUXERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,yuv4mpegpipe,gif,mjpeg,h264,hevc,ivf"
"""The formats that FFmpeg may open. It knows lists, too, through which a file would open others."""
_INDEXED = frozenset({"mp4", "matroska", "avi", "asf", "flv"})
"""Containers that state their duration. Others (transport streams) may start and end anywhere."""
_JITTER_S = 0.5
"""A time that jumps back by more is that of another recording; by less, of a clock that wavers."""
_SAME_LENGTH = 0.9
"""Streams with at least this share of the most frames are cameras of one recording, not a preview of it."""


@dataclass(kw_only=True)
class Track:
    """A video stream, by its packets.

    Attributes:
        number: among the file's video streams, from 0; covers are not counted.
        recordings: time of each frame to expect, in decoding order, seconds; None where a packet states none. Where
            the time jumps back, as in joined files, another recording begins.
        begin_s, end_s: when the first frame begins and the last one ends; begin_s is None if no packet states a time.
        broken_at: number of the first frame that is incomplete, if any.
        begun: whether a key frame has come.
    """

    number: int
    recordings: list[list[float | None]] = field(default_factory=lambda: [[]])
    begin_s: float | None = None
    end_s: float = 0.0
    broken_at: int | None = None
    begun: bool = False
    last_dts: int | None = None

    @property
    def n_frames(self) -> int:
        """Number of frames to expect."""
        return sum(map(len, self.recordings))

    def add(self, packet: Any) -> None:
        """Take in the next packet of the stream."""
        if packet.is_corrupt and self.broken_at is None:
            self.broken_at = self.n_frames
        time = None if packet.pts is None else float(packet.pts * packet.time_base)
        if time is not None:
            # Packets come in decoding order, which B-frames make differ from the order of their times.
            self.begin_s = time if self.begin_s is None else min(self.begin_s, time)
            self.end_s = max(self.end_s, time + float((packet.duration or 0) * packet.time_base))
        # Nothing can be decoded before the first key frame, which may itself be trimmed: then it is decoded all the
        # same, for the frames that refer to it, but not displayed.
        self.begun = self.begun or packet.is_keyframe
        if self.begun and not packet.is_discard:
            if self.recordings[-1] and self._jumps_back(packet):
                self.recordings.append([])
            self.recordings[-1].append(time)
        self.last_dts = self.last_dts if packet.dts is None else packet.dts

    def _jumps_back(self, packet: Any) -> bool:
        if self.last_dts is None or packet.dts is None:
            return False
        return bool((self.last_dts - packet.dts) * packet.time_base > _JITTER_S)

    def begin_with(self, first: Any) -> None:
        """Leave out what is shown before the first frame that can be decoded: it refers to frames that were cut off."""
        begin = None if first.pts is None else float(first.pts * first.time_base)
        # Only of the first recording: another that was joined to it may have any times.
        if begin is not None and begin in self.recordings[0]:
            self.recordings[0] = [time for time in self.recordings[0] if time is None or time >= begin]


@contextmanager
def opened_video(path: Path) -> Iterator[Any]:
    """An open container. Whatever PyAV raises, here or in the block, becomes a DataError that names the file.

    Raises:
        DataError: also for a file that is no video by its contents, or of a format that is not read.
    """
    kind = file_kind(path)
    require_role(path, kind, "video")
    judge_samples(path)
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file", **_decoder_options()}
    try:
        if kind is GIF:  # FFmpeg learns its size only by decoding
            with path.open("rb") as file:
                head = file.read(10)
            _judge(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"), path)
        # With the protocol in front, a name such as 12:30:15.mp4 is not taken for one.
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            yield container
    except SelfDepthError:
        raise
    # PyAV raises FFmpegError for what FFmpeg reports, and nearly every kind of exception for what it does not expect.
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(
            "the video cannot be read", where=path, expected=FORMATS, got=str(reason), fix=REPAIR
        ) from error


def video_stream(container: Any, number: int, path: Path) -> Any:
    """A video stream by its number, ready to be decoded on all cores, in frames within the limit."""
    stream = _video_streams(container, path)[number]
    if stream.codec_context is None:
        raise DataError("the video has a codec that is not known", where=path, fix=REPAIR)
    _judge(stream.codec_context.width, stream.codec_context.height, path)
    stream.codec_context.options = _decoder_options()
    stream.thread_type = "AUTO"
    return stream


def choose_track(container: Any, path: Path, wanted: int | None) -> Track:
    """Read all packets, without decoding, and choose a video stream.

    The stream with the most frames is taken; among several of nearly the same length the one that the file calls its
    default, else the largest, else the first. A warning names the others.

    Args:
        wanted: number of the stream to take instead; None: the rule above.

    Raises:
        DataError: if there is none, or the chosen one was cut off: a packet is incomplete, or the frames do not fill
            the stated duration.
    """
    streams = _video_streams(container, path)
    if wanted is not None and wanted >= len(streams):
        raise DataError(
            "the file has no such video stream",
            where=path,
            expected=f"--stream 0 to {len(streams) - 1}" if len(streams) > 1 else "--stream 0, its only one",
            got=f"--stream {wanted}",
        )
    tracks = _tracks(container, streams, path)
    chosen = tracks[_best(streams, tracks) if wanted is None else wanted]
    if len(streams) > 1 and wanted is None:
        described = (
            f"{track.number} ({_size(stream)}, {track.n_frames} frames)"
            for stream, track in zip(streams, tracks, strict=True)
        )
        warnings.warn(
            f"{path} has {len(streams)} video streams: {', '.join(described)}; stream {chosen.number} is taken, and "
            "--stream N takes another",
            SelfDepthWarning,
            stacklevel=3,
        )
    _require_whole(container, streams[chosen.number], chosen, max(track.end_s for track in tracks), path)
    return chosen


def _video_streams(container: Any, path: Path) -> list[Any]:
    """The video streams but covers, which are video streams of one picture. Raises DataError if there are none."""
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise DataError("the file has no video stream", where=path, expected=FORMATS, got=f"{kinds} only")
    return streams


def _tracks(container: Any, streams: Sequence[Any], path: Path) -> list[Track]:
    tracks = {stream.index: Track(number=number) for number, stream in enumerate(streams)}
    for count, packet in enumerate(container.demux(streams)):
        if count % 1000 == 0:
            require_within("video_samples", count, what="the video has too many frames", where=path)
        if packet.size:  # the demuxer ends with empty packets, to flush the decoders
            tracks[packet.stream.index].add(packet)
    return list(tracks.values())


def _best(streams: Sequence[Any], tracks: Sequence[Track]) -> int:
    most = max(track.n_frames for track in tracks)

    def rank(track: Track) -> tuple[bool, bool, int, int]:
        stream = streams[track.number]
        context = stream.codec_context
        pixels = context.width * context.height if context is not None else 0
        default = bool(stream.disposition & av.stream.Disposition.default)
        return track.n_frames >= _SAME_LENGTH * most, default, pixels, -track.number

    return max(tracks, key=rank).number


def _require_whole(container: Any, stream: Any, track: Track, last_s: float, path: Path) -> None:
    """Refuse a file that was cut off; `last_s` is when the last of all video streams ends."""
    if _INDEXED.isdisjoint(container.format.name.split(",")):
        return
    if track.broken_at is not None:
        raise _cut_off(path, f"a break at frame {track.broken_at}", stream.frames)
    lengths = [float(stream.duration * stream.time_base)] if stream.duration else []
    lengths += [container.duration / 1e6] if container.duration else []
    # The shorter one: the container lasts as long as its longest stream, which may be the sound. Where the stream does
    # not state its own length, another camera may have recorded for longer.
    end_s = track.end_s if stream.duration else last_s
    if track.begin_s is not None and lengths and end_s - track.begin_s < WHOLE * min(lengths):
        raise _cut_off(path, f"{end_s - track.begin_s:.1f} of {min(lengths):.1f} seconds", stream.frames)


def _cut_off(path: Path, got: str, stated: int) -> DataError:
    """The error for a file whose end is missing; `stated` is the container's own count of frames, or 0."""
    expected = f"{stated} frames" if stated else "a complete video file"
    return DataError("the video has been cut off", where=path, expected=expected, got=got, fix=REPAIR)


def _judge(width: int, height: int, path: Path) -> None:
    megapixels = width * height / 1e6
    require_within("video_megapixels", megapixels, what="the frames of the video are too large", where=path)


def _decoder_options() -> dict[str, str]:
    """Frames may be larger than the container states."""
    return {"max_pixels": str(limit("video_megapixels") * 1_000_000)}


def _size(stream: Any) -> str:
    context = stream.codec_context
    return "of an unknown codec" if context is None else f"{context.width}x{context.height}"
