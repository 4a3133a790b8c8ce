"""The objective prefers the truth, ignores what does not move, and agrees with its slow twin and the reference."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy import ndarray
from torch import Tensor

from helpers.golden_loss import CASES, Case, relative
from helpers.twin import twin_loss
from selfdepth.config import LossConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.losses import reprojection
from selfdepth.losses.fused import binding as fused
from selfdepth.losses.objective import Objective, self_supervised_loss

pytestmark = pytest.mark.usefixtures("way")

H, W = 32, 64
TRUE_DEPTH = 4.0
QUIET = LossConfig(tie_break_noise=0.0)
K = torch.tensor([[[40.0, 0.0, 31.5], [0.0, 40.0, 15.5], [0.0, 0.0, 1.0]]], dtype=torch.float64)


def disparity_of(depth: float, cfg: LossConfig = QUIET) -> float:
    return cfg.depth_range.sigmoid(depth)


def disparities_of(depth: float) -> tuple[Tensor, ...]:
    return tuple(torch.full((1, 1, H >> s, W >> s), disparity_of(depth), dtype=torch.float64) for s in range(4))


def wall(T_camera_target: Tensor, phase: float = 0.0) -> Tensor:
    """A textured wall at TRUE_DEPTH in front of the target, seen from a camera, by intersecting its rays."""
    v, u = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)]).double().reshape(3, -1)
    T_target_camera = invert(T_camera_target)
    origin, rays = T_target_camera[:3, 3], T_target_camera[:3, :3] @ torch.linalg.inv(K[0]) @ pixels
    points = origin[:, None] + rays * (TRUE_DEPTH - origin[2]) / rays[2]
    x, y = points[0].reshape(H, W), points[1].reshape(H, W)
    waves = [torch.sin(a * x + b * y + c + phase) for a, b, c in ((2.1, 0.7, 0.0), (-1.3, 2.4, 1.0), (3.0, -1.9, 2.0))]
    return 0.5 + 0.4 * torch.stack(waves)


def motions(*translations: tuple[float, float, float]) -> Tensor:
    axis_angles = torch.tensor([[0.004, -0.01, 0.006], [-0.003, 0.008, -0.005]], dtype=torch.float64)
    return transform_from_axis_angle(axis_angles[: len(translations)], torch.tensor(translations).double())[None]


MOTIONS = motions((0.15, 0.02, 0.3), (-0.15, -0.03, -0.3))


def drive(T_source_target: Tensor = MOTIONS) -> Tensor:
    views = [wall(torch.eye(4, dtype=torch.float64)), *(wall(T) for T in T_source_target[0])]
    return torch.stack(views)[None]


def random_inputs(seed: int, n_sources: int = 2) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, dtype=torch.float64, generator=generator)

    cameras = K.repeat(2, 1, 1)
    cameras[1, :2] *= 1.2
    return (
        [0.05 + 0.5 * draw(2, 1, H >> s, W >> s) for s in range(4)],
        [0.1 * (draw(2, n_sources, 3) - 0.5), 0.1 * (draw(2, n_sources, 3) - 0.5)],
        draw(2, 1 + n_sources, 3, H, W),
        cameras,
        [0.1 + 0.8 * draw(2, n_sources, H >> s, W >> s) for s in range(4)],
    )


SWITCHES: dict[str, LossConfig] = {
    f"{'ssim' if ssim else 'l1'}-{mask}-{reprojection}-{multiscale}-{convention}": LossConfig(
        ssim=ssim,
        automask=mask == "automask",
        predictive_mask=mask == "predictive",
        reprojection=reprojection,  # type: ignore[arg-type]
        multiscale=multiscale,  # type: ignore[arg-type]
        pixel_convention=convention,  # type: ignore[arg-type]
        tie_break_noise=0.0,
        smoothness=0.05,
    )
    for ssim, mask, reprojection, (multiscale, convention) in itertools.product(
        (True, False),
        ("automask", "nomask", "predictive"),
        ("min", "mean"),
        (("full", "center"), ("native", "center"), ("native", "corner")),
    )
}


@pytest.mark.parametrize("name", SWITCHES)
def test_the_fast_objective_is_the_slow_twin_in_value_mask_and_gradient(name: str) -> None:
    cfg = SWITCHES[name]
    results = []
    for way in (self_supervised_loss, twin_loss):
        disparities, (axis_angle, translation), frames, cameras, masks = random_inputs(seed=3)
        leaves = [*disparities, axis_angle, translation, *(masks if cfg.predictive_mask else [])]
        for leaf in leaves:
            leaf.requires_grad_()
        given = tuple(masks) if cfg.predictive_mask else None
        T = transform_from_axis_angle(axis_angle, translation)
        result = way(tuple(disparities), T, frames, cameras, cfg, given)  # type: ignore[operator]
        loss, keep = (result.loss, result.keep) if isinstance(result, Objective) else result
        loss.backward()
        results.append((loss.detach(), keep, [leaf.grad for leaf in leaves]))
    (fast, fast_keep, fast_gradients), (slow, slow_keep, slow_gradients) = results
    torch.testing.assert_close(fast, slow, rtol=1e-11, atol=0)
    for mine, other in zip(fast_keep, slow_keep, strict=True):
        assert torch.equal(mine, other)
    for mine, other in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("n_sources", [1, 3])
def test_any_number_of_sources_agrees_with_the_twin(n_sources: int) -> None:
    disparities, pose, frames, cameras, _ = random_inputs(seed=5, n_sources=n_sources)
    T = transform_from_axis_angle(*pose)
    fast = self_supervised_loss(tuple(disparities), T, frames, cameras, QUIET)
    slow, _ = twin_loss(tuple(disparities), T, frames, cameras, QUIET)
    torch.testing.assert_close(fast.loss, slow, rtol=1e-11, atol=0)


@pytest.mark.parametrize(
    "cfg",
    [
        QUIET,
        replace(QUIET, automask=False),
        replace(QUIET, automask=False, reprojection="mean"),
        replace(QUIET, multiscale="native"),
        replace(QUIET, ssim=False),
    ],
    ids=["default", "no automask", "mean", "native", "L1"],
)
def test_the_loss_is_smallest_at_the_true_depth(cfg: LossConfig) -> None:
    frames = drive()
    depths = [2.0, 3.0, 3.6, TRUE_DEPTH, 4.4, 5.5, 9.0, 40.0]
    losses = [float(self_supervised_loss(disparities_of(z), MOTIONS, frames, K, cfg).loss) for z in depths]
    assert depths[losses.index(min(losses))] == TRUE_DEPTH
    assert losses[:4] == sorted(losses[:4], reverse=True)


def test_the_loss_is_smallest_at_the_true_motion() -> None:
    frames = drive()
    true = float(self_supervised_loss(disparities_of(TRUE_DEPTH), MOTIONS, frames, K, QUIET).loss)
    for wrong in (invert(MOTIONS), MOTIONS.flip(1), motions((0.15, 0.02, 0.1), (-0.15, -0.03, -0.1))):
        assert float(self_supervised_loss(disparities_of(TRUE_DEPTH), wrong, frames, K, QUIET).loss) > 2 * true


def test_gradient_descent_on_the_disparity_alone_goes_towards_the_true_depth() -> None:
    for start, sign in ((3.6, 1.0), (4.4, -1.0)):
        disparities = tuple(d.requires_grad_() for d in disparities_of(start))
        self_supervised_loss(disparities, MOTIONS, drive(), K, QUIET).loss.backward()
        for disparity in disparities:
            assert disparity.grad is not None
            assert sign * float(disparity.grad.sum()) > 0, "too near must give less disparity, too far more"


@pytest.mark.parametrize("reprojection", ["min", "mean"])
def test_a_clip_that_stands_still_is_masked_out_and_teaches_nothing(reprojection: str) -> None:
    cfg = replace(QUIET, reprojection=reprojection, smoothness=0.0)  # type: ignore[arg-type]
    frames = drive()[:, :1].expand(1, 3, 3, H, W)
    disparities = tuple(d.requires_grad_() for d in disparities_of(7.0))
    result = self_supervised_loss(disparities, MOTIONS, frames, K, cfg)
    for keep in result.keep:
        assert float(keep.sum()) == 0
    result.loss.backward()
    assert float(result.loss.detach()) == pytest.approx(0, abs=1e-12)
    for disparity in disparities:
        assert disparity.grad is None or float(disparity.grad.abs().max()) == 0


def test_a_moving_clip_at_the_truth_is_learned_from_nearly_everywhere() -> None:
    result = self_supervised_loss(disparities_of(TRUE_DEPTH), MOTIONS, drive(), K, QUIET)
    assert float(result.keep[0].mean()) > 0.9
    torch.testing.assert_close(result.depth, torch.full((1, 1, H, W), TRUE_DEPTH).double())


def test_without_automask_every_pixel_is_kept() -> None:
    result = self_supervised_loss(disparities_of(9.0), MOTIONS, drive(), K, replace(QUIET, automask=False))
    assert all(float(keep.min()) == 1 for keep in result.keep)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the expensive functions, one per call."""
    names: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            names.append(name)
            return function(*args)

        return call

    monkeypatch.setattr(reprojection, "photometric_error", counted("error", reprojection.photometric_error))
    monkeypatch.setattr(reprojection.Target, "of", staticmethod(counted("statistics", reprojection.Target.of)))

    library_call = fused._call

    def called(name: str, *args: Any) -> None:
        names.append(name)
        library_call(name, *args)

    monkeypatch.setattr(fused, "_call", called)
    return names


