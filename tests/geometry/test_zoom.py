"""Zooming images and their cameras: every pixel still shows the ray that it showed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.warp import pixel_grid
from selfdepth.geometry.zoom import zoom

H, W = 12, 20


def cameras(b: int) -> Tensor:
    K = torch.tensor([[17.0, 0.0, 9.2], [0.0, 16.0, 5.1], [0.0, 0.0, 1.0]], dtype=torch.float64).repeat(b, 1, 1)
    K[:, 0, 2] += torch.arange(b)
    return K


def draws(b: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.rand(2, b, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return 1 + 2 * random[0], random[1]


def test_every_pixel_still_shows_the_ray_that_it_showed() -> None:
    b, (scale, place) = 6, draws(6)
    grid = pixel_grid(H, W, dtype=torch.float64, device=torch.device("cpu"))
    # An image of its own pixel coordinates: it says which pixel is shown where. Bilinear interpolation keeps it exact.
    shown, K_zoomed = zoom(grid.expand(b, 3, H, W), cameras(b), scale, place)
    rays_before = torch.einsum("bij,bjhw->bihw", torch.linalg.inv(cameras(b)), shown)
    rays_after = torch.einsum("bij,jhw->bihw", torch.linalg.inv(K_zoomed), grid)
    # Beyond the centres of the outer pixels there is nothing to interpolate; the border is repeated.
    inside = ((shown[:, 0] > 0) & (shown[:, 0] < W - 1) & (shown[:, 1] > 0) & (shown[:, 1] < H - 1)).unsqueeze(1)
    assert float(inside.double().mean()) > 0.8
    torch.testing.assert_close(rays_after * inside, rays_before * inside, rtol=0, atol=1e-12)


def test_the_camera_is_that_of_a_slow_crop_and_resize_of_each_point() -> None:
    b, (scale, place) = 5, draws(5, 1)
    K, points = cameras(5), torch.tensor([[0.3, -0.2, 2.0], [-1.0, 0.4, 5.0], [2.0, 1.0, 9.0]], dtype=torch.float64)
    _, K_zoomed = zoom(torch.zeros(b, 3, H, W, dtype=torch.float64), K, scale, place)
    for clip in range(b):
        for X in points:
            (u, v, z), (u_new, v_new, z_new) = K[clip] @ X, K_zoomed[clip] @ X
            assert z == z_new
            for at, at_new, size, axis in ((u / z, u_new / z, W, 0), (v / z, v_new / z, H, 1)):
                s = float(scale[clip, axis])
                kept = size / s
                edge = float(place[clip, axis]) * (size - kept)  # of the crop, in pixels from the edge of the image
                share = (float(at) + 0.5 - edge) / kept  # where the point is within the crop
                assert float(at_new) == pytest.approx(share * size - 0.5, abs=1e-9)


def test_a_crop_along_pixels_is_that_of_the_camera_for_footage() -> None:
    camera = Camera(fx=17.0, fy=16.0, cx=9.2, cy=5.1, width=W, height=H)
    sides = Crop(top=2, bottom=4, left=5, right=5)  # half of the width and of the height
    wanted = camera.cropped(sides).resized(W, H).matrix()
    place = torch.tensor([[0.5, 2 / 6]], dtype=torch.float64)
    _, K = zoom(
        torch.zeros(1, 3, H, W).double(), torch.from_numpy(camera.matrix())[None], torch.full((1, 2), 2.0), place
    )
    torch.testing.assert_close(K[0], torch.from_numpy(wanted), rtol=1e-6, atol=1e-6)


def test_a_scale_of_one_changes_nothing_wherever_it_is_placed() -> None:
    images = torch.rand(3, 2, 3, H, W, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    same, K = zoom(images, cameras(3), torch.ones(3, 2).double(), draws(3)[1])
    torch.testing.assert_close(same, images, rtol=0, atol=1e-12)
    torch.testing.assert_close(K, cameras(3), rtol=0, atol=1e-12)


def test_all_views_of_a_clip_are_changed_alike_and_arguments_are_left_alone() -> None:
    images = torch.rand(2, 1, 3, H, W, generator=torch.Generator().manual_seed(0)).repeat(1, 4, 1, 1, 1)
    kept, K = images.clone(), cameras(2).float()
    zoomed, _ = zoom(images, K, *(values.float() for values in draws(2)))
    assert torch.equal(zoomed, zoomed[:, :1].expand_as(zoomed))
    assert not torch.equal(zoomed, images)
    assert torch.equal(images, kept)
    assert torch.equal(K, cameras(2).float())
    assert zoomed.min() >= 0 and zoomed.max() <= 1
