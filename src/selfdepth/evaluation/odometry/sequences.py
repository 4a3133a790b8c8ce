"""The sequence that a trajectory is evaluated on: its frames and its true poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfdepth.data.frames import FrameSequence, find_gaps, gaps_refused
from selfdepth.data.readers.cameras import ANY_CAMERA
from selfdepth.data.readers.trajectories import FORMATS, read_trajectory
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError
from selfdepth.structs import Trajectory

_LISTED = 12
"""Names of sequences that a refusal lists at most; a root of KITTI raw has hundreds."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSequence:
    """Frames without a gap between them, and a true pose for each frame."""

    sequence: FrameSequence
    truth: Trajectory


def sequence_to_evaluate(
    data: Path, sequence: str | None = None, ground_truth: Path | None = None
) -> EvaluationSequence:
    """A sequence with its true trajectory.

    Args:
        data: path for `recognise`. Each kind of data has a place for its true poses (`DataSource.poses`).
        sequence: name, or a part of it between slashes: "09", "2011_09_26_drive_0005_sync". None: the only sequence.
        ground_truth: text file in KITTI's or TUM's format with one pose for each frame, used instead.

    Raises:
        DataError: for data that cannot be used, a name that fits no sequence or several, gaps between the frames, or a
            sequence without true poses.
    """
    source = recognise(data)
    chosen = _choose(source.sequences(ANY_CAMERA), sequence, data)
    gaps = find_gaps(chosen.numbers)
    if gaps:  # a motion across a gap would be larger than any that the network has learned
        raise gaps_refused(chosen.name, gaps)
    truth = _truth(source, chosen, ground_truth)
    if len(truth) != len(chosen.numbers):
        raise DataError(
            "there is not one true pose for each frame",
            where=ground_truth or chosen.name,
            expected=f"{len(chosen.numbers)} poses",
            got=str(len(truth)),
        )
    return EvaluationSequence(sequence=chosen, truth=truth)


def _choose(sequences: Sequence[FrameSequence], requested: str | None, data: Path) -> FrameSequence:
    """The one sequence that a name fits. Raises DataError with the names if none or several do."""
    # The whole name or its beginning comes first, so that "09" is sequence 09 and not a drive with a part of that name.
    fitting = [each for each in sequences if requested in (None, each.name) or each.name.startswith(f"{requested}/")]
    fitting = fitting or [each for each in sequences if requested in each.name.split("/")]
    if len(fitting) == 1:
        return fitting[0]
    names = [each.name for each in sequences]
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    raise DataError(
        "the sequence must be named" if requested is None else "the name fits no sequence, or several",
        where=data,
        expected=f"--sequence with one of {listed}",
        got="no --sequence" if requested is None else f"--sequence {requested}, which fits {len(fitting)}",
    )


def _truth(source: DataSource, sequence: FrameSequence, ground_truth: Path | None) -> Trajectory:
    """The true poses in a file, or else those of the data. Raises DataError if there are none."""
    if ground_truth is not None:
        return read_trajectory(ground_truth, timestamps=source.times(sequence))
    poses = source.poses(sequence)
    if poses is None:
        raise DataError(
            "the sequence has no true poses",
            where=f"{source.path}, {sequence.name}",
            expected=source.poses_are_in,
            fix=f"give --ground-truth FILE: {FORMATS}",
        )
    return poses
