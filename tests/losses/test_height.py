"""The height loss, on rendered roads and on planes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.lenses import Lenses
from selfdepth.losses.height import camera_height, height_loss
from selfdepth.synthetic.drive import CAMERA_HEIGHT_M, DriveSpec, SyntheticDrive, render_drive

H, W = 48, 96
K = torch.tensor([[[56.0, 0.0, 47.0], [0.0, 56.0, 20.0], [0.0, 0.0, 1.0]]], dtype=torch.float64)


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=3, frames=6, width=192, height=64))


def true_depth(drive: SyntheticDrive) -> tuple[Tensor, Tensor]:
    """Depth of all frames, with a far sky, and K."""
    depth = torch.from_numpy(np.where(drive.depth > 0, drive.depth, 100.0)).double().unsqueeze(1)
    return depth, torch.from_numpy(drive.camera.matrix()).expand(len(depth), 3, 3)


def road(height: float, pitch_rad: float = 0.0) -> Tensor:
    """Depth of a road below a camera that looks down by an angle; what is above the horizon is a wall 30 m ahead."""
    v, u = torch.meshgrid(torch.arange(H).double(), torch.arange(W).double(), indexing="ij")
    rays = torch.einsum("ij,jhw->ihw", torch.linalg.inv(K[0]), torch.stack([u, v, torch.ones_like(u)]))
    down = torch.tensor([0.0, math.cos(pitch_rad), math.sin(pitch_rad)], dtype=torch.float64)
    towards = torch.einsum("i,ihw->hw", down, rays)
    return torch.where(towards > height / 30, height / towards.clamp(min=1e-9), 30.0)[None, None]


def test_the_height_of_a_rendered_camera_is_found_to_five_percent(drive: SyntheticDrive) -> None:
    height, seen = camera_height(*true_depth(drive))
    assert bool(seen.all())
    np.testing.assert_allclose(height.numpy(), CAMERA_HEIGHT_M, rtol=0.05)


def test_on_a_rendered_drive_the_loss_is_least_at_the_true_scale(drive: SyntheticDrive) -> None:
    depth, intrinsics = true_depth(drive)
    losses = {s: float(height_loss(s * depth, intrinsics, CAMERA_HEIGHT_M)) for s in (0.1, 0.5, 0.8, 1.0, 1.25, 2, 10)}
    assert min(losses, key=losses.__getitem__) == 1.0
    assert losses[1.0] < 0.05
    assert losses[2] - losses[1.0] == pytest.approx(math.log(2), abs=0.06)


@pytest.mark.parametrize("pitch_deg", [-8.0, 0.0, 6.0])
@pytest.mark.parametrize("height", [0.3, 1.65, 4.0])
def test_the_height_above_a_plane_is_its_distance_also_for_a_camera_that_looks_down(
    height: float, pitch_deg: float
) -> None:
    found, seen = camera_height(road(height, math.radians(pitch_deg)), K)
    assert bool(seen[0])
    assert float(found[0]) == pytest.approx(height, rel=1e-6)


def test_a_mirrored_or_enlarged_road_has_the_same_height() -> None:
    depth = road(1.65)
    mirrored = K.clone()
    mirrored[:, 0, 2] = W - 1 - K[:, 0, 2]
    assert float(camera_height(depth.flip(-1), mirrored)[0][0]) == pytest.approx(1.65)


def test_cars_and_noise_do_not_move_the_median() -> None:
    depth = road(1.65)
    depth[..., 30:40, 10:30] = 8.0
    noise = 1 + 0.002 * torch.randn(depth.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    height, seen = camera_height(depth * noise, K)
    assert bool(seen[0])
    assert float(height[0]) == pytest.approx(1.65, rel=0.03)


@pytest.mark.parametrize("depth", [torch.full((1, 1, H, W), 5.0).double(), road(1.65).flip(-2)])
def test_without_ground_there_is_no_loss_and_no_gradient(depth: Tensor) -> None:
    depth = depth.clone().requires_grad_()
    loss = height_loss(depth, K, 1.65)
    loss.backward()
    assert float(loss.detach()) == 0
    assert depth.grad is not None
    assert not depth.grad.any()


def test_clips_without_ground_do_not_dilute_the_others() -> None:
    both = torch.cat([road(3.3), torch.full((1, 1, H, W), 5.0, dtype=torch.float64)])
    assert float(height_loss(both, K.expand(2, 3, 3), 1.65)) == pytest.approx(math.log(2))


def test_the_gradient_is_that_of_one_factor_on_all_of_the_depth() -> None:
    log_depth = road(3.3).log().requires_grad_()
    height_loss(log_depth.exp(), K, 1.65).backward()
    assert log_depth.grad is not None
    torch.testing.assert_close(log_depth.grad, torch.full_like(log_depth, 1 / (H * W)))
    # ... and that factor's, by finite differences.
    step = 1e-6
    rise = height_loss(road(3.3) * math.exp(step), K, 1.65) - height_loss(road(3.3), K, 1.65)
    assert float(log_depth.grad.sum()) == pytest.approx(float(rise) / step, rel=1e-4)


def test_through_a_lens_depth_along_the_ray_states_the_same_height() -> None:
    camera = Camera(
        fx=30.0, fy=30.0, cx=47.5, cy=23.5, width=W, height=H, lens=Lens("kannala-brandt", (0.05, 0.0, 0.0, 0.0))
    )
    lenses = Lenses.of([camera], torch.float64)
    towards = lenses.rays[:, 1:2]
    depth = torch.where(towards > 0.02, 1.65 / towards.clamp(min=1e-9), 40.0)
    height, seen = camera_height(depth, K, lenses)
    assert bool(seen[0])
    assert float(height[0]) == pytest.approx(1.65, rel=1e-6)
    assert float(height_loss(2 * depth, K, 1.65, lenses)) == pytest.approx(math.log(2))


def test_pixels_without_a_ray_count_nothing() -> None:
    camera = Camera(fx=56.0, fy=56.0, cx=47.0, cy=20.0, width=W, height=H)
    whole = Lenses.of([camera], torch.float64)
    seen = whole.seen.clone()
    seen[..., :40] = False
    lenses = replace(whole, seen=seen)
    depth = road(3.3)
    along = depth / whole.rays[:, 2:]
    broken = torch.where(seen, along, 0.7).requires_grad_()
    height_loss(broken, K, 1.65, lenses).backward()
    assert float(height_loss(broken.detach(), K, 1.65, lenses)) == pytest.approx(math.log(2))
    assert broken.grad is not None
    assert not broken.grad[~seen].any()
