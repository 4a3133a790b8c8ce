"""The objective of Monodepth v1: laws of the shift along rows, and a slow loop as the twin of every term."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.losses.left_right import from_other_view, left_right_terms, shift

CFG = LossConfig(automask=False, reprojection="mean", multiscale="native", smoothness=0.1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def ramp(width: int) -> Tensor:
    """One row of colours that grow with the column."""
    return torch.arange(width, dtype=torch.float64).expand(1, 1, 3, width).clone()


def test_no_disparity_returns_the_same_image() -> None:
    images = random(2, 3, 5, 8)
    assert torch.allclose(shift(images, torch.zeros(2, 1, 5, 8, dtype=torch.float64)), images, atol=1e-12)


@pytest.mark.parametrize("pixels", [1.0, 2.5, -3.0])
def test_a_constant_disparity_shifts_by_that_share_of_the_width(pixels: float) -> None:
    moved = shift(ramp(10), torch.full((1, 1, 3, 10), pixels / 10, dtype=torch.float64))
    assert torch.allclose(moved, (ramp(10) + pixels).clamp(0, 9))  # outside, the border is repeated


def plane(width: int, px: float, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Left and right view of a textured plane that is `px` pixels apart in them, and its two disparities."""
    texture = random(1, 3, 6, width + 20, seed=seed)
    left, right = texture[..., 10 : 10 + width], texture[..., 10 + int(px) : 10 + int(px) + width]
    return torch.stack([left, right], dim=1), torch.full((1, 2, 6, width), px / width, dtype=torch.float64)


def test_each_view_of_a_plane_is_rebuilt_from_the_other_through_its_disparity_where_both_see_it() -> None:
    views, disparity = plane(32, 4)
    rebuilt = from_other_view(views.flip(1), disparity)
    assert torch.allclose(rebuilt[:, 0, ..., 4:], views[:, 0, ..., 4:])  # the right camera does not see the left margin
    assert torch.allclose(rebuilt[:, 1, ..., :-4], views[:, 1, ..., :-4])
    (true,) = left_right_terms((disparity,), views, CFG)
    for factor in (-1.0, 0.0, 0.5, 1.5):
        (wrong,) = left_right_terms((factor * disparity,), views, CFG)
        assert wrong.appearance > 2 * true.appearance, factor


def test_the_loss_of_a_plane_facing_the_cameras_is_smallest_at_its_true_depth() -> None:
    width, focal_px, baseline_m = 48, 30.0, 0.54
    true_m = focal_px * baseline_m / 6  # depth = f b / (d w), where the views of the plane lie 6 pixels apart
    views, _ = plane(width, 6)
    losses = {}
    for depth_m in [true_m * factor for factor in (0.5, 0.8, 0.95, 1.0, 1.05, 1.25, 2.0)]:
        share = focal_px * baseline_m / (depth_m * width)
        (terms,) = left_right_terms((torch.full((1, 2, 6, width), share, dtype=torch.float64),), views, CFG)
        losses[depth_m] = float(terms.loss(CFG))
    assert min(losses, key=lambda depth_m: losses[depth_m]) == true_m


def test_disparities_of_a_plane_agree_and_others_do_not() -> None:
    views, disparity = plane(32, 4)
    (true,) = left_right_terms((disparity,), views, CFG)
    assert float(true.consistency) == pytest.approx(0, abs=1e-12) and float(true.smoothness) == 0
    other = disparity * torch.tensor([1.0, 1.25])[:, None, None]
    (wrong,) = left_right_terms((other,), views, CFG)
    assert float(wrong.consistency) == pytest.approx(2 * 0.25 * 4 / 32)  # of either view


def test_a_slanted_plane_is_consistent_where_both_views_see_it() -> None:
    # x_right = x_left - d_left(x_left) with d_left = a + b x, so d_right(x) = (a + b x) / (1 - b): both linear.
    width, a, b = 40, 0.05, 0.1
    x = torch.arange(width, dtype=torch.float64) / width
    both = torch.stack([a + b * x, (a + b * x) / (1 - b)])
    disparity = both[None, :, None].expand(1, 2, 4, width)
    difference = (disparity - from_other_view(disparity.flip(1), disparity)).abs()
    assert float(difference[:, 0, :, 8:].max()) < 1e-12 and float(difference[:, 1, :, :-8].max()) < 1e-12


def test_mirroring_a_pair_exchanges_its_views_and_changes_no_term() -> None:
    views, disparity = random(2, 2, 3, 8, 16), 0.3 * random(2, 2, 8, 16, seed=1)
    (plain,) = left_right_terms((disparity,), views, CFG)
    (mirrored,) = left_right_terms((disparity.flip(1, -1),), views.flip(1, -1), CFG)
    (not_exchanged,) = left_right_terms((disparity.flip(-1),), views.flip(-1), CFG)
    for name in ("appearance", "smoothness", "consistency"):
        assert float(getattr(mirrored, name)) == pytest.approx(float(getattr(plain, name))), name
    assert abs(float(not_exchanged.appearance) - float(plain.appearance)) > 1e-3


