"""Trajectories of models and of anybody against the true ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.trajectories import drifting, drive, noisy
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.readers.images import list_images, read_image
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.rendered import write_drive
from selfdepth.data.store.build import build_store
from selfdepth.errors import DataError
from selfdepth.evaluation.odometry.metrics import absolute_trajectory_error
from selfdepth.evaluation.odometry.plots import plot_axes, plot_path
from selfdepth.evaluation.odometry.run import evaluate_trajectory, matched, predict_trajectory
from selfdepth.evaluation.odometry.sequences import sequence_to_evaluate
from selfdepth.inference.odometry import MotionPredictor, Odometer
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry
from selfdepth.weights.files import Scale, WeightsMeta, load_weights, save_weights

FRAMES = 11


@pytest.fixture(scope="module")
def street() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=3, frames=FRAMES, width=96, height=64, stops=False))


@pytest.fixture(scope="module")
def world(street: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drive in every layout: odometry/, raw/, folder/; and a model/."""
    root = tmp_path_factory.mktemp("world")
    for number in (0, 9):
        write_kitti_odometry(street, root / "odometry", number=number)
    write_kitti_raw(street, root / "raw", scan_every=0, image_format="png")
    write_drive(street, root / "folder")
    torch.manual_seed(0)
    encoder = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
    config = TrainConfig(width=64, height=64, encoder=encoder, crop="0,0,8,8", every="1")
    learner = SelfSupervisedDepth(config)
    with torch.no_grad():
        learner.pose_net.decoder.output.bias[5] = -100
    save_weights(root / "model", learner.state_dict(), WeightsMeta(config=config, camera=None, scale="relative"))
    return root


def timed(poses: np.ndarray, step: float = 0.1) -> Trajectory:
    return Trajectory(T_world_camera=poses, timestamps=np.arange(len(poses)) * step)


@pytest.mark.parametrize(
    ("data", "sequence"), [("odometry", "09"), ("raw", None), ("raw", "2011_09_26_drive_0001_sync"), ("folder", None)]
)
def test_true_poses_are_found_in_every_layout(
    world: Path, street: SyntheticDrive, data: str, sequence: str | None
) -> None:
    found = sequence_to_evaluate(world / data, sequence)
    assert len(found.truth) == len(found.sequence.numbers) == FRAMES
    error = absolute_trajectory_error(found.truth.T_world_camera, street.T_world_camera, alignment="none")
    assert error.max < 0.02  # camera 0 stands 6 cm beside the camera of the images
    spacing = 0.1 if data == "odometry" or data == "raw" else 1.0
    np.testing.assert_allclose(found.truth.timestamps, np.arange(FRAMES) * spacing, atol=1e-6)


def test_a_file_of_true_poses_can_be_given(world: Path, street: SyntheticDrive, tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text(timed(street.T_world_camera).to_tum())
    truth = sequence_to_evaluate(world / "odometry", "00", tmp_path / "truth.txt").truth
    np.testing.assert_allclose(truth.T_world_camera, street.T_world_camera, atol=1e-9)
    (tmp_path / "short.txt").write_text(timed(street.T_world_camera[:5]).to_tum())
    with pytest.raises(DataError, match=r"one true pose for each frame: .*short\.txt; expected 11"):
        sequence_to_evaluate(world / "odometry", "00", tmp_path / "short.txt")


def test_what_has_no_true_poses_is_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for path in list_images(world / "folder"):
        Image.fromarray(read_image(path)).save(tmp_path / "frames" / path.name)
    with pytest.raises(DataError, match=r"no true poses.*--ground-truth FILE"):
        sequence_to_evaluate(tmp_path / "frames")
    (tmp_path / "frames/000004.png").unlink()
    with pytest.raises(DataError, match="a jump from 3 to 5"):
        sequence_to_evaluate(tmp_path / "frames")
    with pytest.raises(DataError, match="no such data"):
        sequence_to_evaluate(tmp_path / "gone")
    build_store(recognise(world / "odometry").footage(), tmp_path / "store", width=96, height=64)
    with pytest.raises(DataError, match="a store holds no true poses"):
        sequence_to_evaluate(tmp_path / "store")


@pytest.mark.parametrize(("sequence", "sentence"), [(None, "must be named"), ("10", "fits 0"), ("image_2", "fits 2")])
def test_a_sequence_that_is_not_clear_is_asked_for_by_name(world: Path, sequence: str | None, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as refusal:
        sequence_to_evaluate(world / "odometry", sequence)
    assert "00/image_2, 09/image_2" in str(refusal.value)


@pytest.mark.parametrize("spacing", [None, 3])
def test_a_model_is_followed_inside_its_training_crop(world: Path, street: SyntheticDrive, spacing: int | None) -> None:
    judged = sequence_to_evaluate(world / "odometry", "09")
    predicted, alignment = predict_trajectory(str(world / "model"), judged, spacing=spacing, device="cpu", batch_size=2)
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
    judged = sequence_to_evaluate(world / "folder")
    found, alignment = predict_trajectory(str(tmp_path), judged, device="cpu")
    relative, _ = predict_trajectory(str(world / "model"), judged, device="cpu")
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
    judged = sequence_to_evaluate(world / "folder")
    found, _ = predict_trajectory(str(tmp_path), judged, spacing=spacing, device="cpu", batch_size=2)
    np.testing.assert_allclose(found.timestamps, np.arange(0, FRAMES, spacing))
    with pytest.raises(DataError, match=r"too short for a motion: .*more than 12 frames.* 3 together, 6 apart"):
        predict_trajectory(str(tmp_path), judged, spacing=6, device="cpu")


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


@pytest.mark.parametrize("plot", [plot_path, plot_axes])
def test_a_plot_shows_both_trajectories(plot: object, tmp_path: Path) -> None:
    truth, wrong = timed(drive(40)), timed(drifting(drive(40)))
    pictures = []
    for predicted in (truth, wrong):
        plot(tmp_path / "out/plot.png", predicted, truth, unit="m")  # type: ignore[operator]
        pictures.append(np.asarray(Image.open(tmp_path / "out/plot.png").convert("RGB")).astype(int))
    assert min(pictures[0].shape[:2]) > 500
    assert np.abs(pictures[0] - pictures[1]).max() > 100
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["plot.png"]


def test_a_real_drive_has_true_poses(shared: Path) -> None:
    root = shared / "kitti-mini" / "kitti_raw"
    found = sequence_to_evaluate(root, "2011_09_26_drive_0005_sync")
    straight = np.linalg.norm(found.truth.T_world_camera[-1, :3, 3])
    assert len(found.truth) == len(found.sequence.numbers) > 50 and straight > 20
