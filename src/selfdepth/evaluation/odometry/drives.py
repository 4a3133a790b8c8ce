"""The drive that a trajectory is judged on: its frames, and where the camera truly was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.footage import open_sequences
from selfdepth.data.frames import FrameSequence, find_gaps, gaps_refused
from selfdepth.data.kitti.odometry import is_kitti_odometry, odometry_times, odometry_truth
from selfdepth.data.kitti.oxts import camera_poses
from selfdepth.data.kitti.raw import is_kitti_raw, open_kitti_raw
from selfdepth.data.sources.cameras import ANY_CAMERA, any_camera
from selfdepth.data.sources.trajectories import FORMATS, POSES_FILE, read_trajectory
from selfdepth.data.sources.video import VideoSequence
from selfdepth.data.store.store import is_store
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
        data: root of KITTI odometry (true poses from poses/NN.txt) or raw (from oxts), folder of images (from poses.txt
            beside them), or video.
        sequence: name or a part of it between slashes: "09", "2011_09_26_drive_0005_sync". None: there is but one.
        ground_truth: KITTI's or TUM's text with one pose for each frame, instead.

    Raises:
        DataError: for data that cannot be used, a name that fits none or several, gaps between the frames, or where
            no true poses are known.
    """
    if not data.exists():
        raise DataError("there is no such data", where=data, fix="check --data")
    if is_store(data):
        raise DataError(
            "a store holds no true poses", where=data, expected="what the store was made of", fix="give that as --data"
        )
    raw = is_kitti_raw(data)
    # At an offset of 0 every frame has its neighbour: all of them are opened.
    opened = (
        open_kitti_raw(data, None, camera=any_camera, offsets=(0,)).sequences
        if raw
        else open_sequences(data, camera=ANY_CAMERA)[1]
    )
    chosen = _choose(opened, sequence, data)
    gaps = find_gaps(chosen.numbers)
    if gaps:
        raise gaps_refused(chosen.name, gaps)
    truth = _truth(data, chosen, ground_truth)
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


def _truth(data: Path, sequence: FrameSequence, ground_truth: Path | None) -> Trajectory:
    if ground_truth is not None:
        return read_trajectory(ground_truth, timestamps=_times(data, sequence))
    found: Trajectory | None
    if is_kitti_raw(data):
        found = camera_poses(data, sequence.name, sequence.numbers)
    elif is_kitti_odometry(data):
        found = odometry_truth(data, sequence.name, len(sequence.numbers))
    else:
        beside = sequence.files[0].parent / POSES_FILE
        found = read_trajectory(beside, timestamps=_times(data, sequence)) if beside.is_file() else None
    if found is None:
        raise DataError(
            "no true poses of the sequence are known",
            where=f"{data}, {sequence.name}",
            expected=f"poses/NN.txt (KITTI odometry), oxts/data (KITTI raw), or {POSES_FILE} beside the images",
            fix=f"give --ground-truth FILE: {FORMATS}",
        )
    return found


def _times(data: Path, sequence: FrameSequence) -> Float[ndarray, "n"]:
    """Seconds of each frame; its number where that is not known."""
    numbers = np.array(sequence.numbers, np.float64)
    if isinstance(sequence, VideoSequence) and sequence.fps:
        return np.asarray(numbers / sequence.fps)
    known = odometry_times(data, sequence.name) if is_kitti_odometry(data) else None
    return numbers if known is None else known
