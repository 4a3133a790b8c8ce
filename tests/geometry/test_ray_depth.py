"""Depth along z and along the ray are two names for the same points."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.lenses import LENSES, camera
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.ray_depth import black_without_ray, converted, describe_depth_is, points_of, rays_of

each_lens = pytest.mark.parametrize("name", LENSES)
H, W = 48, 64


def depths(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 50, (H, W)).astype(np.float32)


@each_lens
def test_points_project_to_the_pixels_that_they_are_of(name: str) -> None:
    cam, depth = camera(name), depths()
    chosen = depth < 40
    for kind in ("z", "ray"):
        points, shown = points_of(depth, cam, kind, chosen)  # type: ignore[arg-type]
        pixels, seen = cam.project(points.astype(np.float64))
        rows, columns = np.nonzero(shown)
        assert seen.mean() > 0.999 and not (shown & ~chosen).any()  # float32 at the very edge
        np.testing.assert_allclose(pixels[seen], np.stack([columns, rows], 1)[seen], atol=1e-2)
        size = points[:, 2] if kind == "z" else np.linalg.norm(points, axis=1)
        np.testing.assert_allclose(size, depth[shown], rtol=1e-5)


@each_lens
def test_converted_depth_has_the_same_points(name: str) -> None:
    cam, distance = camera(name), depths()
    z = converted(distance, cam, "ray", "z")
    assert z.dtype == np.float32 and (z >= 0).all()
    rays, seen = rays_of(cam)
    assert np.array_equal(z > 0, seen & (rays[..., 2] > 0))
    along, of_z = points_of(distance, cam, "ray", z > 0)[0], points_of(z, cam, "z", z > 0)[0]
    np.testing.assert_allclose(along, of_z, rtol=1e-3, atol=1e-3)
    back = converted(z, cam, "z", "ray")
    np.testing.assert_allclose(back[z > 0], distance[z > 0], rtol=1e-5)
    assert not back[z == 0].any()
    assert converted(distance, cam, "ray", "ray") is distance


def test_a_map_of_another_size_is_converted_by_the_rays_of_its_own_pixels() -> None:
    cam = camera("fisheye", width=2 * W, height=2 * H)
    small = converted(depths(), cam, "ray", "z")
    assert np.array_equal(small, converted(depths(), cam.resized(W, H), "ray", "z"))


def test_what_no_ray_reaches_is_black_and_a_pinhole_is_left_alone() -> None:
    image = np.full((H, W, 3), 200, np.uint8)
    assert black_without_ray(image, camera("pinhole")) is image
    cam = camera("eucm", fov=1.6)
    black = black_without_ray(image, cam)
    assert 0.3 < rays_of(cam)[1].mean() < 0.99
    assert np.array_equal(black.any(-1), rays_of(cam)[1]) and image.all()


def test_frames_are_black_without_a_ray_however_they_are_fitted() -> None:
    cam = camera("eucm", width=256, height=192, fov=1.6)
    fit = CropResize(width=64, height=32, crop=Crop(4, 8, 2, 0))
    assert fit.reduction(cam) > 1
    image = np.full((192, 256, 3), 200, np.uint8)
    fitted, resized = fit(image, cam)
    assert np.array_equal(fitted.any(-1), rays_of(resized)[1])
    halved, _ = fit.reduced(image[:: fit.reduction(cam), :: fit.reduction(cam)], cam)
    assert np.array_equal(halved.any(-1), rays_of(resized)[1])


def test_each_kind_has_its_words() -> None:
    assert describe_depth_is("z") == "along z"
    assert describe_depth_is("ray") == "the distance along the ray of each pixel"
