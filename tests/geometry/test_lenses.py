"""The lenses of a batch follow their images, and project as their cameras do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.lenses import LENSES, camera
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, downscale
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.lenses import Lenses, common_model, mean_of_seen, seen_at

each_lens = pytest.mark.parametrize("name", LENSES)
F64 = torch.float64


def lenses_of(*cameras: Camera) -> Lenses:
    return Lenses.of(cameras, dtype=F64)


def K_of(*cameras: Camera) -> Tensor:
    return torch.stack([torch.from_numpy(each.matrix()) for each in cameras])


def assert_rays(lenses: Lenses, cam: Camera, atol: float) -> None:
    """The first of them has the rays of a camera."""
    rays, seen = cam.rays()
    assert np.array_equal(lenses.seen[0, 0].numpy(), seen)
    ours = lenses.rays[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours[seen], rays[seen], atol=atol)
    assert (ours[~seen] == [0, 0, 1]).all()


@each_lens
def test_points_are_seen_where_the_camera_sees_them_one_by_one(name: str) -> None:
    cam, other = camera(name), camera(name, fov=1.3)
    points = torch.randn(2, 3, 200, dtype=F64, generator=torch.Generator().manual_seed(0))
    pixels, seen = lenses_of(cam, other).project(points, K_of(cam, other))
    for i, each in enumerate((cam, other)):
        expected, valid = each.project(points[i].T.numpy())
        assert np.array_equal(seen[i, 0].numpy(), valid) and valid.mean() > 0.05
        np.testing.assert_allclose(pixels[i].T.numpy()[valid], expected[valid], atol=1e-9)
        assert torch.isfinite(pixels).all()


@each_lens
def test_in_float32_a_ray_is_seen_at_its_pixel_to_a_thousandth(name: str) -> None:
    cam = camera(name, width=640, height=480)
    lenses = Lenses.of([cam])
    pixels, seen = lenses.project(7 * lenses.rays, K_of(cam).float())
    v, u = torch.meshgrid(torch.arange(480.0), torch.arange(640.0), indexing="ij")
    both = (lenses.seen & seen)[0, 0]
    assert both.sum() > 0.999 * lenses.seen.sum()
    assert float((pixels[0] - torch.stack([u, v]))[:, both].abs().max()) < 2e-3


@each_lens
def test_mirrored_they_are_those_of_the_mirrored_camera(name: str) -> None:
    cam = camera(name)
    mirrored = lenses_of(cam).mirrored()
    assert_rays(mirrored, cam.mirrored(), 1e-9)
    torch.testing.assert_close(mirrored.values, lenses_of(cam.mirrored()).values)


@each_lens
def test_after_a_zoom_their_rays_are_those_of_the_zoomed_camera(name: str) -> None:
    cam = camera(name)
    zoomed = cam.cropped(Crop(6, 6, 10, 6)).resized(64, 48)
    assert_rays(lenses_of(cam).with_rays_of(K_of(zoomed)), zoomed, 1e-9)


@each_lens
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("convention", ["center", "corner"])
def test_at_coarser_scales_they_see_what_the_coarser_camera_sees(name: str, scale: int, convention: str) -> None:
    cam = camera(name, width=128, height=96, fov=0.8 if name == "rational" else 1.0)
    lenses, K = lenses_of(cam), K_of(cam)
    _, K_small = downscale(torch.zeros(1, 1, 3, 96, 128, dtype=F64), K, scale, convention)  # type: ignore[arg-type]
    small = lenses.downscaled(scale, convention)  # type: ignore[arg-type]
    pixels, seen = small.project(small.rays, K_small)
    v, u = torch.meshgrid(torch.arange(96.0 / 2**scale), torch.arange(128.0 / 2**scale), indexing="ij")
    both = (small.seen & seen)[0, 0]
    error = (pixels[0] - torch.stack([u, v]))[:, both].abs()
    assert float(error.max()) < (0.1 if convention == "center" else 1e-8)
    assert float(error.mean()) < 2e-3
    whole = torch.nn.functional.avg_pool2d(lenses.seen.double(), 2**scale)
    assert torch.equal(small.seen, whole == 1)


def test_clips_are_taken_and_replaced_one_by_one() -> None:
    a, b = camera("fisheye"), camera("fisheye", fov=1.2)
    table = lenses_of(a, b)
    clips = table.select(torch.tensor([1, 0, 1]))
    assert_rays(clips, b, 1e-9)
    assert_rays(clips[1:], a, 1e-9)
    changed = clips.replaced(torch.tensor([2]), lenses_of(a))
    assert_rays(changed[2:], a, 1e-9)
    assert_rays(changed, b, 1e-9)


def test_the_model_is_that_of_all_cameras_and_a_pinhole_is_browns_without_distortion() -> None:
    assert common_model([camera("pinhole"), camera("brown")]) == "brown"
    assert common_model([camera("fisheye"), camera("fisheye")]) == "kannala-brandt"
    with pytest.raises(DataError, match=r"unlike models.*--rectify yes"):
        common_model([camera("fisheye"), camera("pinhole")])


def test_a_mean_is_that_of_the_pixels_that_count_whatever_the_others_hold() -> None:
    values = torch.tensor([[[1.0, 2.0], [torch.inf, torch.nan]]], requires_grad=True)
    seen = torch.tensor([[[True, True], [False, False]]])
    mean = mean_of_seen(values, seen)
    mean.backward()
    assert mean.item() == 1.5 and values.grad is not None
    assert values.grad.tolist() == [[[0.5, 0.5], [0.0, 0.0]]]
    assert mean_of_seen(values, torch.zeros_like(seen)).item() == 0


def test_pixels_that_count_are_found_in_maps_of_another_size() -> None:
    seen = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    seen[..., :2] = True
    assert seen_at(seen, (4, 4)) is seen
    assert seen_at(seen, (2, 2)).tolist() == [[[[True, False], [True, False]]]]
