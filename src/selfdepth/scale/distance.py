"""A tape measure as a witness: a list of distances in frames, read from a text file.

Each line is `frame, u, v, metres`, the distance from the camera to what is seen at that pixel, or `frame, u1, v1, u2,
v2, metres`, the distance between what is seen at two pixels. Pixels are those of the frame as it is in the file, (0, 0)
the middle of the first; metres are along the straight line, as a tape lies.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.errors import DataError
from selfdepth.scale.frames import ScaleFootage, ScaleFrame
from selfdepth.scale.witness import WitnessKind
from selfdepth.texts import read_text, whole_number

FORM = "frame, u, v, metres for the distance from the camera; or frame, u1, v1, u2, v2, metres between two points"
_WHAT = "the list of distances cannot be used"
_METRES = ("m", "metres", "meters", "metre", "meter")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A distance that was measured in a frame.

    Attributes:
        where: file and line, for errors.
        ref: the frame.
        pixels: (u, v) of the point, or of the two points, in the whole frame.
        metres: positive.
    """

    where: str
    ref: FrameRef
    pixels: tuple[tuple[float, float], ...]
    metres: float


def read_distances(path: Path, footage: ScaleFootage) -> tuple[Measured, ...]:
    """The distances in a file, in its order. Empty lines, comments (#) and one line of headings are allowed.

    Raises:
        DataError: naming the line, for anything that is no such distance, a frame that the data does not have, a pixel
            outside it, or two equal pixels.
    """
    lines = read_text(path, what=_WHAT, expected=FORM).splitlines()
    frames = _frames_by_name(footage)
    found: list[Measured] = []
    headed = False
    for number, line in enumerate(lines, 1):
        words = _words(line)
        if not words:
            continue
        if not headed and not found and not any(map(_is_number, words[1:])):
            headed = True
            _check_heading(words, f"{path}, line {number}")
            continue
        found.append(_measured(words, frames, footage, f"{path}, line {number}"))
    if not found:
        raise DataError(_WHAT, where=path, expected=f"lines of {FORM}", got="none")
    return tuple(found)


class DistanceWitness:
    """Measured distances. Args: as `read_distances`. Raises what it raises."""

    kind: WitnessKind = "distance"

    def __init__(self, path: Path, footage: ScaleFootage) -> None:
        self._of: dict[FrameRef, list[Measured]] = {}
        for each in read_distances(path, footage):
            self._of.setdefault(each.ref, []).append(each)
        self.source = path.name

    @property
    def refs(self) -> frozenset[FrameRef]:
        """The frames in which something was measured."""
        return frozenset(self._of)

    def observe(self, frame: ScaleFrame) -> tuple[float, ...] | str:
        """Metres per unit by each distance in a frame, one of `refs`; or why there is none."""
        factors = []
        for each in self._of[frame.ref]:
            pixels = frame.in_map(np.array(each.pixels))
            size = np.array([frame.camera.width, frame.camera.height])
            if not ((pixels >= -0.5) & (pixels <= size - 0.5)).all():
                continue
            points, seen = _points(frame, pixels)
            if not seen.all():
                continue
            units = float(np.linalg.norm(points[0] if len(points) == 1 else points[0] - points[1]))
            if units > 0:
                factors.append(each.metres / units)
        return tuple(factors) or "the measured pixels have no depth"


def _points(frame: ScaleFrame, pixels: Float[ndarray, "n 2"]) -> tuple[Float[ndarray, "n 3"], Bool[ndarray, "n"]]:
    """The points seen at pixels of the depth map, and whether they are known.

    The inverse depth is interpolated, which is linear on planes.
    """
    height, width = frame.depth.shape
    u, v = np.clip(pixels[:, 0], 0, width - 1), np.clip(pixels[:, 1], 0, height - 1)
    left, top = np.minimum(u.astype(int), max(0, width - 2)), np.minimum(v.astype(int), max(0, height - 2))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    corners = np.stack([frame.depth[y, x] for y in (top, bottom) for x in (left, right)])
    known = (corners > 0).all(0)
    inverse = 1 / np.where(known, corners, 1)
    a, b = u - left, v - top
    upper, lower = inverse[0] * (1 - a) + inverse[1] * a, inverse[2] * (1 - a) + inverse[3] * a
    rays, seen = frame.rays(pixels)
    return rays / (upper * (1 - b) + lower * b)[:, None], known & seen


