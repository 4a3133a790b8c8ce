"""Where live frames come from: a camera, a stream of the network, or a recording that is played at its own rate."""

from __future__ import annotations

import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import av
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.readers.video_frames import Converter, what_is_odd
from selfdepth.errors import ConfigError, DataError, SelfDepthError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.inference.inputs import PredictionInput, open_inputs
from selfdepth.limits import limit, require_within

SCHEMES = ("rtsp", "rtsps", "http", "https", "tcp", "udp", "rtp", "srt", "rtmp", "rtmps")
"""Addresses that are streams."""
EXPECTED = "the number of a camera, an address like rtsp://HOST/PATH, a video, or a folder of images"

_PROTOCOLS = "rtsp,rtsps,rtp,http,https,httpproxy,tcp,udp,tls,srt,rtmp,rtmps,crypto"
"""What FFmpeg may open for an address. Not "file": a playlist from the network must not name files of this machine."""
_FORMATS = "rtsp,rtp,sdp,mpegts,mjpeg,mpjpeg,h264,hevc,flv,live_flv,matroska,mov,avi,mpeg,mpegvideo,ogg,asf"
"""The formats that an address may have. Playlists are none: they would lead to other addresses."""
_OPEN_S, _READ_S = 15.0, 10.0
"""Seconds until a stream that does not answer, or falls silent, is taken for lost."""
_MOST_DAMAGED = 250
"""Packets in a row that cannot be decoded, after which a stream is taken for lost."""
_LONGEST_STEP_S = 2.0
"""A recording that was paused goes on after this time."""
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True, kw_only=True)
class LiveFrame:
    """A frame that has arrived.

    Attributes:
        read: gives its pixels, RGB and upright. Frames that are dropped are never converted.
        arrived_s: when its last bytes arrived, or, of a recording, when its turn came; by `time.monotonic`.
        time_s: its time in seconds, by a clock of the source, which goes on while that is lost.
        camera_for: as in PredictionInput.
    """

    read: Callable[[], UInt8[ndarray, "h w 3"]]
    arrived_s: float
    time_s: float
    camera_for: Callable[[int, int], Camera | None]


