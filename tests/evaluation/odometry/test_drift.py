"""Relative pose errors, and KITTI's t_err and r_err."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import ndarray

from helpers.trajectories import drifting, drive, moved_by_similarity, random_rotation, turned
from selfdepth.errors import DataError
from selfdepth.evaluation.odometry.drift import SEGMENT_LENGTHS_M, kitti_drift, relative_pose_error, rotation_angle_rad


@pytest.fixture(scope="module")
def long_drive() -> ndarray:
    """900 m and more, at a metre a frame."""
    return drive(950, stride=0.2, turn=0.02)


def slow_drift(predicted: ndarray, truth: ndarray) -> tuple[float, float, int]:
    """Segment by segment, with general inverses, walking along the path to find where each one ends."""
    t_errors, r_errors = [], []
    for first in range(0, len(truth), 10):
        for length in (100, 200, 300, 400, 500, 600, 700, 800):
            travelled, last = 0.0, first
            while travelled <= length and last + 1 < len(truth):
                travelled += float(np.linalg.norm(truth[last + 1, :3, 3] - truth[last, :3, 3]))
                last += 1
            if travelled <= length:
                continue
            true_motion = np.linalg.inv(truth[first]) @ truth[last]
            motion = np.linalg.inv(predicted[first]) @ predicted[last]
            left_over = np.linalg.inv(motion) @ true_motion
            t_errors.append(float(np.linalg.norm(left_over[:3, 3])) / length)
            r_errors.append(float(np.arccos(np.clip((np.trace(left_over[:3, :3]) - 1) / 2, -1, 1))) / length)
    return 100 * float(np.mean(t_errors)), float(np.degrees(100 * np.mean(r_errors))), len(t_errors)


def test_kitti_errors_agree_with_the_slow_ones(long_drive: ndarray) -> None:
    predicted = drifting(long_drive)
    found = kitti_drift(predicted, long_drive)
    assert found is not None
    t_err, r_err, count = slow_drift(predicted, long_drive)
    assert count > 100 and found.segments == count
    assert (found.t_err_percent, found.r_err_deg_per_100m) == pytest.approx((t_err, r_err), rel=1e-9)


def test_the_means_over_all_segments_follow_from_those_of_each_length(long_drive: ndarray) -> None:
    found = kitti_drift(drifting(long_drive), long_drive)
    assert found is not None
    assert [row.length_m for row in found.by_length] == list(SEGMENT_LENGTHS_M)
    weights = [row.segments for row in found.by_length]
    assert found.segments == sum(weights)
    mean = np.average([row.t_err_percent for row in found.by_length], weights=weights)
    assert found.t_err_percent == pytest.approx(mean)


def test_a_perfect_trajectory_has_no_error(long_drive: ndarray) -> None:
    drift, relative = kitti_drift(long_drive, long_drive), relative_pose_error(long_drive, long_drive)
    assert drift is not None
    assert (drift.t_err_percent, drift.r_err_deg_per_100m) == pytest.approx((0, 0), abs=1e-9)
    assert (relative.translation_rmse, relative.rotation_rmse_deg) == pytest.approx((0, 0), abs=1e-9)


def test_seen_from_another_world_the_errors_are_the_same(long_drive: ndarray) -> None:
    rng, predicted = np.random.default_rng(0), drifting(long_drive)
    moved = moved_by_similarity(predicted, 1.0, random_rotation(rng), rng.normal(size=3) * 100)
    here, there = kitti_drift(predicted, long_drive), kitti_drift(moved, long_drive)
    assert here is not None and there is not None
    assert there.t_err_percent == pytest.approx(here.t_err_percent)
    assert there.r_err_deg_per_100m == pytest.approx(here.r_err_deg_per_100m)
    for delta in (1, 7):
        near, far = (relative_pose_error(poses, long_drive, delta=delta) for poses in (predicted, moved))
        assert (near.translation_rmse, near.rotation_mean_deg) == pytest.approx(
            (far.translation_rmse, far.rotation_mean_deg)
        )


@pytest.mark.parametrize("scale", [0.9, 1.25])
def test_on_a_straight_road_a_wrong_scale_is_the_drift_in_percent(scale: float) -> None:
    truth = np.eye(4)[None].repeat(300, 0)
    truth[:, 2, 3] = np.arange(300) * 2.0  # 2 m a frame: the segments end 2 m behind their length
    predicted = truth.copy()
    predicted[:, 2, 3] *= scale
    found = kitti_drift(predicted, truth)
    assert found is not None and found.r_err_deg_per_100m == 0
    first = found.by_length[0]
    assert first.t_err_percent == pytest.approx(100 * abs(scale - 1) * 102 / 100)
    assert relative_pose_error(predicted, truth).translation_mean == pytest.approx(2 * abs(scale - 1))


def test_a_constant_turn_is_the_rotation_error() -> None:
    truth = np.eye(4)[None].repeat(130, 0)
    truth[:, 2, 3] = np.arange(130)
    predicted = truth @ np.stack([turned(np.radians(0.1 * frame)) for frame in range(130)])
    found = kitti_drift(predicted, truth, lengths_m=(100.0,))
    assert found is not None
    assert found.r_err_deg_per_100m == pytest.approx(101 * 0.1)
    assert relative_pose_error(predicted, truth).rotation_mean_deg == pytest.approx(0.1)


def test_a_path_shorter_than_every_segment_has_no_drift() -> None:
    assert kitti_drift(drive(20), drive(20)) is None


@pytest.mark.parametrize("angle_rad", [0.0, 1e-9, 1e-4, 1.0, 3.0, np.pi])
def test_the_angle_of_a_rotation_is_exact_also_near_zero(angle_rad: float) -> None:
    rng = np.random.default_rng(0)
    T, R = turned(angle_rad), random_rotation(rng)
    T[:3, :3] = R @ T[:3, :3] @ R.T
    assert rotation_angle_rad(T[None])[0] == pytest.approx(angle_rad, abs=1e-12 if angle_rad < 3.1 else 1e-7)


@pytest.mark.parametrize("delta", [0, -1, 20])
def test_a_distance_that_no_two_frames_have_is_refused(delta: int) -> None:
    with pytest.raises(DataError, match="1 to 19 frames"):
        relative_pose_error(drive(20), drive(20), delta=delta)


def test_trajectories_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="the same number of poses"):
        kitti_drift(drive(20), drive(19))
    with pytest.raises(DataError, match="the same number of poses"):
        relative_pose_error(drive(20), drive(19))
