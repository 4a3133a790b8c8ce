"""The drive that a trajectory is judged on: its frames, and where the camera truly was."""

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


@dataclass(frozen=True, kw_only=True)
class EvaluationSequence:
    """Frames without a gap between them, and a true pose for each."""

    sequence: FrameSequence
    truth: Trajectory


def sequence_to_evaluate(
    data: Path, sequence: str | None = None, ground_truth: Path | None = None
) -> EvaluationSequence:
    """A drive whose true trajectory is known.

    Args:
        data: as `recognise` takes it. Each kind says where its true poses are (`DataSource.poses`).
        sequence: name or a part of it between slashes: "09", "2011_09_26_drive_0005_sync". None: there is but one.
        ground_truth: KITTI's or TUM's text with one pose for each frame, instead.

    Raises:
        DataError: for data that cannot be used, a name that fits none or several, gaps between the frames, or where
            no true poses are known.
    """
    source = recognise(data)
    chosen = _choose(source.sequences(ANY_CAMERA), sequence, data)
    gaps = find_gaps(chosen.numbers)
    if gaps:
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


def _choose(sequences: Sequence[FrameSequence], asked: str | None, data: Path) -> FrameSequence:
    fitting = [each for each in sequences if asked in (None, each.name) or each.name.startswith(f"{asked}/")] or [
        each for each in sequences if asked in each.name.split("/")
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = [each.name for each in sequences]
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    raise DataError(
        "the sequence has to be named" if asked is None else "the name fits no sequence, or several",
        where=data,
        expected=f"--sequence with one of {listed}",
        got="no --sequence" if asked is None else f"--sequence {asked}, which fits {len(fitting)}",
    )


def _truth(source: DataSource, sequence: FrameSequence, ground_truth: Path | None) -> Trajectory:
    if ground_truth is not None:
        return read_trajectory(ground_truth, timestamps=source.times(sequence))
    found = source.poses(sequence)
    if found is None:
        raise DataError(
            "no true poses of the sequence are known",
            where=f"{source.path}, {sequence.name}",
            expected=source.poses_are_in,
            fix=f"give --ground-truth FILE: {FORMATS}",
        )
    return found