def _words(line: str) -> list[str]:
    """The fields of a line, separated by semicolons or tabs, which leave commas to the numbers; else by commas, else by
    blanks. A comment ends it."""
    text = line.split("#", 1)[0].strip()
    separator = next((each for each in ";\t," if each in text), None)
    words = [word.strip() for word in text.split(separator)]
    # An empty field behind the last separator is none.
    words = words[:-1] if len(words) > 1 and not words[-1] else words
    return words if separator in (None, ",") else [*words[:1], *map(_with_a_point, words[1:])]


def _with_a_point(word: str) -> str:
    """A number with a decimal comma as one with a point."""
    return word.replace(",", ".") if re.fullmatch(r"[-+]?[0-9]*,[0-9]+", word) else word


def _check_heading(words: list[str], where: str) -> None:
    """Refuse headings that name another unit than metres."""
    unit = re.split(r"[\s_(\[]+", words[-1].rstrip(")]"))[-1].lower()
    if unit not in (*_METRES, "distance"):
        raise DataError(_WHAT, where=where, expected="the last column in metres", got=words[-1], fix="convert it")


def _measured(words: list[str], frames: Mapping[str, list[FrameRef]], footage: ScaleFootage, where: str) -> Measured:
    numbers = [float(word) for word in words[1:] if _is_number(word)]
    if len(words) not in (4, 6) or len(numbers) != len(words) - 1:
        raise DataError(_WHAT, where=where, expected=FORM, got=", ".join(words)[:80])
    if not numbers[-1] > 0:
        raise DataError(_WHAT, where=where, expected="a distance of more than 0 metres", got=f"{numbers[-1]:g}")
    ref = _frame(words[0], frames, where)
    pixels = tuple(zip(numbers[:-1:2], numbers[1:-1:2], strict=True))
    camera = footage.sequence(ref.sequence).camera
    for u, v in pixels:
        if not (-0.5 <= u <= camera.width - 0.5 and -0.5 <= v <= camera.height - 0.5):
            raise DataError(
                "a measured pixel lies outside the frame",
                where=where,
                expected=f"u from 0 to {camera.width - 1}, v from 0 to {camera.height - 1}",
                got=f"{u:g}, {v:g}",
            )
    if len({*pixels}) < len(pixels):
        raise DataError(_WHAT, where=where, expected="two different pixels", got=f"{pixels[0][0]:g}, {pixels[0][1]:g}")
    return Measured(where=where, ref=ref, pixels=pixels, metres=numbers[-1])


def _frame(word: str, frames: Mapping[str, list[FrameRef]], where: str) -> FrameRef:
    found = frames.get(word) or frames.get(_bare(word)) or []
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            "several frames have this name",
            where=where,
            expected=f"{found[0].sequence}/{word} or {found[1].sequence}/{word}",
            got=word[:80],
        )
    example = next(iter(frames))
    raise DataError(
        "the data has no such frame", where=where, expected=f"a name or number such as {example}", got=word[:80]
    )


def _frames_by_name(footage: ScaleFootage) -> dict[str, list[FrameRef]]:
    """The frames by their names and their numbers, with and without the sequence before it."""
    frames: dict[str, list[FrameRef]] = {}
    for sequence in footage.sequences:
        for number, name in zip(sequence.numbers, sequence.names, strict=True):
            ref = FrameRef(sequence.name, number)
            # A name of digits is a number; where another frame is counted by it, as in a folder that begins at 1, the
            # name counts.
            words = [name, _bare(name), *([] if name.isdecimal() else [str(number)])]
            for word in dict.fromkeys(words):
                frames.setdefault(word, []).append(ref)
                frames.setdefault(f"{sequence.name}/{word}", []).append(ref)
    return frames


def _bare(word: str) -> str:
    """A name without the leading zeros of its number; that of a sequence before it stays."""
    before, slash, name = word.rpartition("/")
    number = whole_number(name)
    return word if number is None else f"{before}{slash}{number}"


def _is_number(word: str) -> bool:
    try:
        return len(word) <= 40 and math.isfinite(float(word))
    except ValueError:
        return False
