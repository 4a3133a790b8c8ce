"""Zoom and stretch of clips: true depth and motion still explain the clip, and what is not chosen is untouched."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from selfdepth.config.augment import AugmentConfig
from selfdepth.data.clips.augment import apply, draw_augmentation
from selfdepth.data.clips.zoom import Zoom, apply_zoom, draw_zoom
from selfdepth.geometry.se3 import mirror, transform_from_axis_angle
from selfdepth.geometry.warp import pixel_grid, project, synthesize
from selfdepth.structs import Batch

B, H, W = 16, 48, 80
BOTH = AugmentConfig(zoom=2.0, stretch=1.5)
NORMAL, DISTANCE = torch.tensor([0.15, -0.25, 1.0]), 4.0
"""A slanted wall in the target's camera: NORMAL . X = DISTANCE."""


def drawn(b: int, config: AugmentConfig = BOTH, seed: int = 0) -> Zoom:
    return draw_zoom(b, config, torch.Generator().manual_seed(seed))


def rays(K: Tensor) -> Tensor:
    grid = pixel_grid(H, W, dtype=K.dtype, device=K.device)
    return torch.einsum("bij,jhw->bihw", torch.linalg.inv(K), grid)


def depth_of_wall(K: Tensor, normal: Tensor) -> Tensor:
    return (DISTANCE / torch.einsum("bi,bihw->bhw", normal.expand(len(K), 3), rays(K))).unsqueeze(1)


def picture(X: Tensor) -> Tensor:
    """Smooth colours painted on the wall, by the place on it."""
    phases = torch.stack([3 * X[:, 0] + X[:, 1], 4 * X[:, 1] - X[:, 0], 2 * X[:, 0] + 3 * X[:, 1]], dim=1)
    return 0.5 + 0.5 * torch.sin(phases)


def wall(T_source_target: Tensor, K: Tensor) -> Tensor:
    """The wall as a camera with this pose sees it."""
    R, t = T_source_target[:, :3, :3], T_source_target[:, :3, 3]
    normal = torch.einsum("bij,j->bi", R, NORMAL)
    depth = (DISTANCE + (normal * t).sum(1))[:, None, None] / torch.einsum("bi,bihw->bhw", normal, rays(K))
    return picture(torch.einsum("bji,bjhw->bihw", R, depth.unsqueeze(1) * rays(K) - t[..., None, None]))


def clip() -> tuple[Batch, Tensor]:
    """The wall from a moving camera and its stereo partner, and T_source_target of the source in time."""
    K = torch.tensor([[46.0, 0.0, 38.2], [0.0, 46.0, 22.1], [0.0, 0.0, 1.0]]).repeat(B, 1, 1)
    T = transform_from_axis_angle(torch.tensor([[0.01, -0.03, 0.02]]), torch.tensor([[0.1, -0.05, -0.3]])).repeat(
        B, 1, 1
    )
    partner = torch.eye(4).repeat(B, 1, 1)
    partner[:, 0, 3] = -0.3
    frames = torch.stack([wall(pose, K) for pose in (torch.eye(4).expand(B, 4, 4), T, partner)], dim=1)
    return Batch(frames=frames, inputs=frames, K=K, offsets=(1,), T_stereo_target=partner), T


def errors(batch: Batch, depth: Tensor, T: Tensor) -> list[float]:
    """Largest difference between the target and each rebuilt source, where the source has the pixel."""
    assert batch.T_stereo_target is not None
    found = []
    for view, motion in ((1, T), (2, batch.T_stereo_target)):
        pixels = project(depth, motion, batch.K)
        inside = ((pixels > 0) & (pixels < torch.tensor([W - 1, H - 1])[:, None, None])).all(1, keepdim=True)
        difference = (synthesize(batch.frames[:, view], depth, motion, batch.K) - batch.frames[:, 0]).abs()
        found.append(float((difference * inside).max()))
    return found


