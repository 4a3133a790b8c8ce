"""The speed loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from selfdepth.losses.speed import speed_loss
from selfdepth.structs import Driven


def motions(*clips: tuple[tuple[float, float, float], ...]) -> Tensor:
    T = torch.eye(4, dtype=torch.float64).repeat(len(clips), len(clips[0]), 1, 1)
    T[..., :3, 3] = torch.tensor(clips, dtype=torch.float64)
    return T


def driven(metres: list[list[float]], known: list[list[bool]] | None = None) -> Driven:
    values = torch.tensor(metres, dtype=torch.float64)
    return Driven(
        metres=values, known=torch.ones_like(values, dtype=torch.bool) if known is None else torch.tensor(known)
    )


def slow_loss(T: Tensor, given: Driven) -> float:
    clips, distances = [], []
    for b in range(len(T)):
        errors = []
        for s in range(T.shape[1]):
            if given.known[b, s]:
                distance = float(given.metres[b, s])
                errors.append(abs(float(T[b, s, :3, 3].norm()) - distance))
                distances.append(distance)
        if errors:
            clips.append(sum(errors) / len(errors))
    mean = max(sum(distances) / len(distances), 0.1) if distances else 1.0
    return sum(clips) / len(clips) / mean if clips else 0.0


def test_the_loss_is_its_slow_twin() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        T = torch.eye(4, dtype=torch.float64).repeat(4, 3, 1, 1)
        T[..., :3, 3] = torch.randn(4, 3, 3, generator=generator, dtype=torch.float64)
        metres = torch.rand(4, 3, generator=generator, dtype=torch.float64)
        given = Driven(metres=metres, known=torch.rand(4, 3, generator=generator) > 0.4)
        assert float(speed_loss(T, given)) == pytest.approx(slow_loss(T, given), abs=1e-9)


def test_the_loss_is_least_at_the_true_scale_and_there_zero() -> None:
    T, given = motions(((0, 0, -1.0), (0.3, 0, 0.4))), driven([[1.0, 0.5]])
    losses = {}
    for factor in (0.2, 0.9, 1.0, 1.1, 5.0):
        scaled = T.clone()
        scaled[..., :3, 3] *= factor
        losses[factor] = float(speed_loss(scaled, given))
    assert losses[1.0] == pytest.approx(0, abs=1e-9)
    assert min(losses, key=losses.__getitem__) == 1.0
    assert losses[1.1] == pytest.approx(0.1)  # the relative error of the scale


def test_it_is_the_same_for_frames_twice_as_far_apart() -> None:
    near, far = motions(((0, 0, 0.8),)), motions(((0, 0, 1.6),))
    assert float(speed_loss(near, driven([[1.0]]))) == pytest.approx(float(speed_loss(far, driven([[2.0]]))))


def test_what_is_not_known_counts_nothing() -> None:
    T = motions(((0, 0, 1.0), (0, 0, 77.0)), ((0, 0, 9.0), (0, 0, 9.0)))
    given = driven([[1.0, 0.0], [0.0, 0.0]], [[True, False], [False, False]])
    assert float(speed_loss(T, given)) == pytest.approx(0, abs=1e-9)
    nothing = driven([[0.0, 0.0], [0.0, 0.0]], [[False, False], [False, False]])
    T = T.requires_grad_()
    loss = speed_loss(T, nothing)
    loss.backward()
    assert float(loss.detach()) == 0
    assert T.grad is not None
    assert bool(T.grad.isfinite().all())


def test_a_parked_clip_asks_for_no_motion_and_does_not_explode() -> None:
    assert float(speed_loss(motions(((0, 0, 0.05),)), driven([[0.0]]))) == pytest.approx(0.5)


def test_an_untrained_motion_of_nothing_has_a_finite_gradient() -> None:
    T = motions(((0, 0, 0),)).requires_grad_()
    speed_loss(T, driven([[1.0]])).backward()
    assert T.grad is not None
    assert bool(T.grad.isfinite().all())
