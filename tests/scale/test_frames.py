"""The frames from which the scale is found: their cameras and their times."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers.models import tiny_config, write_model
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.rendered import write_drive
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.lens import Lens
from selfdepth.scale.frames import ScaleFrame, open_footage
from selfdepth.synthetic.drive import SyntheticDrive
from selfdepth.weights.files import load_weights

SIZE = (96, 64)


def full(depth: ndarray) -> ndarray:
    """Depth without holes: the sky is far away."""
    return np.where(depth > 0, depth, 500.0).astype(np.float32)


def test_frames_keep_their_camera_and_count_where_there_are_no_times(data: Path, drive: SyntheticDrive) -> None:
    footage = open_footage(data)
    assert footage.sequences[0].camera == drive.camera
    assert not footage.timed and list(footage.times_s.values()) == [0, 1, 2, 3, 4, 5]
    assert [ref.number for ref in footage.refs] == [0, 1, 2, 3, 4, 5]


def test_times_run_on_from_one_sequence_to_the_next(data: Path, drive: SyntheticDrive, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_drive(drive, tmp_path / name)
    times = list(open_footage(tmp_path).times_s.values())
    assert times == list(range(12))


def test_a_camera_comes_from_the_user_else_the_data_else_the_model(data: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in data.glob("*.png"):
        (plain / file.name).write_bytes(file.read_bytes())
    own = Camera(fx=50, fy=50, cx=40, cy=30, width=2 * SIZE[0], height=2 * SIZE[1])
    weights = load_weights(write_model(tmp_path / "model", tiny_config(), camera=own))
    assert open_footage(plain, weights=weights).sequences[0].camera == own.resized(*SIZE)
    assert open_footage(plain, camera="70,70,48,32", weights=weights).sequences[0].camera.fx == 70
    with pytest.warns(SelfDepthWarning, match="60 degrees is ASSUMED"):
        open_footage(plain)
    other = Camera(fx=50, fy=50, cx=40, cy=30, width=100, height=100)
    unlike = load_weights(write_model(tmp_path / "unlike", tiny_config(), camera=other))
    with pytest.warns(SelfDepthWarning, match="60 degrees is ASSUMED"):
        open_footage(plain, weights=unlike)


def test_a_pixel_of_the_frame_lies_on_the_same_ray_in_the_map(drive: SyntheticDrive) -> None:
    frame = ScaleFrame(
        ref=FrameRef("a", 0), time_s=0.0, depth=np.ones((16, 48)), whole=drive.camera, crop=Crop(8, 4, 16, 0)
    )
    u, v = 40.0, 20.0
    ((mapped_u, mapped_v),) = frame.in_map(np.array([[u, v]]))
    camera, whole = frame.camera, drive.camera
    assert (mapped_u - camera.cx) / camera.fx == pytest.approx((u - whole.cx) / whole.fx)
    assert (mapped_v - camera.cy) / camera.fy == pytest.approx((v - whole.cy) / whole.fy)
    rays, seen = frame.rays(np.array([[7.0, 3.0]]))
    assert rays[0] == pytest.approx([(7 - camera.cx) / camera.fx, (3 - camera.cy) / camera.fy, 1]) and seen.all()


@pytest.mark.parametrize("rectify", [False, True])
def test_through_a_lens_a_pixel_keeps_its_ray_rectified_or_not(rectify: bool) -> None:
    whole = Camera(fx=80, fy=80, cx=63, cy=31, width=128, height=64, lens=Lens("brown", (-0.25, 0.06, 0, 0)))
    frame = ScaleFrame(
        ref=FrameRef("a", 0),
        time_s=0.0,
        depth=np.ones((32, 64)),
        whole=whole,
        crop=Crop(4, 0, 0, 8),
        rectify=rectify,
    )
    assert frame.camera.is_pinhole == rectify
    pixels = np.array([[20.0, 10.0], [63.0, 31.0], [100.0, 55.0]])
    expected, _ = whole.unproject(pixels)
    rays, seen = frame.rays(frame.in_map(pixels))
    assert seen.all()
    np.testing.assert_allclose(rays, expected / expected[:, 2:], atol=1e-6)


def test_data_without_pairs_has_no_stereo(data: Path) -> None:
    with pytest.raises(DataError, match="no stereo pairs"), warnings.catch_warnings():
        warnings.simplefilter("error")
        open_footage(data, stereo=True)
