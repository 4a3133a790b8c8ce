"""View synthesis obeys the laws of projection, and its fast path agrees with the slow obvious one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers.golden_loss import Case, relative
from selfdepth.geometry.camera import downscale, flip
from selfdepth.geometry.se3 import transform, transform_from_axis_angle
from selfdepth.geometry.warp import (
    pixel_grid,
    project,
    sample,
    synthesize,
)

H, W = 24, 40
K = torch.tensor([[[33.0, 0.0, 18.2], [0.0, 31.0, 11.1], [0.0, 0.0, 1.0]]], dtype=torch.float64)
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64))


def motion(rotation: tuple[float, float, float], translation: tuple[float, float, float]) -> Tensor:
    return transform_from_axis_angle(
        torch.tensor([rotation], dtype=torch.float64), torch.tensor([translation], dtype=torch.float64)
    )


def plane(z: float, *, h: int = H, w: int = W) -> Tensor:
    return torch.full((1, 1, h, w), z, dtype=torch.float64)


def slow_projection(depth: Tensor, T_source_target: Tensor, K: Tensor) -> Tensor:
    """The homogeneous twin: a cloud of points, X = depth * K^-1 (u, v, 1), moved, then seen."""
    grid = pixel_grid(*depth.shape[-2:], dtype=depth.dtype, device=depth.device)
    points = (depth * torch.einsum("bij,jhw->bihw", torch.linalg.inv(K), grid)).flatten(2).transpose(1, 2)
    moved = transform(T_source_target, points)
    seen = moved @ K.transpose(1, 2)
    return (seen[..., :2] / seen[..., 2:]).transpose(1, 2).unflatten(2, depth.shape[-2:])


def textured(h: int = H, w: int = W) -> Tensor:
    return torch.rand(1, 3, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
@pytest.mark.parametrize("size", [(24, 40), (192, 640)])
def test_the_identity_motion_returns_the_image(dtype: torch.dtype, tolerance: float, size: tuple[int, int]) -> None:
    image = textured(*size).to(dtype)
    depth = (0.1 + 90 * torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1))).to(dtype)
    wide = K * torch.tensor([[size[1] / W], [size[0] / H], [1.0]])
    same = synthesize(image, depth, torch.eye(4, dtype=dtype)[None], wide.to(dtype))
    assert float((same - image).abs().max()) <= tolerance


@pytest.mark.parametrize("z", [0.8, 5.0, 80.0])
@pytest.mark.parametrize("t", [(0.3, 0.0), (0.0, -0.4), (-0.2, 0.1)])
def test_a_fronto_parallel_plane_shifts_by_focal_length_times_translation_over_depth(
    z: float, t: tuple[float, float]
) -> None:
    pixels = project(plane(z), motion((0, 0, 0), (*t, 0.0)), K)
    grid = pixel_grid(H, W, dtype=torch.float64, device=torch.device("cpu"))[:2]
    shift = torch.tensor([33.0 * t[0] / z, 31.0 * t[1] / z], dtype=torch.float64)
    torch.testing.assert_close(pixels[0] - grid, shift[:, None, None].expand(2, H, W), rtol=0, atol=1e-10)


def test_a_camera_that_moved_right_by_whole_pixels_shows_the_image_shifted() -> None:
    image = textured()
    three_pixels = motion((0, 0, 0), (3 * 5.0 / 33.0, 0, 0))
    warped = synthesize(image, plane(5.0), three_pixels, K)
    torch.testing.assert_close(warped[..., :-3], image[..., 3:], rtol=0, atol=1e-10)
    torch.testing.assert_close(warped[..., -3:], image[..., -1:].expand(1, 3, H, 3), rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_the_fast_projection_is_the_homogeneous_one_in_value_and_gradient(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, dtype=torch.float64, generator=generator)

    cameras = K.expand(2, 3, 3).clone()
    cameras[1, :2] *= 1.3
    weights = draw(2, 2, H, W)
    gradients, values = [], []
    leaves = [1 + 20 * draw(2, 1, H, W), 0.3 * (draw(2, 3) - 0.5), 0.4 * (draw(2, 3) - 0.5)]
    for way in (project, slow_projection):
        depth, axis_angle, translation = (leaf.clone().requires_grad_() for leaf in leaves)
        pixels = way(depth, transform_from_axis_angle(axis_angle, translation), cameras)
        (weights * pixels).sum().backward()
        values.append(pixels.detach())
        gradients.append([leaf.grad for leaf in (depth, axis_angle, translation)])
    torch.testing.assert_close(values[0], values[1], rtol=1e-11, atol=1e-9)
    for fast, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


def test_warping_follows_a_flip_of_image_camera_and_motion() -> None:
    depth, T = 2 + 5 * textured()[:, :1], motion((0.03, -0.05, 0.02), (0.2, -0.1, 0.3))
    frames = textured()[:, None]
    mirrored, K_mirrored = flip(frames, K)
    warped = synthesize(frames[:, 0], depth, T, K)
    warped_mirrored = synthesize(mirrored[:, 0], depth.flip(-1), MIRROR @ T @ MIRROR, K_mirrored)
    torch.testing.assert_close(warped_mirrored, warped.flip(-1), rtol=0, atol=1e-9)


def test_warping_follows_a_crop_of_image_and_camera() -> None:
    depth, T = 2 + 5 * textured()[:, :1], motion((0.03, -0.05, 0.02), (0.2, -0.1, 0.3))
    top, left = 5, 7
    K_cropped = K.clone()
    K_cropped[:, 0, 2] -= left
    K_cropped[:, 1, 2] -= top
    whole = project(depth, T, K)[..., top:, left:]
    part = project(depth[..., top:, left:], T, K_cropped)
    torch.testing.assert_close(part, whole - torch.tensor([left, top]).double()[None, :, None, None])


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_warping_follows_a_resize_exactly_by_pixel_centres_and_not_by_corners(scale: int) -> None:
    T, block = motion((0.0, 0.0, 0.3), (0.2, -0.1, 0.3)), 2**scale
    grid = pixel_grid(H // block, W // block, dtype=torch.float64, device=torch.device("cpu"))
    # The same rays at full resolution: a source pixel grid placed at the centres of the blocks.
    centres = (grid[:2] + 0.5) * block - 0.5
    rays = torch.einsum("ij,jhw->ihw", torch.linalg.inv(K[0]), torch.cat([centres, grid[2:]]))
    points = transform(T, (4.0 * rays).flatten(1).T[None])
    seen = points @ K.transpose(1, 2)
    full = (seen[..., :2] / seen[..., 2:]).transpose(1, 2).unflatten(2, grid.shape[1:])
    wanted = (full + 0.5) / block - 0.5
    errors = {}
    for convention in ("center", "corner"):
        _, K_small = downscale(textured()[:, None], K, scale, convention)  # type: ignore[arg-type]
        small = project(plane(4.0, h=H // block, w=W // block), T, K_small)
        errors[convention] = float((small - wanted).abs().max())
    assert errors["center"] < 1e-9
    assert errors["corner"] > 0.02


def test_points_behind_the_source_give_finite_values_and_no_gradient() -> None:
    for dtype in (torch.float32, torch.float64):
        depth = plane(2.0).to(dtype).requires_grad_()
        translation = torch.tensor([[0.1, 0.2, -3.0]], dtype=dtype, requires_grad=True)
        T = transform_from_axis_angle(torch.zeros(1, 3, dtype=dtype), translation)
        warped = synthesize(textured().to(dtype), depth, T, K.to(dtype))
        warped.sum().backward()
        assert torch.isfinite(warped).all()
        for leaf in (depth, translation):
            assert leaf.grad is not None
            assert torch.equal(leaf.grad, torch.zeros_like(leaf)), f"{dtype}: a point that is not seen teaches nothing"


def test_points_on_both_sides_of_the_source_leave_the_gradient_of_the_seen_ones_finite() -> None:
    depth = torch.linspace(0.5, 8.0, H * W, dtype=torch.float64).reshape(1, 1, H, W).requires_grad_()
    warped = synthesize(textured(), depth, motion((0.02, 0.0, 0.0), (0.1, 0.0, -2.0)), K)
    (warped * torch.rand_like(warped)).sum().backward()
    assert depth.grad is not None
    assert torch.isfinite(depth.grad).all()
    behind = (depth < 1.8).squeeze()
    assert torch.equal(depth.grad[0, 0][behind], torch.zeros(int(behind.sum()), dtype=torch.float64))
    assert (depth.grad != 0).any()


def test_outside_the_image_its_border_is_repeated_without_gradient() -> None:
    image = textured()
    pixels = torch.tensor([[-5.0, 3.0], [W + 9.0, 4.0]], dtype=torch.float64).T.reshape(1, 2, 1, 2).requires_grad_()
    seen = sample(image, pixels)
    torch.testing.assert_close(seen[0, :, 0, 0], image[0, :, 3, 0])
    torch.testing.assert_close(seen[0, :, 0, 1], image[0, :, 4, -1])
    seen.sum().backward()
    assert pixels.grad is not None
    assert torch.equal(pixels.grad[:, 0], torch.zeros(1, 1, 2, dtype=torch.float64))


def test_sampling_between_pixels_is_bilinear() -> None:
    image = textured()
    pixels = torch.tensor([6.25, 9.5], dtype=torch.float64).reshape(1, 2, 1, 1)
    a, b, c, d = image[0, :, 9, 6], image[0, :, 9, 7], image[0, :, 10, 6], image[0, :, 10, 7]
    wanted = 0.5 * (0.75 * a + 0.25 * b) + 0.5 * (0.75 * c + 0.25 * d)
    torch.testing.assert_close(sample(image, pixels)[0, :, 0, 0], wanted)


@pytest.mark.parametrize("name", ["default", "mono_stereo"])
def test_the_warp_matches_the_reference_in_grid_image_and_motion(golden: Path, name: str) -> None:
    case = Case(golden, name)
    depth = case.cfg.depth_range.depth(case.disparities[0])
    for index, source in enumerate(case.sources):
        T = case.T_source_target[:, index]
        u, v = project(depth, T, case.K).unbind(1)
        grid = torch.stack([2 * (u / (u.shape[-1] - 1) - 0.5), 2 * (v / (v.shape[-2] - 1) - 0.5)], dim=-1)
        warped = synthesize(case.frames[:, 1 + index], depth, T, case.K)
        if source != "s":  # the partner's transform is given, not built
            assert relative(T, case.wanted[f"T_source_target/{source}"]) < 1e-9
        # Stored in single precision.
        assert relative(grid, case.wanted[f"sample_grid/{source}/0"]) < 1e-7
        assert relative(warped, case.wanted[f"warped/{source}/0"]) < 1e-7
