"""Trajectories of models and from files against the true ones."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from helpers.trajectories import STREET_FRAMES as FRAMES
from helpers.trajectories import drifting, drive, noisy, timed
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.errors import DataError
from selfdepth.evaluation.odometry.run import evaluate_trajectory, matched, predict_trajectory, read_predicted
from selfdepth.evaluation.odometry.sequences import sequence_to_evaluate
from selfdepth.inference.odometry import MotionPredictor, Odometer
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import SyntheticDrive
from selfdepth.weights.files import Scale, WeightsMeta, load_weights, save_weights


@pytest.mark.parametrize("spacing", [None, 3])
def test_a_model_follows_the_camera_inside_its_training_crop(
    world: Path, street: SyntheticDrive, spacing: int | None
) -> None:
    evaluated = sequence_to_evaluate(world / "odometry", "09")
    predicted, alignment = predict_trajectory(
        str(world / "model"), evaluated, spacing=spacing, device="cpu", batch_size=2
    )
    assert alignment == "sim3"
    step = spacing or 1
    np.testing.assert_allclose(predicted.timestamps, street.timestamps[::step], atol=1e-6)
    odometer = Odometer(MotionPredictor(load_weights(world / "model"), spacing=1, device="cpu", precision="fp32"))
    cropped = [
        np.asarray(Image.fromarray(image[:, 8:-8]).resize((64, 64), Image.Resampling.LANCZOS))
        for image in street.images
    ]
    expected = odometer.advance(cropped[::step])
    np.testing.assert_allclose(predicted.T_world_camera, np.stack(expected), atol=1e-4)  # type: ignore[arg-type]


@pytest.mark.parametrize(("stereo", "metres"), [("calibrated", 1.0), ("nominal", 5.4)])
def test_where_metres_are_known_the_path_is_in_metres_and_aligned_rigidly(
    world: Path, tmp_path: Path, stereo: Literal["calibrated", "nominal"], metres: float
) -> None:
    weights = load_weights(world / "model")
    config = dataclasses.replace(weights.config, stereo=stereo)
    scale: Scale = "metric" if stereo == "calibrated" else "relative"
    save_weights(tmp_path, weights.state, WeightsMeta(config=config, camera=None, scale=scale))
    evaluated = sequence_to_evaluate(world / "folder")
    found, alignment = predict_trajectory(str(tmp_path), evaluated, device="cpu")
    relative, _ = predict_trajectory(str(world / "model"), evaluated, device="cpu")
    assert alignment == "se3"
    expected = relative.T_world_camera.copy()
    assert np.linalg.norm(expected[-1, :3, 3]) > 1
    expected[:, :3, 3] *= metres
    np.testing.assert_allclose(found.T_world_camera, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("spacing", [1, 4])
def test_a_pose_network_that_looks_at_whole_clips_gives_a_pose_for_each_frame_too(
    world: Path, tmp_path: Path, spacing: int
) -> None:
    encoder = EncoderConfig(name="test_resnet", pretrained=False, pose_network="shared", pose_input="all")
    config = TrainConfig(width=64, height=64, encoder=encoder)
    state = SelfSupervisedDepth(config).state_dict()
    save_weights(tmp_path, state, WeightsMeta(config=config, camera=None, scale="relative"))
    evaluated = sequence_to_evaluate(world / "folder")
    found, _ = predict_trajectory(str(tmp_path), evaluated, spacing=spacing, device="cpu", batch_size=2)
    np.testing.assert_allclose(found.timestamps, np.arange(0, FRAMES, spacing))
    with pytest.raises(DataError, match=r"too short for a motion: .*more than 12 frames.* 3 together, 6 apart"):
        predict_trajectory(str(tmp_path), evaluated, spacing=6, device="cpu")


def test_a_sequence_shorter_than_the_spacing_is_refused(world: Path) -> None:
    with pytest.raises(DataError, match="more than 11 frames"):
        predict_trajectory(str(world / "model"), sequence_to_evaluate(world / "folder"), spacing=11, device="cpu")


def test_a_perfect_trajectory_has_no_error_and_a_straight_one_that_of_the_straight_line() -> None:
    truth = timed(drive(60))
    perfect = evaluate_trajectory(truth, truth, "none", where="x").to_json()
    assert perfect["ate"]["rmse"] == pytest.approx(0, abs=1e-9)
    assert perfect["five_frame_error"]["mean"] == pytest.approx(0, abs=1e-9)
    assert perfect["kitti"] is None and perfect["straight_line"]["ate_rmse"] > 1
    straight = np.eye(4)[None].repeat(60, 0)
    straight[:, 2, 3] = np.arange(60)
    found = evaluate_trajectory(timed(straight), truth, "sim3", where="x")
    assert found.absolute.rmse == pytest.approx(found.straight_rmse)


def test_the_first_cameras_are_brought_together_before_anything_else() -> None:
    truth = timed(drive(40))
    elsewhere = dataclasses.replace(truth, T_world_camera=drive(2, seed=8)[1] @ truth.T_world_camera)
    assert evaluate_trajectory(elsewhere, truth, "none", where="x").absolute.max == pytest.approx(0, abs=1e-9)


def test_the_scale_of_a_relative_trajectory_does_not_count() -> None:
    truth = timed(drive(600, stride=0.2, turn=0.02))
    predicted = timed(drifting(truth.T_world_camera))
    twice = predicted.T_world_camera.copy()
    twice[:, :3, 3] *= 2
    errors = [evaluate_trajectory(each, truth, "sim3", where="x").to_json() for each in (predicted, timed(twice))]
    for part in ("five_frame_error", "ate", "rpe", "kitti"):
        for name, value in errors[0][part].items():
            if isinstance(value, float):
                assert errors[1][part][name] == pytest.approx(value), (part, name)
    assert errors[1]["alignment"]["scale"] == pytest.approx(errors[0]["alignment"]["scale"] / 2)


def test_poses_are_matched_by_their_times() -> None:
    truth = timed(drive(50))
    rows = np.array([3, 9, 21, 40])
    predicted = Trajectory(T_world_camera=noisy(truth.T_world_camera)[rows], timestamps=truth.timestamps[rows] + 0.004)
    found, true = matched(predicted, truth, where="x")
    np.testing.assert_array_equal(found.T_world_camera, predicted.T_world_camera)
    np.testing.assert_array_equal(true.T_world_camera, truth.T_world_camera[rows])


def test_a_denser_trajectory_gives_one_pose_for_each_true_one() -> None:
    truth = timed(drive(10))
    dense = Trajectory(T_world_camera=drive(19), timestamps=np.arange(19) * 0.05 + 0.001)
    found, true = matched(dense, truth, where="x")
    assert len(found) == len(true) == 10
    assert evaluate_trajectory(dense, truth, "sim3", where="x").frames == 10


def test_numbers_of_frames_are_not_taken_for_seconds() -> None:
    truth = timed(drive(500))
    numbered = Trajectory(T_world_camera=truth.T_world_camera, timestamps=np.arange(500.0))
    with pytest.raises(DataError, match=r"too few times in common: mine; .*50 of 500 such, from 0 to 499"):
        evaluate_trajectory(numbered, truth, "sim3", where="mine")


def test_a_given_trajectory_takes_its_times_from_the_true_one_or_its_own(tmp_path: Path) -> None:
    truth = timed(drive(8))
    given = Trajectory(T_world_camera=noisy(truth.T_world_camera), timestamps=truth.timestamps + 0.002)
    (tmp_path / "kitti.txt").write_text(given.to_kitti())
    (tmp_path / "tum.txt").write_text(given.to_tum())
    kitti, tum = (read_predicted(tmp_path / name, truth) for name in ("kitti.txt", "tum.txt"))
    np.testing.assert_allclose(kitti.timestamps, truth.timestamps)
    np.testing.assert_allclose(tum.timestamps, given.timestamps)
    for read in (kitti, tum):
        np.testing.assert_allclose(read.T_world_camera, given.T_world_camera, atol=1e-6)


def test_the_length_is_that_of_the_true_path() -> None:
    truth = timed(drive(8))
    strides = [np.linalg.norm(b[:3, 3] - a[:3, 3]) for a, b in itertools.pairwise(truth.T_world_camera)]
    predicted = timed(drive(8, seed=5))
    assert evaluate_trajectory(predicted, truth, "sim3", where="x").length == pytest.approx(sum(strides))