@pytest.mark.parametrize(
    ("changes", "tensors", "passes"),
    [
        ({}, {"error": 1 + 4, "statistics": 1}, {"prepare": 1, "reprojection": 1}),
        ({"automask": False}, {"error": 4, "statistics": 1}, {"prepare": 1, "reprojection": 1}),
        ({"multiscale": "native"}, {"error": 4 + 4, "statistics": 4}, {"prepare": 4, "reprojection": 4}),
    ],
    ids=["full", "full, no automask", "native"],
)
def test_the_static_error_and_the_targets_statistics_are_computed_once_per_level(
    way: str, calls: list[str], changes: dict[str, Any], tensors: dict[str, int], passes: dict[str, int]
) -> None:
    self_supervised_loss(disparities_of(5.0), MOTIONS, drive(), K, replace(QUIET, **changes))
    assert {name: calls.count(name) for name in calls} == (tensors if way == "tensors" else passes)


@pytest.mark.parametrize("reprojection", ["min", "mean"])
def test_the_tie_break_noise_follows_the_seed_and_zero_turns_it_off(reprojection: str) -> None:
    def loss(seed: int, noise: float) -> float:
        cfg = replace(QUIET, tie_break_noise=noise, reprojection=reprojection)  # type: ignore[arg-type]
        torch.manual_seed(seed)
        return float(self_supervised_loss(disparities_of(9.0), MOTIONS, drive(), K, cfg).loss)

    assert loss(1, 1e-3) == loss(1, 1e-3)
    assert loss(1, 1e-3) != loss(2, 1e-3)
    assert loss(1, 0.0) == loss(2, 0.0)
    assert loss(1, 1e-5) == pytest.approx(loss(1, 0.0), abs=1e-4)


