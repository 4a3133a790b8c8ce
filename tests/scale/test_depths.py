"""Predicted depth of the frames, from a model or from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers.models import tiny_config, write_model
from selfdepth.data.sources.rendered import write_drive
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.inference.predictor import Predictor
from selfdepth.scale.depths import GivenDepths, model_depths
from selfdepth.scale.frames import open_footage
from selfdepth.scale.run import WitnessRequest, calibrate_predictions
from selfdepth.structs import MetricScale
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.lenses import LENSES
from selfdepth.weights.files import load_weights
from selfdepth.weights.metres import write_copy

SIZE = (96, 64)


def full(depth: ndarray) -> ndarray:
    """Depth without holes: the sky is far away."""
    return np.where(depth > 0, depth, 500.0).astype(np.float32)


def test_a_model_is_asked_for_depth_in_its_own_unit_calibrated_or_not(data: Path, tmp_path: Path) -> None:
    weights = load_weights(write_model(tmp_path / "model", tiny_config()))
    write_copy(tmp_path / "copy", weights, MetricScale(factor=7.0, spread=0.1, witness="x"))
    footage = open_footage(data)
    own, calibrated = (
        [frame.depth for frame in model_depths(footage, footage.refs, load_weights(tmp_path / name), device="cpu")]
        for name in ("model", "copy")
    )
    np.testing.assert_array_equal(own, calibrated)
    image = next(footage.sequences[0].read((0,)))
    expected = Predictor(weights, device="cpu", precision="fp32").predict(image).depth
    np.testing.assert_allclose(own[0], expected, rtol=1e-5)


def test_frames_of_the_training_size_are_cropped_and_their_camera_with_them(
    data: Path, tmp_path: Path, drive: SyntheticDrive
) -> None:
    config = tiny_config(crop="8,4,16,0")
    weights = load_weights(write_model(tmp_path / "model", config, camera=drive.camera))
    footage = open_footage(data)
    (frame,) = model_depths(footage, footage.refs[:1], weights, device="cpu")
    assert frame.crop == Crop(8, 4, 16, 0) and frame.depth.shape == (64, 96)
    assert frame.camera == drive.camera.cropped(frame.crop).resized(96, 64)
    other = Camera(fx=50, fy=50, cx=40, cy=30, width=300, height=200)
    elsewhere = load_weights(write_model(tmp_path / "other", config, camera=other))
    with pytest.warns(SelfDepthWarning, match="frames of another size are not cropped"):
        (frame,) = model_depths(footage, footage.refs[:1], elsewhere, device="cpu")
    assert not frame.crop and frame.camera == drive.camera.resized(96, 64)


def test_given_depths_are_matched_by_order_or_by_name_at_any_resolution(
    data: Path, tmp_path: Path, drive: SyntheticDrive
) -> None:
    footage = open_footage(data)
    maps = full(drive.depth)[:, ::2, ::2]
    np.savez(tmp_path / "all.npz", depth=maps)
    np.save(tmp_path / "disparity.npy", 1 / maps)
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in (1, 4):
        np.save(folder / f"{number:010d}.npy", maps[number])
    for path, quantity, numbers in (
        (tmp_path / "all.npz", "depth", range(6)),
        (tmp_path / "disparity.npy", "disparity", range(6)),
        (folder, "depth", (1, 4)),
    ):
        given = GivenDepths(path, quantity, footage)
        assert [ref.number for ref in given.refs] == list(numbers)
        frames = list(given.depths(given.refs))
        np.testing.assert_allclose([frame.depth for frame in frames], maps[list(numbers)], rtol=1e-5)
        assert frames[0].camera == drive.camera.resized(48, 32)


def test_given_depths_that_are_not_of_these_frames_are_refused(
    data: Path, tmp_path: Path, drive: SyntheticDrive
) -> None:
    footage = open_footage(data)
    np.save(tmp_path / "short.npy", full(drive.depth)[:3])
    with pytest.raises(DataError, match=r"not as many predictions as frames.*expected 6.*got 3"):
        GivenDepths(tmp_path / "short.npy", "depth", footage)
    np.save(tmp_path / "tall.npy", full(drive.depth).transpose(0, 2, 1))
    tall = GivenDepths(tmp_path / "tall.npy", "depth", footage)
    with pytest.raises(DataError, match="cannot be of the same image"):
        list(tall.depths(tall.refs))
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(DataError, match="there is no prediction"):
        GivenDepths(folder, "depth", footage)
    np.save(folder / "other.npy", full(drive.depth)[0])
    with pytest.raises(DataError, match="a frame has no prediction"):
        GivenDepths(folder, "depth", footage)


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
def test_given_depth_of_a_lens_says_whether_it_is_along_the_ray_and_is_asked_alike(lens: str, tmp_path: Path) -> None:
    drive = render_drive(DriveSpec(seed=2, frames=3, width=96, height=64, lens=LENSES[lens], moving_cars=False))
    write_drive(drive, tmp_path / "street", with_depth=True)
    (tmp_path / "ours").mkdir()
    for number, depth in enumerate(drive.depth):
        known = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0).astype(np.float32)
        np.savez(tmp_path / "ours" / f"{number:06d}.npz", disparity=25 * known, depth_is=np.array(drive.depth_is))
    request = WitnessRequest(height_m=1.65, lidar=True)
    done = calibrate_predictions(tmp_path / "ours", tmp_path / "street", request)
    height, lidar = done.findings
    assert height.factor == pytest.approx(25, rel=0.03) and lidar.factor == pytest.approx(25, rel=1e-3)
