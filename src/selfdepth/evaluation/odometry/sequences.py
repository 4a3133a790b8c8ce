"""The sequence that a trajectory is evaluated on: its frames and its true poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray
from scipy.spatial.transform import Rotation, Slerp

from selfdepth.data.frames import FrameSequence, find_gaps, gaps_refused
from selfdepth.data.readers.trajectories import FORMATS, read_trajectory
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError
from selfdepth.structs import Trajectory

_SAME_TIME_S = 1e-3
_WIDEST_S = 0.5
"""Between true poses further apart than this the path is not known well enough to judge another by it."""
_LISTED = 12
"""Names of sequences that a refusal lists at most; a root of KITTI raw has hundreds."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSequence:
    """Frames without a gap between them, and a true pose for each frame."""

    sequence: FrameSequence
    truth: Trajectory


def sequence_to_evaluate(
    data: Path,
    sequence: str | None = None,
    ground_truth: Path | None = None,
    *,
    stream: int | None = None,
    topic: str | None = None,
) -> EvaluationSequence:
    """A sequence with its true trajectory.

    Args:
        data: path for `recognise`. Each kind of data has a place for its true poses (`DataSource.poses`).
        sequence: name, or a part of it between slashes: "09", "2011_09_26_drive_0005_sync". None: the only sequence.
        ground_truth: text file in KITTI's format with one pose for each frame, or in TUM's, used instead. Poses in
            TUM's format at other times than the frames are interpolated, if the frames' times are known.
        stream: number of the video stream to take; None: the one with the most frames.
        topic: name of the topic of a bag to take; None: that of its only camera.

    Raises:
        DataError: for data that cannot be used, a name that fits no sequence or several, gaps between the frames, or a
            sequence without true poses.
    """
    source = recognise(data, stream, topic)
    chosen = _choose(source.sequences_to_compare(), sequence, data)
    gaps = find_gaps(chosen.numbers)
    if gaps:  # a motion across a gap would be larger than any that the network has learned
        raise gaps_refused(chosen.name, gaps)
    truth = _at_frames(_truth(source, chosen, ground_truth), chosen, ground_truth or chosen.name)
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


def _at_frames(truth: Trajectory, sequence: FrameSequence, where: str | Path) -> Trajectory:
    """The true poses at the times of the frames, where they were measured at other times or at another rate.

    Raises:
        DataError: if the frames' times are not those of the poses.
    """
    if sequence.times_s is None or len(truth) < 2:
        return truth
    times_s = np.array(sequence.times_s)
    if len(truth) == len(times_s) and np.abs(truth.timestamps - times_s).max() <= _SAME_TIME_S:
        return truth
    first, last = truth.timestamps[[0, -1]]
    inside = (times_s >= first - _SAME_TIME_S) & (times_s <= last + _SAME_TIME_S)
    if not inside.any() and len(truth) == len(times_s):
        return truth  # counted from another start, one pose for each frame
    if not inside.all():
        raise DataError(
            "the true poses do not cover the frames",
            where=where,
            expected=f"poses from {times_s[0]:.3f} to {times_s[-1]:.3f} s, the times of the frames",
            got=f"poses from {first:.3f} to {last:.3f} s, which cover {int(inside.sum())} of {len(times_s)} frames",
            fix="give the frames that have poses as a folder of their own",
        )
    at_s = np.clip(times_s, first, last)
    after = np.clip(np.searchsorted(truth.timestamps, at_s), 1, len(truth) - 1)
    widest_s = float((truth.timestamps[after] - truth.timestamps[after - 1]).max())
    if widest_s > _WIDEST_S:
        raise DataError(
            "the true poses have a gap between frames",
            where=where,
            expected=f"a pose at least every {_WIDEST_S:g} s",
            got=f"{widest_s:.3f} s without one",
        )
    return _interpolated(truth, at_s)


def _interpolated(truth: Trajectory, at_s: ndarray) -> Trajectory:
    """Poses between those of a trajectory: straight lines, and the shortest turns."""
    T_world_camera = np.tile(np.eye(4), (len(at_s), 1, 1))
    turns = Slerp(truth.timestamps, Rotation.from_matrix(truth.T_world_camera[:, :3, :3]))
    T_world_camera[:, :3, :3] = turns(at_s).as_matrix()
    for axis in range(3):
        T_world_camera[:, axis, 3] = np.interp(at_s, truth.timestamps, truth.T_world_camera[:, axis, 3])
    return Trajectory(T_world_camera=T_world_camera, timestamps=at_s)
