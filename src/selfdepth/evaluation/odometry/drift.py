"""Errors of the motion over parts of a trajectory: relative pose errors, and KITTI's t_err and r_err. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.evaluation.odometry.metrics import check_pair
from selfdepth.geometry.rigid import inverse

SEGMENT_LENGTHS_M = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
"""Of KITTI's odometry benchmark (Geiger et al., CVPR 2012)."""

SEGMENT_STEP = 10
"""KITTI starts a segment at every tenth pose, that is at every second of driving."""


@dataclass(frozen=True, kw_only=True)
class RelativePoseError:
    """Errors of the motion over `delta` frames, from every frame that has one `delta` later.

    Attributes:
        translation_rmse, translation_mean: of the remaining translation, in the unit of the true trajectory.
        rotation_rmse_deg, rotation_mean_deg: of the remaining rotation's angle.
        delta: frames between the two poses of a pair.
        pairs: number of pairs.
    """

    translation_rmse: float
    translation_mean: float
    rotation_rmse_deg: float
    rotation_mean_deg: float
    delta: int
    pairs: int


@dataclass(frozen=True, kw_only=True)
class SegmentError:
    """Mean errors of the segments of one length: t_err in per cent of it, r_err in degrees per 100 m."""

    length_m: float
    t_err_percent: float
    r_err_deg_per_100m: float
    segments: int


@dataclass(frozen=True, kw_only=True)
class DriftError:
    """KITTI's odometry errors: means over all segments of all lengths.

    Attributes:
        t_err_percent: distance between the predicted and the true end of a segment, over the segment's length.
        r_err_deg_per_100m: angle between the predicted and the true orientation at its end, over the length.
        segments: number of segments.
        by_length: the errors for each length that the trajectory is long enough for.
    """

    t_err_percent: float
    r_err_deg_per_100m: float
    segments: int
    by_length: tuple[SegmentError, ...]


def relative_pose_error(
    predicted: Float[ndarray, "n 4 4"], truth: Float[ndarray, "m 4 4"], *, delta: int = 1
) -> RelativePoseError:
    """The relative pose error (RPE): compare the motions from each frame to the one `delta` later.

    Moving either trajectory rigidly changes nothing. Scaling it does: align poses without a unit first
    (`alignment_of(...).apply_to_poses`).

    Args:
        predicted, truth: T_world_camera of the same frames.
        delta: in frames.

    Raises:
        DataError: as `check_pair`, or if no two poses are `delta` apart.
    """
    check_pair(predicted, truth)
    if not 1 <= delta < len(truth):
        raise DataError(
            "no two poses are that far apart", expected=f"1 to {len(truth) - 1} frames", got=f"{delta} frames"
        )
    error = inverse(_motions(truth, delta)) @ _motions(predicted, delta)
    distance, angle_deg = np.linalg.norm(error[:, :3, 3], axis=1), np.degrees(rotation_angle_rad(error))
    return RelativePoseError(
        translation_rmse=float(np.sqrt((distance**2).mean())),
        translation_mean=float(distance.mean()),
        rotation_rmse_deg=float(np.sqrt((angle_deg**2).mean())),
        rotation_mean_deg=float(angle_deg.mean()),
        delta=delta,
        pairs=len(distance),
    )


def kitti_drift(
    predicted: Float[ndarray, "n 4 4"],
    truth: Float[ndarray, "m 4 4"],
    *,
    lengths_m: tuple[float, ...] = SEGMENT_LENGTHS_M,
    step: int = SEGMENT_STEP,
) -> DriftError | None:
    """t_err and r_err of KITTI's odometry benchmark; align the scale of poses without a unit first.

    A segment starts at every `step`-th pose. It ends at the first pose whose distance along the true path exceeds the
    length. The motions from its start to its end are compared.

    Args:
        predicted, truth: T_world_camera of the same frames, in metres.
        lengths_m: lengths of the segments.
        step: poses from one start to the next.

    Returns:
        None if the true path is shorter than every segment.

    Raises:
        DataError: as `check_pair`.
    """
    check_pair(predicted, truth)
    strides = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
    travelled_m = np.concatenate([[0.0], np.cumsum(strides)])
    starts = np.arange(0, len(truth), step)
    by_length = []
    for length_m in lengths_m:
        # "right" gives the first pose strictly beyond the length, as KITTI's benchmark does.
        ends = np.searchsorted(travelled_m, travelled_m[starts] + length_m, side="right")
        inside = ends < len(truth)
        if not inside.any():
            continue
        first, last = starts[inside], ends[inside]
        error = inverse(inverse(predicted[first]) @ predicted[last]) @ (inverse(truth[first]) @ truth[last])
        by_length.append(_segment_error(error, length_m))
    if not by_length:
        return None
    # As on KITTI's server, every segment counts the same: the short ones, of which there are most, dominate.
    counts = [row.segments for row in by_length]
    return DriftError(
        t_err_percent=float(np.average([row.t_err_percent for row in by_length], weights=counts)),
        r_err_deg_per_100m=float(np.average([row.r_err_deg_per_100m for row in by_length], weights=counts)),
        segments=sum(counts),
        by_length=tuple(by_length),
    )


def _segment_error(remaining: Float[ndarray, "n 4 4"], length_m: float) -> SegmentError:
    """The mean errors of the segments of one length, from the motion that remains between prediction and truth."""
    return SegmentError(
        length_m=length_m,
        t_err_percent=float(100 * np.linalg.norm(remaining[:, :3, 3], axis=1).mean() / length_m),
        r_err_deg_per_100m=float(100 * np.degrees(rotation_angle_rad(remaining)).mean() / length_m),
        segments=len(remaining),
    )


def rotation_angle_rad(T_a_b: Float[ndarray, "n 4 4"]) -> Float[ndarray, "n"]:
    """Angle of the rotation of each transform, 0 to pi."""
    R = T_a_b[:, :3, :3]
    # axis = 2 sin(angle) times the unit axis, and trace - 1 = 2 cos(angle). Near 0, where errors from frame to frame
    # lie, the arc cosine of the trace alone would lose half of the digits.
    axis = np.stack([R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], axis=1)
    cosine = np.trace(R, axis1=1, axis2=2) - 1
    return np.asarray(np.arctan2(np.linalg.norm(axis, axis=1), cosine))


def _motions(T_world_camera: ndarray, delta: int) -> ndarray:
    """T_current_later, the pose of the camera `delta` frames later in the current camera's frame."""
    return np.asarray(inverse(T_world_camera[:-delta]) @ T_world_camera[delta:])
