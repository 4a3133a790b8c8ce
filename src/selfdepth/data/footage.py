"""What a run learns from: sequences of frames, and which of them are for training, validation and test."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.truth import DepthTruth, NoTruth
from selfdepth.errors import DataError

PARTS = {"test": "test frames", "val": "validation frames", "train": "training frames", "all": "all frames"}
"""The parts of a data set that can be evaluated on, and what to call their frames."""


@dataclass(frozen=True, kw_only=True)
class ClipRequest:
    """Which clips a run learns from.

    Attributes:
        split: name or folder of split lists, as `find_split` takes it; None: the hold-out rule decides.
        camera: as `parse_camera` reads it; None: the source's own calibration, or 60 degrees assumed.
        offsets: times of a clip's sources relative to its target, in units of `spacing` frames.
        spacing: frames between neighbours of a clip.
        stereo: add the other camera of a stereo pair.
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
    """What footage was opened from, as the user gave it.

    Attributes:
        path: root, folder or file, absolute.
        split: folder of the split files, absolute; None where none was given.
        camera: as given; None for the footage's own or an assumed one.
        auto: whether the spacing was chosen by the motion.
    """

    path: Path
    split: Path | None = None
    camera: str | None = None
    auto: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `from_json` reads them back."""
        return {**asdict(self), "path": str(self.path), "split": self.split and str(self.split)}

    @staticmethod
    def from_json(values: dict[str, Any]) -> Origin:
        """Read what `to_json` gave."""
        return Origin(**{**values, "path": Path(values["path"]), "split": values["split"] and Path(values["split"])})


@dataclass(frozen=True, kw_only=True)
class Footage:
    """Everything a run needs to know of its data: the sequences, and which of their frames are for what.

    Attributes:
        kind: that of the data source (`DataSource.kind`).
        sequences: every sequence that holds a target or a neighbour of one.
        train, val, test: target frames. Their neighbours in time are the sources.
        truth: ground-truth depth of its frames.
        protocol: name of the depth protocol that fits the ground truth (evaluation.depth.PROTOCOLS).
        spacing: frames between the neighbours of a clip; what the targets were chosen for.
        origin: what it was opened from; None for footage that is no file's.
    """

    kind: str
    sequences: tuple[FrameSequence, ...]
    train: tuple[FrameRef, ...] = ()
    val: tuple[FrameRef, ...] = ()
    test: tuple[FrameRef, ...] = ()
    truth: DepthTruth = field(default_factory=NoTruth, compare=False)
    protocol: str = "eigen"
    spacing: int = 1
    origin: Origin | None = None

    def part(self, name: str) -> tuple[FrameRef, ...]:
        """The targets of "train", "val" or "test"."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]

    def sequence(self, name: str) -> FrameSequence:
        """The sequence of that name. Raises KeyError if there is none."""
        return {sequence.name: sequence for sequence in self.sequences}[name]


@dataclass(frozen=True, kw_only=True)
class FrameSelection:
    """Frames of a data source to evaluate on, one by one; they need no neighbours.

    Attributes:
        part: what they are: a key of `PARTS`.
        refs: the frames, in the order of the split.
        sequences: those that hold the frames.
    """

    part: str
    refs: tuple[FrameRef, ...]
    sequences: tuple[FrameSequence, ...]


def no_frames(part: str, where: Path) -> DataError:
    """The refusal to evaluate on a part that has no frames."""
    return DataError(f"there are no {PARTS[part]} to compare", where=where, fix="name another --part, or leave it out")
