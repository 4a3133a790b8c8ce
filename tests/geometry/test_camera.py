"""The camera follows its image: whatever is done to an image, each pixel still looks along its ray."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, crop, downscale, flip, resample, resize
from selfdepth.geometry.crop import NO_CROP, Crop

CAMERA = Camera(fx=52.0, fy=48.0, cx=30.25, cy=17.5, width=64, height=40)


def coordinates(width: int, height: int, step: int) -> ndarray:
    """An image that says where each pixel is: step * u in red, step * v in green."""
    v, u = np.mgrid[:height, :width]
    return (step * np.stack([u, v, np.zeros_like(u)], axis=-1)).astype(np.uint8)


def ray(K: ndarray, u: ndarray, v: ndarray) -> ndarray:
    """x/z and y/z of what is seen at (u, v)."""
    return np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]])


def rays_before_and_after(before: Camera, image: ndarray, after: Camera, step: int) -> tuple[ndarray, ndarray]:
    """The rays of an image's pixels by its own camera, and by the place that each says it came from."""
    v, u = np.mgrid[: image.shape[0], : image.shape[1]]
    inner = (slice(2, -2), slice(2, -2))  # beside the border a resampled ramp is bent
    origin = image[inner].astype(np.float64) / step
    return (
        ray(after.matrix(), u[inner], v[inner]),
        ray(before.matrix(), origin[..., 0], origin[..., 1]),
    )


@pytest.mark.parametrize(("width", "height"), [(128, 80), (32, 20), (96, 32), (16, 10), (64, 40)])
def test_a_resized_image_and_its_camera_still_agree_on_every_ray(width: int, height: int) -> None:
    image, camera = resize(coordinates(64, 40, 3), CAMERA, width=width, height=height)
    assert image.shape == (height, width, 3)
    assert (camera.width, camera.height) == (width, height)
    after, before = rays_before_and_after(CAMERA, image, camera, 3)
    half_a_grey_level = 0.75 / 3 / 48
    np.testing.assert_allclose(after, before, rtol=0, atol=half_a_grey_level)


def test_a_cropped_image_and_its_camera_still_agree_on_every_ray() -> None:
    image, camera = crop(coordinates(64, 40, 3), CAMERA, Crop(top=5, bottom=7, left=11, right=2))
    assert image.shape == (camera.height, camera.width, 3) == (28, 51, 3)
    after, before = rays_before_and_after(CAMERA, image, camera, 3)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12)


def test_a_flipped_image_and_its_camera_see_the_mirrored_scene() -> None:
    frames = torch.from_numpy(coordinates(64, 40, 1)).permute(2, 0, 1)[None, None].double()
    K = torch.from_numpy(CAMERA.matrix())[None]
    mirrored, K_mirrored = flip(frames, K)
    v, u = np.mgrid[:40, :64]
    after = ray(K_mirrored[0].numpy(), u, v)
    before = ray(CAMERA.matrix(), mirrored[0, 0, 0].numpy(), v)
    np.testing.assert_allclose(after, before * [[[-1]], [[1]]], rtol=0, atol=1e-12)
    assert K_mirrored[0, 0, 2] == 64 - 1 - CAMERA.cx


def test_flipping_twice_changes_nothing_and_the_arguments_are_left_alone() -> None:
    frames, K = torch.rand(2, 3, 3, 8, 10), torch.from_numpy(CAMERA.matrix()).float().repeat(2, 1, 1)
    kept = K.clone()
    twice, K_twice = flip(*flip(frames, K))
    assert torch.equal(twice, frames)
    torch.testing.assert_close(K_twice, K)
    assert torch.equal(K, kept)