# The slow twin: one pixel after the other, in plain numbers, from the equations of the paper.


def at(row: list[float], u: float) -> float:
    u = min(max(u, 0.0), len(row) - 1.0)
    first = min(math.floor(u), len(row) - 2)
    return row[first] + (u - first) * (row[first + 1] - row[first])


def rebuilt_slowly(image: Tensor, disparity: Tensor, sign: int) -> Tensor:
    """`image` (c, h, w) sampled at u + sign * d * w."""
    out = torch.empty_like(image)
    c, h, w = image.shape
    for channel in range(c):
        for v in range(h):
            row = image[channel, v].tolist()
            for u in range(w):
                out[channel, v, u] = at(row, u + sign * float(disparity[v, u]) * w)
    return out


def window(image: Tensor, v: int, u: int) -> Tensor:
    """The 3x3 neighbourhood, reflected at the border without repeating the edge."""

    def mirrored(i: int, n: int) -> int:
        return -i if i < 0 else 2 * (n - 1) - i if i >= n else i

    h, w = image.shape
    near = [(mirrored(v + j, h), mirrored(u + i, w)) for j in (-1, 0, 1) for i in (-1, 0, 1)]
    return torch.stack([image[place] for place in near])


def appearance_slowly(image: Tensor, rebuilt: Tensor, cfg: LossConfig) -> float:
    c, h, w = image.shape
    total = 0.0
    for channel in range(c):
        for v in range(h):
            for u in range(w):
                x, y = window(rebuilt[channel], v, u), window(image[channel], v, u)
                mean_x, mean_y = x.mean(), y.mean()
                covariance = ((x - mean_x) * (y - mean_y)).mean()
                variances = ((x - mean_x) ** 2).mean() + ((y - mean_y) ** 2).mean()
                ssim = (2 * mean_x * mean_y + 0.01**2) * (2 * covariance + 0.03**2)
                ssim = ssim / ((mean_x**2 + mean_y**2 + 0.01**2) * (variances + 0.03**2))
                difference = float((image[channel, v, u] - rebuilt[channel, v, u]).abs())
                total += cfg.ssim_weight * float((1 - ssim) / 2) + (1 - cfg.ssim_weight) * difference
    return total / (c * h * w)


def smoothness_slowly(disparity: Tensor, image: Tensor) -> float:
    h, w = disparity.shape
    total = 0.0
    for dv, du in ((0, 1), (1, 0)):
        steps = []
        for v in range(h - dv):
            for u in range(w - du):
                edge = float((image[:, v + dv, u + du] - image[:, v, u]).abs().mean())
                steps.append(abs(float(disparity[v + dv, u + du] - disparity[v, u])) * math.exp(-edge))
        total += sum(steps) / len(steps)
    return total


def loss_slowly(disparities: list[Tensor], views: Tensor, cfg: LossConfig) -> float:
    """Equations 1 to 4, summed over the scales, of one pair."""
    total = 0.0
    for disparity in disparities:
        block = views.shape[-1] // disparity.shape[-1]
        small = views.reshape(2, 3, views.shape[-2] // block, block, views.shape[-1] // block, block).mean((3, 5))
        for view, sign in ((0, -1), (1, 1)):
            own, other = disparity[view], disparity[1 - view]
            rebuilt = rebuilt_slowly(small[1 - view], own, sign)
            total += appearance_slowly(small[view], rebuilt, cfg)
            total += cfg.smoothness / block * smoothness_slowly(own, small[view])
            total += float((own - rebuilt_slowly(other[None], own, sign)[0]).abs().mean())
    return total


@pytest.mark.parametrize("ssim_weight", [0.85, 0.0])
def test_the_sum_over_scales_and_views_is_that_of_a_slow_loop(ssim_weight: float) -> None:
    cfg = LossConfig(automask=False, reprojection="mean", multiscale="native", smoothness=0.1, ssim_weight=ssim_weight)
    views = random(2, 2, 3, 8, 16)
    disparities = [0.3 * random(2, 2, 8 // 2**s, 16 // 2**s, seed=s) for s in range(2)]
    terms = left_right_terms(tuple(disparities), views, cfg)
    assert [term.scale for term in terms] == [0, 1]
    slow = [loss_slowly([each[clip] for each in disparities], views[clip], cfg) for clip in range(2)]
    assert float(sum(term.loss(cfg) for term in terms)) == pytest.approx(sum(slow) / 2, rel=1e-9)


def test_every_disparity_has_a_gradient_and_it_is_that_of_the_loss() -> None:
    views = random(1, 2, 3, 4, 6)

    def loss(disparity: Tensor) -> Tensor:
        (term,) = left_right_terms((disparity,), views, CFG)
        return term.loss(CFG)

    # Away from the kinks of |x|, of the interpolation and of the border.
    disparity = (0.11 + 0.05 * random(1, 2, 4, 6, seed=3)).requires_grad_()
    assert torch.autograd.gradcheck(loss, (disparity,), eps=1e-7, atol=1e-5)
