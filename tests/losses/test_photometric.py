"""The photometric error: SSIM against loops over windows, and what it must be at the ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy import ndarray
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.losses.photometric import Target, photometric_error, structural_dissimilarity, window_mean


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow_dissimilarity(x: ndarray, y: ndarray) -> ndarray:
    """One channel, one window at a time; beyond the border the image is mirrored about the edge pixel."""
    height, width = x.shape
    result = np.empty_like(x)
    for row in range(height):
        for column in range(width):
            a, b = [], []
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    r, c = mirror(row + dy, height), mirror(column + dx, width)
                    a.append(x[r, c])
                    b.append(y[r, c])
            mean_a, mean_b = sum(a) / 9, sum(b) / 9
            var_a = sum(value * value for value in a) / 9 - mean_a**2
            var_b = sum(value * value for value in b) / 9 - mean_b**2
            cov = sum(p * q for p, q in zip(a, b, strict=True)) / 9 - mean_a * mean_b
            luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
            structure = (2 * cov + 9e-4) / (var_a + var_b + 9e-4)
            result[row, column] = min(max((1 - luminance * structure) / 2, 0), 1)
    return result


def mirror(index: int, size: int) -> int:
    return -index if index < 0 else 2 * (size - 1) - index if index >= size else index


def test_ssim_is_that_of_a_loop_over_windows() -> None:
    candidates, target = images(2, 2, 3, 5, 7), images(2, 3, 5, 7, seed=1)
    fast = structural_dissimilarity(candidates, Target.of(target))
    for clip, source, channel in np.ndindex(2, 2, 3):
        slow = slow_dissimilarity(candidates[clip, source, channel].numpy(), target[clip, channel].numpy())
        np.testing.assert_allclose(fast[clip, source, channel].numpy(), slow, rtol=0, atol=1e-12)


def test_the_error_mixes_ssim_and_absolute_difference_by_their_weights() -> None:
    candidates, target = images(1, 1, 3, 6, 6), images(1, 3, 6, 6, seed=1)
    statistics = Target.of(target)
    got = photometric_error(candidates, statistics, LossConfig(ssim_weight=0.3))
    ssim = structural_dissimilarity(candidates, statistics).mean(2)
    l1 = (candidates - target[:, None]).abs().mean(2)
    torch.testing.assert_close(got, 0.3 * ssim + 0.7 * l1)


def test_without_ssim_the_error_is_the_whole_absolute_difference() -> None:
    candidates, target = images(1, 1, 3, 6, 6), images(1, 3, 6, 6, seed=1)
    got = photometric_error(candidates, Target.of(target), LossConfig(ssim=False))
    torch.testing.assert_close(got, (candidates - target[:, None]).abs().mean(2))


def test_an_image_has_no_error_against_itself() -> None:
    target = images(2, 3, 6, 8)
    error = photometric_error(target[:, None], Target.of(target), LossConfig())
    torch.testing.assert_close(error, torch.zeros_like(error), rtol=0, atol=1e-12)


def test_errors_are_between_zero_and_one_even_for_opposite_images() -> None:
    black, white = torch.zeros(1, 1, 3, 6, 6), torch.ones(1, 3, 6, 6)
    noise = images(1, 3, 6, 6).float()
    for candidates, target in ((black, white), (1 - noise[:, None], noise)):
        error = photometric_error(candidates, Target.of(target), LossConfig())
        assert 0 < float(error.min()) <= float(error.max()) <= 1


def test_each_candidate_is_compared_on_its_own() -> None:
    candidates, target = images(2, 3, 3, 6, 8), Target.of(images(2, 3, 6, 8, seed=1))
    together = photometric_error(candidates, target, LossConfig())
    for source in range(3):
        alone = photometric_error(candidates[:, source : source + 1], target, LossConfig())
        torch.testing.assert_close(together[:, source : source + 1], alone)


def test_the_gradient_of_the_error_is_right() -> None:
    target = Target.of(images(1, 3, 4, 5, seed=1))
    candidates = images(1, 1, 3, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: photometric_error(x, target, LossConfig()), (candidates,))


@pytest.mark.parametrize("size", [(2, 2), (3, 5)])
def test_window_means_reflect_the_border_without_repeating_it(size: tuple[int, int]) -> None:
    image = images(1, *size)
    padded = np.pad(image[0].numpy(), 1, mode="reflect")
    wanted = np.array([[padded[r : r + 3, c : c + 3].mean() for c in range(size[1])] for r in range(size[0])])
    np.testing.assert_allclose(window_mean(image)[0].numpy(), wanted, rtol=0, atol=1e-14)