@pytest.mark.parametrize("scale", [0, 1, 2, 3])
def test_a_block_average_and_its_camera_still_agree_on_every_ray(scale: int) -> None:
    frames = torch.from_numpy(coordinates(64, 40, 1)).permute(2, 0, 1)[None, None].double()
    K = torch.from_numpy(CAMERA.matrix())[None]
    small, K_small = downscale(frames, K, scale, "center")
    v, u = np.mgrid[: 40 >> scale, : 64 >> scale]
    origin = small[0, 0].numpy()
    after, before = ray(K_small[0].numpy(), u, v), ray(CAMERA.matrix(), origin[0], origin[1])
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_published_convention_is_half_a_coarse_pixel_off_less_half_a_fine_one(scale: int) -> None:
    frames, K = torch.rand(1, 1, 3, 40, 64).double(), torch.from_numpy(CAMERA.matrix())[None]
    _, center = downscale(frames, K, scale, "center")
    _, corner = downscale(frames, K, scale, "corner")
    torch.testing.assert_close(corner[0, :2], K[0, :2] / 2**scale)
    torch.testing.assert_close(corner[0, :2, 2] - center[0, :2, 2], torch.full((2,), 0.5 - 0.5 / 2**scale).double())


@given(
    point=st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.5, 50)),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
)
@settings(max_examples=40, deadline=None)
def test_a_point_is_seen_at_the_resized_place_of_its_pixel(
    point: tuple[float, float, float], width: int, height: int
) -> None:
    blank = np.zeros((40, 64, 3), dtype=np.uint8)
    _, camera = resize(blank, CAMERA, width=width, height=height)
    before, after = (c.matrix() @ np.array(point) / point[2] for c in (CAMERA, camera))
    assert after[0] == pytest.approx((before[0] + 0.5) * width / 64 - 0.5, abs=1e-9)
    assert after[1] == pytest.approx((before[1] + 0.5) * height / 40 - 0.5, abs=1e-9)


def test_a_field_of_view_spans_the_outer_edges_of_the_image() -> None:
    camera = Camera.from_fov(60.0, width=100, height=50)
    K = camera.matrix()
    left, right = ray(K, np.array([-0.5, 99.5]), np.zeros(2))[0]
    assert math.degrees(math.atan(right) - math.atan(left)) == pytest.approx(60)
    assert camera.principal_point_inside


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fx": 0.0}, "fx"),
        ({"fy": -3.0}, "fy"),
        ({"fx": math.nan}, "fx"),
        ({"fy": math.inf}, "fy"),
        ({"cx": math.nan}, "principal point"),
        ({"width": 0}, "size"),
    ],
)
def test_an_impossible_camera_is_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Camera(**{**vars(CAMERA), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("fov", [0.0, 180.0, -20.0, math.nan])
def test_an_impossible_field_of_view_is_refused(fov: float) -> None:
    with pytest.raises(DataError, match="field of view"):
        Camera.from_fov(fov, width=100, height=50)


@pytest.mark.parametrize("sides", [Crop(top=20, bottom=20), Crop(left=40, right=30)])
def test_a_crop_that_leaves_nothing_is_refused(sides: Crop) -> None:
    with pytest.raises(DataError, match=r"--crop.*64x40"):
        crop(np.zeros((40, 64, 3), dtype=np.uint8), CAMERA, sides)


def test_a_depth_map_is_cropped_as_its_image() -> None:
    image, sides = coordinates(64, 40, 3), Crop(top=5, bottom=7, left=11, right=2)
    depth = image[..., 0].astype(np.float32)
    assert np.array_equal(crop(depth, CAMERA, sides)[0], crop(image, CAMERA, sides)[0][..., 0])


def test_a_camera_without_its_images_changes_as_it_does_with_them() -> None:
    image, sides = coordinates(64, 40, 3), Crop(top=5, left=11)
    assert CAMERA.cropped(sides) == crop(image, CAMERA, sides)[1]
    assert CAMERA.resized(96, 32) == resize(image, CAMERA, width=96, height=32)[1]
    assert np.array_equal(resample(image, 96, 32), resize(image, CAMERA, width=96, height=32)[0])


def test_a_camera_of_the_same_size_is_the_same_camera() -> None:
    assert CAMERA.resized(64, 40) == CAMERA.cropped(NO_CROP) == CAMERA


def test_an_aspect_is_the_same_to_a_hundredth() -> None:
    assert CAMERA.has_aspect_of(640, 400) and CAMERA.has_aspect_of(640, 403)
    assert not CAMERA.has_aspect_of(640, 407)


def test_an_image_of_another_size_than_its_camera_is_refused() -> None:
    with pytest.raises(DataError, match="64x40; got 60x40"):
        resize(np.zeros((40, 60, 3), dtype=np.uint8), CAMERA, width=32, height=20)