@runtime_checkable
class LiveSource(Protocol):
    """What frames come from.

    Attributes:
        name: for people; without the password of an address.
        returns: whether it is opened again when it ends, as cameras and streams are.
        files: which results must not overwrite.
    """

    @property
    def name(self) -> str: ...
    @property
    def returns(self) -> bool: ...
    @property
    def files(self) -> tuple[Path, ...]: ...

    def frames(self, stop: threading.Event) -> Iterator[LiveFrame]:
        """Open the source, and yield its frames as they come, until it ends or the event is set.

        Raises:
            DataError: if it cannot be opened, or is lost.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class StreamSource:
    """A camera of this machine or a stream of the network, through FFmpeg.

    Attributes:
        address, format, options: as `av.open` takes them.
        camera_for: as in PredictionInput.
        stream: number among the video streams.
        opener: `av.open`, or what stands for it in tests.
    """

    name: str
    address: str
    format: str | None
    options: dict[str, str]
    camera_for: Callable[[int, int], Camera | None]
    stream: int = 0
    opener: Callable[..., Any] = av.open
    returns: bool = True
    files: tuple[Path, ...] = ()

    def frames(self, stop: threading.Event) -> Iterator[LiveFrame]:
        """As in LiveSource."""
        try:
            with self._opened() as container:
                yield from self._decoded(container, stop)
        except (SelfDepthError, GeneratorExit):
            raise
        # PyAV raises FFmpegError for what FFmpeg reports, and nearly any exception for what it does not expect.
        except Exception as error:
            raise DataError("the source was lost", where=self.name, got=_reason(error, _READ_S)) from error

    def _opened(self) -> Any:
        pixels = str(limit("video_megapixels") * 1_000_000)
        options = {**self.options, "max_pixels": pixels}
        try:
            return self.opener(
                self.address, format=self.format, options=options, timeout=(_OPEN_S, _READ_S), metadata_errors="replace"
            )
        except Exception as error:
            what, got = f"the {'camera' if self.format else 'stream'} cannot be opened", _reason(error, _OPEN_S)
            raise DataError(what, where=self.name, got=got, fix="check that it is there, and free") from error

    def _decoded(self, container: Any, stop: threading.Event) -> Iterator[LiveFrame]:
        streams = container.streams.video
        if self.stream >= len(streams):
            expected = f"a video stream of number {self.stream}"
            raise DataError("the source has no such stream", where=self.name, expected=expected, got=f"{len(streams)}")
        video = streams[self.stream]
        # Frames decoded by several threads come out some frames late; the lines of one frame do not.
        video.thread_type = "SLICE"
        damaged, said = 0, set[str]()
        convert = Converter()
        for packet in container.demux(video):
            arrived_s = time.monotonic()
            if stop.is_set():
                return
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:  # of a lost packet, or before the first key frame
                damaged += 1
                if damaged > _MOST_DAMAGED:
                    raise
                continue
            for frame in decoded:
                damaged = 0
                self._judge(frame, said)
                yield LiveFrame(
                    # By the one thread that takes frames: `convert` is not for several.
                    read=lambda frame=frame: self._pixels(convert, frame),  # type: ignore[misc]
                    arrived_s=arrived_s,
                    time_s=arrived_s,
                    camera_for=self.camera_for,
                )

    def _pixels(self, convert: Converter, frame: Any) -> UInt8[ndarray, "h w 3"]:
        try:
            return convert(frame)
        except Exception as error:  # of any kind, as above
            raise DataError("a frame cannot be converted", where=self.name, got=_reason(error, _READ_S)) from error

    def _judge(self, frame: Any, said: set[str]) -> None:
        """Refuse frames that are too large, which may come at any time, and warn once of what is odd."""
        megapixels = frame.width * frame.height / 1e6
        require_within("video_megapixels", megapixels, what="the frames of the source are too large", where=self.name)
        for sentence in what_is_odd(frame, self.name):
            if sentence not in said:
                warnings.warn(sentence, SelfDepthWarning, stacklevel=2)
            said.add(sentence)


@dataclass(frozen=True, kw_only=True)
class RecordedSource:
    """Videos and folders, played one after the other.

    Attributes:
        inputs: as `open_inputs` gives them.
        fast: not at their own rate, but as fast as frames are taken.
    """

    name: str
    inputs: tuple[PredictionInput, ...]
    fast: bool = False
    returns: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of all frames."""
        return tuple(file for each in self.inputs for file in each.files)

    def frames(self, stop: threading.Event) -> Iterator[LiveFrame]:
        """As in LiveSource."""
        start_s, time_s = time.monotonic(), 0.0
        for each in self.inputs:
            last_s: float | None = None
            for i, image in enumerate(each.read()):
                known_s = each.seconds_from_start(i)
                own_s = float(i / each.rate) if known_s is None else known_s
                # The next recording begins one frame after the end of the one before.
                step_s = float(1 / each.rate) if last_s is None and time_s else own_s - (last_s or 0.0)
                time_s, last_s = time_s + min(max(step_s, 0.0), _LONGEST_STEP_S), own_s
                wait_s = 0.0 if self.fast else start_s + time_s - time.monotonic()
                if stop.wait(max(0.0, wait_s)):
                    return
                yield LiveFrame(
                    read=lambda image=image: image,  # type: ignore[misc]
                    arrived_s=time.monotonic(),
                    time_s=time_s,
                    camera_for=each.camera_for,
                )


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What a source may be told.

    Attributes:
        camera_for: of a camera that was given, for frames of any size; None: none was given.
        stream, topic: as for `open_inputs`.
        fast: as in RecordedSource.
    """

    camera_for: Callable[[int, int], Camera | None] | None = None
    stream: int | None = None
    topic: str | None = None
    fast: bool = False


def open_source(
    text: str, options: SourceOptions, *, opener: Callable[..., Any] = av.open, devices: Path = Path("/dev")
) -> LiveSource:
    """The source that a text names. Streams and cameras are not opened yet, but a camera must be there.

    Raises:
        ConfigError: for an address of an unknown kind, or an option that does not go with the source.
        DataError: for a camera, a video or a folder that is not there.
    """
    if not text:
        raise ConfigError("no source is named", where="--source", expected=EXPECTED)
    scheme = _ADDRESS.match(text)
    is_camera = re.fullmatch(r"\d{1,3}", text) is not None or text.startswith(f"{devices}/video")
    if not scheme and not is_camera:
        inputs = open_inputs((text,), camera=None, stream=options.stream, topic=options.topic)
        if options.camera_for is not None:
            inputs = [replace(each, camera_for=options.camera_for) for each in inputs]
        return RecordedSource(name=text, inputs=tuple(inputs), fast=options.fast)
    for option, given in (("--fast", options.fast), ("--topic", options.topic is not None)):
        if given:
            raise ConfigError(
                f"{option} applies to recordings only", where=f"--source {shown(text)}", fix="leave it out"
            )
    camera_for = options.camera_for or (lambda width, height: None)
    if scheme:
        return _network(text, scheme.group(1).lower(), camera_for, options.stream or 0, opener)
    return StreamSource(
        name=f"camera {text}",
        address=str(_device(text, devices)),
        format="v4l2",
        options={},
        camera_for=camera_for,
        stream=options.stream or 0,
        opener=opener,
    )


def _reason(error: Exception, patience_s: float) -> str:
    if isinstance(error, av.error.ExitError):  # which is how FFmpeg calls that its time was up
        return f"no answer for {patience_s:g} s"
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _network(
    text: str,
    scheme: str,
    camera_for: Callable[[int, int], Camera | None],
    stream: int,
    opener: Callable[..., Any],
) -> StreamSource:
    if scheme not in SCHEMES:
        raise ConfigError(
            "this kind of address is not read",
            where=f"--source {shown(text)}",
            expected=f"{', '.join(SCHEMES)}; or {EXPECTED}",
            got=f"{scheme}://",
            fix="give the path of a file as it is" if scheme == "file" else None,
        )
    options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": _FORMATS, "flags": "low_delay"}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # by UDP, which is the default, lost packets smear the frames
    return StreamSource(
        name=shown(text),
        address=text,
        format=None,
        options=options,
        camera_for=camera_for,
        stream=stream,
        opener=opener,
    )


def _device(text: str, devices: Path) -> Path:
    if not sys.platform.startswith("linux"):
        fix = "give the address of a stream that another program makes of it"
        raise ConfigError("cameras are read through Video4Linux, on Linux", where=f"--source {text}", fix=fix)
    path = devices / f"video{text}" if text.isdecimal() else Path(text)
    if not path.exists():
        there = sorted(each.name for each in devices.glob("video*"))
        raise DataError(
            "there is no such camera",
            where=path,
            expected=f"one of {', '.join(there)}" if there else None,
            got=None if there else "no camera at all",
            fix="connect it, or give another --source",
        )
    return path


def shown(address: str) -> str:
    """An address without what may be secret: user, password and query."""
    if _ADDRESS.match(address) is None:
        return address
    try:
        parts = urlsplit(address)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{address.partition('://')[0]}://..."
    return f"{parts.scheme}://{host}{port}{parts.path}"