def test_the_minimum_takes_the_source_that_sees_what_the_other_does_not() -> None:
    frames = drive()
    occluded = frames.clone()
    occluded[:, 1, :, 8:24, 20:44] = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0)).double()
    cfg = replace(QUIET, automask=False, smoothness=0.0)

    def loss(views: Tensor, reprojection: str) -> float:
        changed = replace(cfg, reprojection=reprojection)  # type: ignore[arg-type]
        return float(self_supervised_loss(disparities_of(TRUE_DEPTH), MOTIONS, views, K, changed).loss)

    assert loss(occluded, "min") < 1.5 * loss(frames, "min") + 1e-3
    assert loss(occluded, "mean") > loss(frames, "mean") + 0.03


def test_a_mask_of_zero_is_not_the_cheapest_explanation() -> None:
    cfg = replace(QUIET, automask=False, predictive_mask=True)

    def loss(value: float) -> float:
        masks = tuple(torch.full((1, 2, H >> s, W >> s), value, dtype=torch.float64) for s in range(4))
        return float(self_supervised_loss(disparities_of(9.0), MOTIONS, drive(), K, cfg, masks).loss)

    assert loss(0.999) < loss(0.01)
    assert loss(0.0) < 100, "the logarithm has a floor"


def test_the_scale_of_a_disparity_is_read_from_its_size() -> None:
    whole = self_supervised_loss(disparities_of(5.0), MOTIONS, drive(), K, QUIET)
    coarse = self_supervised_loss(disparities_of(5.0)[2:], MOTIONS, drive(), K, QUIET)
    torch.testing.assert_close(torch.stack(coarse.per_scale), torch.stack(whole.per_scale[2:]))
    torch.testing.assert_close(whole.loss, torch.stack(whole.per_scale).mean())


@pytest.mark.parametrize("name", CASES)
def test_loss_masks_and_gradients_match_the_reference_to_1e_9(golden: Path, name: str) -> None:
    case = Case(golden, name)
    objective = case.evaluate()
    compared = 0
    for key in case.wanted:
        if key == "loss":
            got: Tensor | ndarray = objective.loss
        elif key.startswith("loss/"):
            got = objective.per_scale[int(key[5:])]
        elif key.startswith("automask/"):
            got = objective.keep[int(key[9:])]
        elif key.startswith("grad/"):
            gradient = case.leaves[key[5:]].grad
            assert gradient is not None, f"{key} got no gradient"
            got = gradient
        else:
            continue
        assert relative(got, case.wanted[key]) < 1e-9, key
        compared += 1
    assert compared >= 5 + 4, "the reference holds loss, four scales and four gradients at least"
