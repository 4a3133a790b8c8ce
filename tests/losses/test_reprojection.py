"""Minimum reprojection and the auto-mask at one resolution, in tensor operations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.losses.reprojection import TensorReprojectionLevel, static_error

QUIET = LossConfig(tie_break_noise=0.0)
UNMASKED = replace(QUIET, automask=False)
H, W = 12, 16
K = torch.tensor([[[10.0, 0, 7.5], [0, 10.0, 5.5], [0, 0, 1]]], dtype=torch.float64)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def motions(n_sources: int = 2, *, still: bool = False) -> Tensor:
    size = 0.0 if still else 0.2
    return transform_from_axis_angle(
        size * (random(1, n_sources, 3, seed=1) - 0.5), size * (random(1, n_sources, 3, seed=2) - 0.5)
    )


def disparity(seed: int = 3) -> Tensor:
    return 0.01 + 0.1 * random(1, 1, H, W, seed=seed)


def test_the_error_of_not_warping_is_taken_over_the_sources_as_the_warped_one_is() -> None:
    errors = random(2, 3, H, W)
    assert torch.equal(static_error(errors, QUIET), errors.amin(1))
    torch.testing.assert_close(static_error(errors, replace(QUIET, reprojection="mean")), errors.mean(1))


@pytest.mark.parametrize("reprojection", ["min", "mean"])
def test_the_noise_that_breaks_ties_is_small_and_follows_the_seed(reprojection: str) -> None:
    cfg = replace(QUIET, tie_break_noise=1e-5, reprojection=reprojection)  # type: ignore[arg-type]
    errors = torch.full((2, 1, 64, 64), 0.3, dtype=torch.float64)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(static_error(errors, cfg))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert float((drawn[0] - 0.3).std()) == pytest.approx(1e-5, rel=0.05)


@pytest.mark.parametrize("reprojection", ["min", "mean"])
def test_processes_that_share_a_step_break_its_ties_as_one_process_would(reprojection: str) -> None:
    cfg = replace(QUIET, tie_break_noise=1e-5, reprojection=reprojection)  # type: ignore[arg-type]
    errors = torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(0))

    def drawn(clips: slice, part: tuple[int, int] | None) -> torch.Tensor:
        torch.manual_seed(3)
        return static_error(errors[clips], cfg, part)

    whole = drawn(slice(None), None)
    for size in (1, 2, 3, 6):
        parts = [drawn(slice(first, first + size), (first, 6)) for first in range(0, 6, size)]
        assert torch.equal(torch.cat(parts), whole)


def test_what_does_not_move_wins_a_tie_and_no_pixel_of_it_is_learned_from() -> None:
    frames = random(1, 1, 3, H, W).expand(1, 3, 3, H, W)
    ((loss, keep),) = TensorReprojectionLevel.of(frames, K, QUIET).compare((disparity(),), motions(still=True))
    assert float(keep.sum()) == 0
    assert float(loss) == pytest.approx(0, abs=1e-12)


def test_without_the_auto_mask_nothing_is_compared_unwarped_and_every_pixel_is_kept() -> None:
    level = TensorReprojectionLevel.of(random(1, 3, 3, H, W), K, UNMASKED)
    assert level.static is None
    ((_, keep),) = level.compare((disparity(),), motions())
    assert torch.equal(keep, torch.ones_like(keep))


def test_the_auto_mask_can_only_lower_the_loss_and_keeps_what_warping_explains() -> None:
    frames = random(1, 3, 3, H, W)
    ((masked, keep),) = TensorReprojectionLevel.of(frames, K, QUIET).compare((disparity(),), motions())
    ((plain, _),) = TensorReprojectionLevel.of(frames, K, UNMASKED).compare((disparity(),), motions())
    assert masked < plain
    assert 0 < float(keep.mean()) < 1


def test_the_minimum_over_the_sources_is_at_most_the_error_of_each() -> None:
    frames, T = random(1, 3, 3, H, W), motions()
    ((least, _),) = TensorReprojectionLevel.of(frames, K, UNMASKED).compare((disparity(),), T)
    mean = replace(UNMASKED, reprojection="mean")
    ((average, _),) = TensorReprojectionLevel.of(frames, K, mean).compare((disparity(),), T)
    alone = []
    for source in (1, 2):
        level = TensorReprojectionLevel.of(frames[:, [0, source]], K, UNMASKED)
        ((loss, _),) = level.compare((disparity(),), T[:, source - 1 : source])
        alone.append(float(loss))
    assert float(least) < min(alone)
    assert float(average) == pytest.approx(sum(alone) / 2)


def test_disparities_are_compared_together_as_each_alone() -> None:
    level = TensorReprojectionLevel.of(random(1, 3, 3, H, W), K, QUIET)
    several = (disparity(3), disparity(4))
    for (loss, keep), one in zip(level.compare(several, motions()), several, strict=True):
        ((alone, kept_alone),) = level.compare((one,), motions())
        assert torch.equal(loss, alone) and torch.equal(keep, kept_alone)


def test_a_predictive_mask_of_one_changes_nothing_and_a_smaller_one_is_paid_for() -> None:
    level = TensorReprojectionLevel.of(random(1, 3, 3, H, W), K, UNMASKED)
    ((plain, _),) = level.compare((disparity(),), motions())
    losses = []
    for value in (1.0, 0.5):
        mask = torch.full((1, 2, H, W), value, dtype=torch.float64)
        ((loss, _),) = level.compare((disparity(),), motions(), (mask,))
        losses.append(float(loss))
    assert losses[0] == pytest.approx(float(plain))
    assert losses[1] == pytest.approx(0.5 * float(plain) + 0.2 * 0.6931471805599453)