@pytest.mark.parametrize("config", [AugmentConfig(zoom=2.0), AugmentConfig(stretch=1.6), BOTH])
def test_true_depth_and_motion_explain_the_changed_clip_as_well_as_the_clip_mirrored_or_not(
    config: AugmentConfig,
) -> None:
    batch, T = clip()
    before = errors(batch, depth_of_wall(batch.K, NORMAL), T)
    flip = draw_augmentation(B, torch.Generator().manual_seed(0))
    changed = apply(apply_zoom(batch, drawn(B, config)), flip)
    in_mirror = torch.tensor([-1.0, 1.0, 1.0])
    normal = torch.where(flip.flip[:, None], NORMAL * in_mirror, NORMAL)
    depth = depth_of_wall(changed.K, normal)
    T = torch.where(flip.flip[:, None, None], mirror(T), T)
    assert 0 < int(drawn(B, config).chosen.sum()) < B and 0 < int(flip.flip.sum()) < B
    for now, then in zip(errors(changed, depth, T), before, strict=True):
        assert now < 2 * then + 0.01
    wrong = errors(replace(changed, K=batch.K), depth, T)
    assert min(wrong) > 0.1, "with the camera as it was, nothing fits"


def test_clips_that_are_not_chosen_are_bit_equal_and_the_partner_stays() -> None:
    batch, _ = clip()
    draw = drawn(B)
    changed = apply_zoom(batch, draw)
    for index, chosen in enumerate(draw.chosen.tolist()):
        assert torch.equal(changed.frames[index], batch.frames[index]) != chosen
        assert torch.equal(changed.K[index], batch.K[index]) != chosen
    assert changed.inputs is changed.frames
    assert changed.T_stereo_target is batch.T_stereo_target


def test_drawing_none_returns_the_batch_itself() -> None:
    batch, _ = clip()
    draw = drawn(B)
    assert apply_zoom(batch, replace(draw, chosen=torch.zeros_like(draw.chosen))) is batch


def test_draws_have_the_ranges_that_are_asked_for() -> None:
    draw = drawn(4000)
    smaller, quotient = draw.scale.min(1).values, draw.scale[:, 0] / draw.scale[:, 1]
    assert 0.46 < draw.chosen.float().mean() < 0.54
    assert 1 <= smaller.min() < 1.01 and 1.98 < smaller.max() <= 2.0001
    assert 0.666 <= quotient.min() < 0.68 and 1.48 < quotient.max() <= 1.5001
    assert 0.45 < (quotient > 1).float().mean() < 0.55
    assert 0 <= draw.place.min() < 0.01 and 0.99 < draw.place.max() <= 1
    assert torch.equal(drawn(50, AugmentConfig(stretch=1.5)).scale.min(1).values, torch.ones(50))
    zoomed = drawn(50, AugmentConfig(zoom=1.5)).scale
    torch.testing.assert_close(zoomed[:, 0], zoomed[:, 1])


def test_the_same_seed_draws_the_same_and_a_slice_is_a_part_of_the_draw() -> None:
    first, again, other = drawn(8, seed=3), drawn(8, seed=3), drawn(8, seed=4)
    for name, values in vars(first).items():
        assert torch.equal(values, vars(again)[name])
        assert torch.equal(vars(first[2:5])[name], values[2:5])
    assert not torch.equal(first.scale, other.scale)


def test_a_teachers_map_is_zoomed_with_its_target_and_knows_nothing_beside_what_it_does_not_know() -> None:
    batch, _ = clip()
    red = batch.frames[:, 0, :1].clamp(0.01, 1)
    known = torch.ones_like(red)
    known[..., 10:20, 30:50] = 0
    zoomed = apply_zoom(replace(batch, teacher=red * known), drawn(B))
    assert zoomed.teacher is not None
    where = zoomed.teacher > 0
    torch.testing.assert_close(zoomed.teacher[where], zoomed.frames[:, 0, :1].clamp(0.01, 1)[where], rtol=0, atol=0.01)
    assert 0.5 < where.float().mean() < 1
    everywhere = apply_zoom(replace(batch, teacher=red), drawn(B)).teacher
    assert everywhere is not None and bool((everywhere > 0).all())
    assert apply_zoom(batch, drawn(B)).teacher is None
