"""Sequences of frames with a camera, whatever files hold them, and references to single frames."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera


@dataclass(frozen=True, kw_only=True)
class StereoPartner:
    """The other camera of a rectified pair. It has the same intrinsics and orientation, so only a translation is left.

    Attributes:
        sequence: name of the partner's sequence. Frames with the same number were taken at the same time.
        translation_m: translation (x, y, z) of T_stereo_target in metres: a point in the partner's frame is the point
            in this camera's frame plus it.
    """

    sequence: str
    translation_m: tuple[float, float, float]

    @staticmethod
    def from_json(values: dict[str, Any]) -> StereoPartner:
        """The inverse of `dataclasses.asdict`, after a round trip through JSON."""
        x, y, z = map(float, values["translation_m"])
        return StereoPartner(sequence=values["sequence"], translation_m=(x, y, z))


@dataclass(frozen=True, kw_only=True)
class FrameSequence(ABC):
    """Frames of one camera in the order of time, decoded on demand.

    Attributes:
        name: unique within a data set, e.g. "2011_09_26/2011_09_26_drive_0005_sync/image_02" or the file's stem.
        camera: intrinsics of the frames that `read` returns (upright, before crop and resize).
        numbers: strictly increasing frame numbers. Two frames are neighbours if their numbers differ by one, so a gap
            in the numbers is a gap in time.
        names: one output name per frame (the image's stem, or the number), in the order of `numbers`.
        files: the files that hold the frames. A store's fingerprint covers them.
        partner: the other camera of a stereo pair, which may lack some of the frames; None without stereo.
        fps: mean frames per second; 0 if the video does not state it, None for separate images. For people: frames may
            be unequally far apart, so what needs a time takes `times_s`.
        times_s: time of each frame in seconds, strictly increasing, in the order of `numbers`; None if not known.
    """

    name: str
    camera: Camera
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    files: tuple[Path, ...]
    partner: StereoPartner | None = None
    fps: float | None = None
    times_s: tuple[float, ...] | None = None

    frames_are_independent: ClassVar[bool] = False
    """Whether frames of one file can be read where one before them cannot, unlike those of a video."""

    @abstractmethod
    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these increasing numbers: RGB, upright, one at a time.

        Raises:
            DataError: for a file that cannot be decoded, or a frame whose size differs from the camera's.
        """

    def read_reduced(self, numbers: tuple[int, ...], reduction: int) -> Iterator[UInt8[ndarray, "_h _w 3"]]:
        """As `read`. A source that can decode smaller frames faster may return 1/reduction of the size, rounded up."""
        return self.read(numbers)

    def without(self, numbers: frozenset[int]) -> FrameSequence:
        """The sequence without these frames, which leaves gaps."""
        if not numbers:
            return self
        kept = [i for i, number in enumerate(self.numbers) if number not in numbers]
        per_frame = len(self.files) == len(self.numbers)
        return replace(
            self,
            numbers=tuple(self.numbers[i] for i in kept),
            names=tuple(self.names[i] for i in kept),
            files=tuple(self.files[i] for i in kept) if per_frame else self.files,
            times_s=None if self.times_s is None else tuple(self.times_s[i] for i in kept),
        )


@dataclass(frozen=True, order=True)
class FrameRef:
    """One frame: number `number` of the sequence named `sequence`."""

    sequence: str
    number: int


def read_in_order(
    sequence: FrameSequence, numbers: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], UInt8[ndarray, "h w 3"] | DataError]]:
    """Each of these frames of a file of frames with its picture, or the frames that cannot be read with their error: of
    a video, all from where it is damaged on."""
    done = 0
    while done < len(numbers):
        try:
            for image in sequence.read(numbers[done:]):
                yield (numbers[done],), image
                done += 1
            return
        except DataError as error:
            end = done + 1 if sequence.frames_are_independent else len(numbers)
            yield numbers[done:end], error
            done = end


def readable(sequence: FrameSequence, numbers: tuple[int, ...]) -> Iterator[tuple[int, UInt8[ndarray, "h w 3"]]]:
    """Number and picture of those of these frames that can be read; of a video, those before it is damaged."""
    if len(sequence.files) < len(sequence.numbers):
        for these, found in read_in_order(sequence, numbers):
            if not isinstance(found, DataError):
                yield these[0], found
        return
    for number in numbers:
        with suppress(DataError):
            yield from ((number, image) for image in sequence.read((number,)))


def find_gaps(numbers: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """The places where frame numbers jump by more than one, as (last before, first after)."""
    pairs = itertools.pairwise(numbers)
    return tuple((before, after) for before, after in pairs if after - before > 1)


def gaps_refused(where: str | Path, gaps: tuple[tuple[int, int], ...]) -> DataError:
    """The error for a trajectory across missing frames."""
    return DataError(
        "the frames have gaps, and the camera's motion across a gap is unknown",
        where=where,
        expected="consecutive numbers",
        got=f"a jump from {gaps[0][0]} to {gaps[0][1]}, one of {len(gaps)}",
        fix="give the stretches between the gaps one by one",
    )


def increasing_runs(refs: tuple[FrameRef, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The frames in their order, as (sequence, increasing numbers): runs that `FrameSequence.read` accepts."""
    for name, group in itertools.groupby(refs, key=lambda ref: ref.sequence):
        run: list[int] = []
        for ref in group:
            # A video can only be decoded forward: a frame that steps back, or repeats, starts a new run.
            if run and ref.number <= run[-1]:
                yield name, tuple(run)
                run = []
            run.append(ref.number)
        yield name, tuple(run)
