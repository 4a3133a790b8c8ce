"""What a teacher teaches: the shape of the disparity, and neither its scale nor its shift."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from selfdepth.losses.distillation import distillation_loss
from selfdepth.synthetic.drive import DriveSpec, render_drive


def obvious(student: np.ndarray, teacher: np.ndarray) -> float:
    """The slow twin: image by image, on lists of the known pixels."""
    losses = []
    for d_student, d_teacher in zip(student[:, 0], teacher[:, 0], strict=True):
        known = d_teacher > 0
        normalised = []
        for each in (d_student[known], d_teacher[known]):
            median = np.sort(each)[(len(each) - 1) // 2]  # the lower of the two middle ones
            normalised.append((each - median) / np.mean([abs(value - median) for value in each]))
        losses.append(np.mean([abs(a - b) for a, b in zip(*normalised, strict=True)]))
    return float(np.mean(losses))


def random_maps(*, holes: bool, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Disparities of a student and of a teacher; with holes, each image has another number of unknown pixels."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.rand(3, 1, 6, 7, generator=generator) * 0.9 + 0.05 for _ in range(2))
    if holes:
        share = torch.tensor([0.0, 0.3, 0.8])[:, None, None, None]
        teacher = teacher.where(torch.rand(teacher.shape, generator=generator) >= share, 0.0)
    return student, teacher


@pytest.mark.parametrize("holes", [False, True])
def test_the_loss_is_that_of_its_slow_twin(holes: bool) -> None:
    student, teacher = random_maps(holes=holes)
    expected = obvious(student.numpy().astype(np.float64), teacher.numpy().astype(np.float64))
    assert float(distillation_loss(student, teacher)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("holes", [False, True])
def test_the_gradient_is_the_slope_of_the_slow_twin(holes: bool) -> None:
    student, teacher = random_maps(holes=holes, seed=1)
    moved = student.clone().requires_grad_()
    distillation_loss(moved, teacher).backward()
    assert moved.grad is not None
    base, step = student.numpy().astype(np.float64), 1e-6
    exact = teacher.numpy().astype(np.float64)
    for place in np.ndindex(base.shape):
        ends = []
        for sign in (-1, 1):
            shifted = base.copy()
            shifted[place] += sign * step
            ends.append(obvious(shifted, exact))
        assert float(moved.grad[place]) == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=2e-3, abs=1e-5)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.01, 0.5), (37.0, 2.0), (300.0, 0.001), (0.4, 9.0)])
def test_the_true_disparity_has_no_loss_whatever_the_teachers_scale_and_shift(scale: float, shift: float) -> None:
    depth = render_drive(DriveSpec(seed=3, frames=2, width=96, height=64)).depth
    true = 1 / torch.from_numpy(depth).float().unsqueeze(1)
    true = true.where(true.isfinite(), 0.0)  # without depth there is no disparity
    assert float(distillation_loss(true, scale * true + shift)) < 1e-4
    assert float(distillation_loss(scale * true + shift, true + 1)) < 1e-4


def test_each_image_has_a_scale_of_its_own() -> None:
    student, _ = random_maps(holes=False)
    factor = torch.tensor([0.1, 1.0, 50.0])[:, None, None, None]
    assert float(distillation_loss(student, factor * student + 0.3)) < 1e-5


def test_a_disparity_that_is_upside_down_is_worse_than_a_flat_one_and_that_worse_than_a_noisy_one() -> None:
    noise, teacher = random_maps(holes=False)
    noisy = teacher + 0.2 * noise
    upside_down, flat, with_noise = (
        float(distillation_loss(each, teacher)) for each in (1 - teacher, torch.full_like(teacher, 0.5), noisy)
    )
    assert upside_down > flat > with_noise > 0


def test_what_the_teacher_does_not_know_has_no_influence_and_no_gradient() -> None:
    student, teacher = random_maps(holes=True)
    unknown = teacher == 0
    other = student.where(~unknown, 0.77).requires_grad_()
    loss = distillation_loss(other, teacher)
    assert float(loss.detach()) == float(distillation_loss(student, teacher))
    loss.backward()
    assert other.grad is not None
    assert bool((other.grad[unknown] == 0).all())


def test_a_coarse_disparity_is_compared_at_the_size_of_the_teachers() -> None:
    coarse = torch.rand(2, 1, 4, 6, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, (16, 24), mode="bilinear", align_corners=False)
    assert float(distillation_loss(coarse, 3 * fine + 1)) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_untrained_network_whose_disparity_is_constant_has_a_finite_gradient(dtype: torch.dtype) -> None:
    _, teacher = random_maps(holes=True)
    flat = torch.full(teacher.shape, 0.5, dtype=dtype, requires_grad=True)
    loss = distillation_loss(flat, teacher)
    loss.backward()
    assert loss.dtype == torch.float32
    assert flat.grad is not None
    assert bool(loss.isfinite()) and bool(flat.grad.isfinite().all())
