"""The data of a run: its sequences, and which of their frames are for training, validation and test."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.truth import DepthTruth, NoTruth
from selfdepth.errors import DataError

PARTS = {"test": "test frames", "val": "validation frames", "train": "training frames", "all": "all frames"}
"""The parts of a data set that can be evaluated, with the name of their frames in messages."""


@dataclass(frozen=True, kw_only=True)
class ClipRequest:
    """Which clips a run learns from.

    Attributes:
        split: name or folder of split lists, as `find_split` takes it; None: `hold_out` divides the sequences.
        camera: as `parse_camera` reads it; None: the source's own calibration, or an assumed field of view of 60
            degrees where there is none.
        offsets: times of a clip's sources relative to its target, in units of `spacing` frames.
        spacing: distance in frames between neighbours of a clip, at least 1.
        stereo: add the frame of the other camera where the target has one.
    """

    split: str | None = None
    camera: str | None = None
    offsets: tuple[int, ...] = (-1, 1)
    spacing: int = 1
    stereo: bool = False

    @property
    def steps(self) -> tuple[int, ...]:
        """Times of the sources relative to the target, in frames."""
        return tuple(offset * self.spacing for offset in self.offsets)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The options that a data set was opened with. A store records them, so that a later run can be checked against it.

    Attributes:
        path: root, folder or file, absolute.
        split: folder of the split files, absolute; None without a split.
        camera: the user's --camera, a file by its absolute path; None if there was none.
        auto: whether the spacing was measured (`--every auto`) rather than given.
        stream: the user's --stream; None if there was none.
        topic: the user's --topic; None if there was none.
    """

    path: Path
    split: Path | None = None
    camera: str | None = None
    auto: bool = False
    stream: int | None = None
    topic: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values, which `from_json` reads back."""
        return {**asdict(self), "path": str(self.path), "split": self.split and str(self.split)}

    @staticmethod
    def from_json(values: dict[str, Any]) -> Origin:
        """The inverse of `to_json`."""
        return Origin(**{**values, "path": Path(values["path"]), "split": values["split"] and Path(values["split"])})


@dataclass(frozen=True, kw_only=True)
class Footage:
    """A data set opened for a run: its sequences, and the target frames of each part.

    Attributes:
        kind: kind of the data source (`DataSource.kind`).
        sequences: every sequence that holds a target or a neighbour of one.
        train, val, test: target frames. Their neighbours in time are the sources.
        truth: ground-truth depth of the frames.
        protocol: name of the depth protocol that fits the ground truth (evaluation.depth.PROTOCOLS).
        spacing: distance in frames between the neighbours of a clip. The targets were chosen for this spacing.
        origin: the path and options it was opened with; None for data that did not come from files.
    """

    kind: str
    sequences: tuple[FrameSequence, ...]
    train: tuple[FrameRef, ...] = ()
    val: tuple[FrameRef, ...] = ()
    test: tuple[FrameRef, ...] = ()
    # Not compared: ground truth reads files on demand and has no value of its own.
    truth: DepthTruth = field(default_factory=NoTruth, compare=False)
    protocol: str = "eigen"
    spacing: int = 1
    origin: Origin | None = None

    def part(self, name: str) -> tuple[FrameRef, ...]:
        """The targets of "train", "val" or "test". Raises KeyError for another name."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]

    def sequence(self, name: str) -> FrameSequence:
        """The sequence with this name. Raises KeyError if there is none."""
        return {sequence.name: sequence for sequence in self.sequences}[name]


@dataclass(frozen=True, kw_only=True)
class FrameSelection:
    """Frames of a data source on which depth is evaluated, one by one. Unlike targets, they need no neighbours.

    Attributes:
        part: the part they belong to, a key of `PARTS`.
        refs: the frames, in the order of the split.
        sequences: the sequences that hold the frames.
    """

    part: str
    refs: tuple[FrameRef, ...]
    sequences: tuple[FrameSequence, ...]


def no_frames(part: str, where: Path) -> DataError:
    """The error for a part without frames."""
    return DataError(f"there are no {PARTS[part]} to evaluate", where=where, fix="name another --part, or leave it out")


def too_short(sequences: tuple[FrameSequence, ...], steps: tuple[int, ...], where: Path) -> DataError:
    """The error for data in which no frame has its neighbours; `steps` are their times in frames."""
    longest = max((len(sequence.numbers) for sequence in sequences), default=0)
    return DataError(
        "there are no frames to train on",
        where=where,
        expected=f"frames with neighbours at {', '.join(f'{step:+d}' for step in steps)}" if steps else "frames",
        got=f"sequences of up to {longest} frames, with gaps or too short",
        fix="give longer sequences or a smaller --every",
    )
