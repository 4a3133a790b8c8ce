"""Geometry consistency: true depths agree, a factor between them costs what it should, and all parts learn."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.losses.consistency import consistency_loss, depth_difference

H, W = 12, 20
K = torch.tensor([[[17.0, 0.0, 9.2], [0.0, 16.0, 5.1], [0.0, 0.0, 1.0]]], dtype=torch.float64)


def motion(rotation: tuple[float, float, float], translation: tuple[float, float, float]) -> Tensor:
    vectors = (torch.tensor([values], dtype=torch.float64) for values in (rotation, translation))
    return transform_from_axis_angle(*vectors)


def depth_of_plane(normal: Tensor, distance: float) -> Tensor:
    """Depth along z at the pixels of the plane normal . X = distance."""
    v, u = torch.meshgrid(torch.arange(H).double(), torch.arange(W).double(), indexing="ij")
    rays = torch.einsum("ij,jhw->ihw", torch.linalg.inv(K[0]), torch.stack([u, v, torch.ones_like(u)]))
    return (distance / torch.einsum("i,ihw->hw", normal, rays))[None, None]


def plane_from_two_cameras(T_source_target: Tensor) -> tuple[Tensor, Tensor]:
    """The depth of one slanted plane in the target's and in the source's camera."""
    normal, distance = torch.tensor([0.2, -0.3, 1.0], dtype=torch.float64), 6.0
    R, t = T_source_target[0, :3, :3], T_source_target[0, :3, 3]
    # n . X_t = d with X_t = R^T (X_s - t)  =>  (R n) . X_s = d + (R n) . t
    return depth_of_plane(normal, distance), depth_of_plane(R @ normal, distance + float((R @ normal) @ t))


def slow_loss(target: Tensor, sources: Tensor, T: Tensor, K: Tensor) -> float:
    """Pixel by pixel, with a point that is moved and looked up between four neighbours."""
    costs = []
    for b in range(len(target)):
        for s in range(T.shape[1]):
            for v in range(H):
                for u in range(W):
                    pixel = torch.tensor([u, v, 1.0], dtype=torch.float64)
                    X = T[b, s, :3, :3] @ (target[b, 0, v, u] * torch.linalg.inv(K[b]) @ pixel) + T[b, s, :3, 3]
                    seen = K[b] @ X
                    x, y, z = float(seen[0] / seen[2]), float(seen[1] / seen[2]), float(X[2])
                    if not (0 <= x <= W - 1 and 0 <= y <= H - 1 and z > 0):
                        continue
                    x0, y0 = min(math.floor(x), W - 2), min(math.floor(y), H - 2)
                    own = 0.0
                    for dy, wy in ((0, 1 - (y - y0)), (1, y - y0)):
                        for dx, wx in ((0, 1 - (x - x0)), (1, x - x0)):
                            own += wx * wy * float(sources[b, s, 0, y0 + dy, x0 + dx])
                    costs.append(abs(z - own) / (z + own))
    return sum(costs) / len(costs) if costs else 0.0


def random_scene(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, dtype=torch.float64, generator=generator)

    vectors = (0.2 * (draw(2, 2, 3) - 0.5), 2 * (draw(2, 2, 3) - 0.5))
    cameras = K.expand(2, 3, 3).clone()
    cameras[1, :2] *= 1.1
    return 1 + 4 * draw(2, 1, H, W), 1 + 4 * draw(2, 2, 1, H, W), transform_from_axis_angle(*vectors), cameras


def test_a_plane_seen_from_two_cameras_agrees_with_itself() -> None:
    T = motion((0.03, -0.08, 0.05), (0.4, -0.2, 0.9))
    target, source = plane_from_two_cameras(T)
    difference, seen = depth_difference(target, source, T, K)
    assert 0.5 < float(seen.double().mean()) < 1, "the test is of pixels inside, with some outside"
    assert float(difference[seen].max()) < 2e-3, "inverse depth is linear in the pixel, depth is so nearly"
    assert float(consistency_loss(target, source[:, None], T[:, None], K)) < 5e-4


@pytest.mark.parametrize("factor", [0.25, 0.8, 1.5, 10.0])
def test_a_factor_between_the_depths_costs_the_same_near_and_far(factor: float) -> None:
    depth = 1 + 50 * torch.rand(1, 1, H, W, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    identity = torch.eye(4, dtype=torch.float64)[None, None]
    wanted = abs(factor - 1) / (factor + 1)
    for pair in ((factor * depth, depth[:, None]), (depth, factor * depth[:, None])):
        assert float(consistency_loss(*pair, identity, K)) == pytest.approx(wanted, rel=1e-9)


def test_a_common_factor_of_depths_and_motion_changes_nothing() -> None:
    target, sources, T, cameras = random_scene(3)
    scaled = T.clone()
    scaled[..., :3, 3] *= 7
    before = consistency_loss(target, sources, T, cameras)
    torch.testing.assert_close(consistency_loss(7 * target, 7 * sources, scaled, cameras), before)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_that_of_the_slow_twin(seed: int) -> None:
    scene = random_scene(seed)
    assert float(consistency_loss(*scene)) == pytest.approx(slow_loss(*scene), rel=1e-9)


def test_both_depths_and_the_motion_learn_from_it_and_their_gradient_is_that_of_small_steps() -> None:
    target, sources, _, cameras = random_scene(5)
    leaves = [target, sources, torch.tensor([[[0.02, -0.01, 0.03]] * 2] * 2).double(), torch.full((2, 2, 3), 0.1)]
    leaves = [leaf.double().requires_grad_() for leaf in leaves]

    def loss(target: Tensor, sources: Tensor, axis_angle: Tensor, translation: Tensor) -> Tensor:
        return consistency_loss(target, sources, transform_from_axis_angle(axis_angle, translation), cameras)

    value = loss(*leaves)
    gradients = torch.autograd.grad(value, leaves)
    generator = torch.Generator().manual_seed(0)
    for place, gradient in enumerate(gradients):
        assert (gradient != 0).any()
        step = 1e-7 * torch.randn(gradient.shape, dtype=torch.float64, generator=generator)
        ahead, back = (
            [leaf.detach() + sign * step if i == place else leaf.detach() for i, leaf in enumerate(leaves)]
            for sign in (1, -1)
        )
        slope = float(loss(*ahead) - loss(*back)) / 2
        assert slope == pytest.approx(float((gradient * step).sum()), rel=1e-3)


@pytest.mark.parametrize("z", [-5.0, -2.0, 1e4])
def test_what_no_source_sees_costs_nothing_and_its_gradient_stays_finite(z: float) -> None:
    # Behind the source's camera (at -2 in its very plane, against the source's depth of 2), or far beside it.
    translation = torch.tensor([[0.0, 0.0, z - 1]] if z < 0 else [[z, 0.0, 0.0]], dtype=torch.float64)
    translation.requires_grad_()
    T = transform_from_axis_angle(torch.zeros(1, 3, dtype=torch.float64), translation)
    target = torch.ones(1, 1, H, W, dtype=torch.float64, requires_grad=True)
    loss = consistency_loss(target, torch.full((1, 1, 1, H, W), 2.0, dtype=torch.float64), T[:, None], K)
    loss.backward()
    assert float(loss.detach()) == 0
    assert target.grad is not None and translation.grad is not None
    assert torch.isfinite(target.grad).all() and torch.isfinite(translation.grad).all()
