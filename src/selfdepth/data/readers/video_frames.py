"""From a decoded frame to upright RGB: its colours, depth of bits and orientation are judged here and nowhere else."""

from __future__ import annotations

from typing import Any

from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8, UInt16
from numpy import ndarray

from selfdepth.data.readers.orientation import UPRIGHT, Orientation, of_display_matrix
from selfdepth.data.readers.pictures import ALL_LEVELS, Levels, grey_to_rgb

_HD_WIDTH, _SD_HEIGHT = 1280, 576
"""Frames at least this wide, or higher than this, are BT.709 if their colours carry no tag, others BT.601, as players
have it: a frame of high definition may have been cut to a low one."""

_BT709, _UNSPECIFIED, _BT601, _BT2020, _BT2020_CONSTANT = 1, 2, 6, 9, 10
_CONVERTIBLE = frozenset({0, _BT709, 4, 5, _BT601, 7, _BT2020})
"""Colour spaces that FFmpeg converts to RGB, by its numbers; 0 is RGB itself."""
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer functions of high dynamic range, by FFmpeg's numbers."""


def _unnamed(kind: type[SideDataType], value: object) -> SideDataType:
    """A member for side data that PyAV has no name for. Every release of FFmpeg adds some."""
    member = object.__new__(kind)
    vars(member).update(_name_=f"TYPE_{value}", _value_=value)
    return member


# PyAV lists all side data of a frame to give any of them, and stops at the first whose type it cannot name.
setattr(SideDataType, "_missing_", classmethod(_unnamed))  # noqa: B010  mypy takes an assignment for a redefinition


class Converter:
    """Converts the frames of one stream.

    Args:
        levels: values of 16-bit grey that become black and white.
    """

    def __init__(self, levels: Levels = ALL_LEVELS) -> None:
        self._levels = levels
        self._reformatter = VideoReformatter()  # which is set up once, with the first frame

    def __call__(self, frame: Any) -> UInt8[ndarray, "h w 3"]:
        """RGB pixels, turned and mirrored by the file's display matrix: phones store upright videos sideways."""
        if is_deep_grey(frame):
            return orientation_of(frame).apply(grey_to_rgb(grey16_of(frame), self._levels))
        frame.colorspace = colour_space(frame)
        pixels: ndarray = self._reformatter.reformat(frame, format="rgb24").to_ndarray()
        return orientation_of(frame).apply(pixels)


def colour_space(frame: Any) -> int:
    """The colour space to convert a frame from, by FFmpeg's numbers: its own, or by its size if it states none."""
    own = _BT2020 if frame.colorspace == _BT2020_CONSTANT else frame.colorspace
    if own in _CONVERTIBLE:
        return int(own)
    return _BT709 if frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT else _BT601


def orientation_of(frame: Any) -> Orientation:
    """How a frame is turned upright."""
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    return UPRIGHT if data is None else of_display_matrix(bytes(data))


def is_deep_grey(frame: Any) -> bool:
    """Whether a frame is grey in more than 8 bits, as those of thermal cameras."""
    parts = frame.format.components
    return frame.format.name.startswith("gray") and len(parts) == 1 and parts[0].bits in range(9, 17)


def grey16_of(frame: Any) -> UInt16[ndarray, "h w"]:
    """The values of a frame in deep grey, as 16 bits."""
    values: ndarray = frame.to_ndarray(format="gray16le")
    return values


def what_is_odd(frame: Any, where: str) -> tuple[str, ...]:
    """Sentences on a frame that is not what it looks like on a screen, with the command that mends its video.

    Args:
        where: what is like this frame: the video, or a part of it.
    """
    sentences = []
    if frame.interlaced_frame:
        sentences.append(
            f"{where} is interlaced: each frame holds the lines of two moments, which show as combs where things move; "
            "convert it: ffmpeg -i IN -vf bwdif=mode=send_frame OUT.mp4"
        )
    if frame.color_trc in _HDR:
        sentences.append(
            f"{where} is HDR ({_HDR[frame.color_trc]}): its values are used as they are, and look flatter than on a "
            "screen; convert it: ffmpeg -i IN -vf zscale=t=linear:npl=203,tonemap=hable,"
            "zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p OUT.mp4"
        )
    if frame.colorspace not in _CONVERTIBLE | {_UNSPECIFIED, _BT2020_CONSTANT}:
        name = "BT.709" if colour_space(frame) == _BT709 else "BT.601"
        sentences.append(
            f"the colour space of {where} (number {frame.colorspace}) is not known here: it is taken for {name}"
        )
    return tuple(sentences)
