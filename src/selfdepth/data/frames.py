"""Where frames come from: ordered sequences of images with a camera, whatever they are stored in."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera


@dataclass(frozen=True, kw_only=True)
class StereoPartner:
    """The other camera of a rectified pair: the same focal lengths, principal point and orientation, another place.

    Attributes:
        sequence: name of its sequence. Its frame of the same number was taken at the same time.
        translation_m: points in its camera are points in this one plus (x, y, z), metres.
    """

    sequence: str
    translation_m: tuple[float, float, float]

    @staticmethod
    def from_json(values: dict[str, Any]) -> StereoPartner:
        """Read what `dataclasses.asdict` gave and JSON made of it."""
        x, y, z = map(float, values["translation_m"])
        return StereoPartner(sequence=values["sequence"], translation_m=(x, y, z))


@dataclass(frozen=True, kw_only=True)
class FrameSequence(ABC):
    """Frames of one camera in the order of time, decoded on demand.

    Attributes:
        name: unique within its footage, e.g. "2011_09_26/2011_09_26_drive_0005_sync/image_02" or the file's stem.
        camera: intrinsics for the frames as `read` gives them (upright, before crop and resize).
        numbers: strictly increasing frame numbers. Two frames are neighbours when their numbers differ by one,
            so a gap in the numbers is a gap in the drive.
        names: one output name per frame (the image's stem, or the number), same order as `numbers`.
        files: the files that hold the frames; what a store's fingerprint looks at.
        partner: the other camera of a stereo pair, for the frames that it has; None where it is not asked for.
        fps: mean frames per second; 0 if the file does not say, None for separate images.
    """

    name: str
    camera: Camera
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    files: tuple[Path, ...]
    partner: StereoPartner | None = None
    fps: float | None = None

    @abstractmethod
    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these (increasing) numbers, RGB, upright, one after the other.

        Raises:
            DataError: for a file that cannot be decoded or a frame that is not of the camera's size.
        """

    def read_reduced(self, numbers: tuple[int, ...], reduction: int) -> Iterator[UInt8[ndarray, "_h _w 3"]]:
        """As `read`; a source that decodes smaller frames more cheaply may give 1/reduction of the size, rounded up."""
        return self.read(numbers)

    def check_sizes(self) -> None:
        """Look at the size of every frame where that is cheap; others are checked as they are decoded.

        Raises:
            DataError: for a frame that is not of the camera's size.
        """
        return


@dataclass(frozen=True, order=True)
class FrameRef:
    """One frame of one sequence, by name: "frame `number` of `sequence`"."""

    sequence: str
    number: int


def find_gaps(numbers: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Places where frame numbers jump by more than one: the last before, and the first after."""
    pairs = itertools.pairwise(numbers)
    return tuple((before, after) for before, after in pairs if after - before > 1)


def gaps_refused(where: str | Path, gaps: tuple[tuple[int, int], ...]) -> DataError:
    """The refusal to follow a camera over missing frames."""
    return DataError(
        "the frames have gaps, over which a motion cannot be seen",
        where=where,
        expected="successive numbers",
        got=f"a jump from {gaps[0][0]} to {gaps[0][1]}, one of {len(gaps)}",
        fix="give the stretches between the gaps one by one",
    )


def increasing_runs(refs: tuple[FrameRef, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The frames in their order, in groups of one sequence with increasing numbers, as sequences can be read."""
    for name, group in itertools.groupby(refs, key=lambda ref: ref.sequence):
        run: list[int] = []
        for ref in group:
            if run and ref.number <= run[-1]:
                yield name, tuple(run)
                run = []
            run.append(ref.number)
        yield name, tuple(run)
