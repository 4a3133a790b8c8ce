"""Depth and cameras as ROS's messages say them."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.data.readers.camera_info import CameraInfo, camera_of_camera_info
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.ray_depth import rays_of
from selfdepth.inference.ros_messages import camera_fields, depth_fields, distortion_of, robot_depth
from selfdepth.structs import DepthPrediction

LENSES = [
    Lens(),
    Lens("brown", (-0.2, 0.03, 0.001, -0.002)),
    Lens("brown", (-0.2, 0.03, 0.001, -0.002, 0.004)),
    Lens("brown", (0.3, 0.02, 0.001, -0.002, 0.003, 0.5, 0.06, 0.002)),
    Lens("kannala-brandt", (0.01, -0.004, 0.002, -0.0003)),
]


def prediction(depth: np.ndarray, camera: Camera | None = None, depth_is: str = "z") -> DepthPrediction:
    disparity = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    return DepthPrediction(depth=depth, disparity=disparity, scale="metric", camera=camera, depth_is=depth_is)  # type: ignore[arg-type]


def test_what_is_not_known_is_nan_and_the_rest_is_metres() -> None:
    depth = np.array([[0.0, 2.0], [5.0, 0.0]], np.float32)
    np.testing.assert_array_equal(robot_depth(prediction(depth), 3.0), [[np.nan, 6.0], [15.0, np.nan]])
    assert robot_depth(prediction(depth), 3.0).dtype == np.float32


def test_depth_along_the_ray_becomes_depth_along_z() -> None:
    camera = Camera(fx=20.0, fy=20.0, cx=15.5, cy=11.5, width=32, height=24, lens=LENSES[-1])
    rays, seen = rays_of(camera)
    wall = np.where(seen & (rays[..., 2] > 0.05), 4.0 / np.maximum(rays[..., 2], 0.05), 0).astype(np.float32)
    z = robot_depth(prediction(wall, camera, "ray"))
    np.testing.assert_allclose(z[wall > 0], 4.0, rtol=1e-5)
    assert np.isnan(z[wall == 0]).all()


def test_an_image_of_depth_is_little_endian_floats_row_by_row() -> None:
    depth = np.arange(6, dtype=np.float32).reshape(2, 3)
    fields = depth_fields(depth.T[::-1].copy().T)
    assert (fields["height"], fields["width"], fields["step"]) == (2, 3, 12)
    assert (fields["encoding"], fields["is_bigendian"], len(fields["data"])) == ("32FC1", 0, 24)
    read = np.frombuffer(fields["data"], "<f4").reshape(2, 3)
    np.testing.assert_array_equal(read, depth.T[::-1].T)


@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.model}{sum(map(bool, lens.coefficients))}")
def test_a_camera_is_read_back_as_it_was(lens: Lens) -> None:
    camera = Camera(fx=300.0, fy=310.0, cx=159.0, cy=121.0, width=320, height=240, lens=lens)
    fields = camera_fields(camera, 320, 240)
    info = CameraInfo(
        size=(fields["width"], fields["height"]),
        K=tuple(fields["k"]),
        model=fields["distortion_model"],
        D=tuple(fields["d"]),
        P=tuple(fields["p"]),
        binning=(1, 1),
        region=(0, 0, 0, 0),
    )
    assert camera_of_camera_info(info, size=(320, 240), rectified=False, where="info") == camera
    assert np.array(fields["r"]).reshape(3, 3).tolist() == np.eye(3).tolist()
    assert np.array(fields["p"]).reshape(3, 4)[:, 3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("lens", [Lens("ucm", (1.2, 0, 0, 0, 0)), Lens("eucm", (0.5, 1.1))])
def test_a_lens_without_a_name_in_ros_is_no_pinhole_but_a_camera_without_calibration(lens: Lens) -> None:
    camera = Camera(fx=30.0, fy=30.0, cx=15.5, cy=11.5, width=32, height=24, lens=lens)
    assert distortion_of(lens) is None
    assert camera_fields(camera, 32, 24) == camera_fields(None, 32, 24)
    assert not any(camera_fields(None, 32, 24)["k"])
