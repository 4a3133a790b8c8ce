"""Laws of training through a lens: what the objective, its parts and the augmentation do with rays instead of K^-1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.lenses import LENSES, camera
from selfdepth.config import LossConfig
from selfdepth.data.clips.augment import Augmentation, apply
from selfdepth.data.clips.zoom import Zoom, apply_zoom
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.se3 import mirror, transform_from_axis_angle
from selfdepth.geometry.warp import project_with_depth, synthesize
from selfdepth.losses.alignment import align
from selfdepth.losses.consistency import consistency_loss
from selfdepth.losses.motion_first import motion_loss, unmasked_loss
from selfdepth.losses.objective import Objective, self_supervised_loss
from selfdepth.losses.reprojection import TensorReprojectionLevel
from selfdepth.losses.smoothness import smoothness
from selfdepth.structs import Batch

F64 = torch.float64
QUIET = LossConfig(tie_break_noise=0.0, near=0.5, far=50.0)
UNMASKED = replace(QUIET, automask=False)
each_lens = pytest.mark.parametrize("name", LENSES)
H, W = 48, 64
DISTANCE = 4.0


def K_of(cam: Camera) -> Tensor:
    return torch.from_numpy(cam.matrix())[None]


def lenses_of(cam: Camera) -> Lenses:
    return Lenses.of([cam], dtype=F64)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def motion(rotation: tuple[float, float, float], translation: tuple[float, float, float]) -> Tensor:
    return transform_from_axis_angle(torch.tensor([rotation], dtype=F64), torch.tensor([translation], dtype=F64))


MOTIONS = torch.stack([motion((0.01, -0.02, 0.01), (0.15, 0.05, -0.25)), motion((0, 0.02, 0), (-0.2, 0, 0.2))], 1)


def box(origin: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the walls of a room around the camera along each ray, and the colours there: smooth waves."""
    # |p + d r| = DISTANCE for the first wall that a ray meets.
    ahead = (DISTANCE - origin[:, :, None, None] * rays.sign()) / rays.abs().clamp(min=1e-9)
    distance = ahead.amin(1, keepdim=True)
    p = origin[:, :, None, None] + distance * rays
    waves = [torch.sin(3.7 * p[:, i] + i) + torch.sin(2.3 * p[:, (i + 1) % 3] - 2 * i) for i in range(3)]
    return distance, (torch.stack(waves, 1) / 4 + 0.5)


def scene(cam: Camera, T_source_target: Tensor = MOTIONS) -> tuple[Tensor, Tensor]:
    """The target and its sources as a camera in the room sees them, and the target's distances. Black without a ray."""
    lenses, images = lenses_of(cam), []
    distance, image = box(torch.zeros(1, 3, dtype=F64), lenses.rays)
    images.append(image)
    for s in range(T_source_target.shape[1]):
        T_target_source = torch.linalg.inv(T_source_target[:, s])
        turned = torch.einsum("bij,bjhw->bihw", T_target_source[:, :3, :3], lenses.rays)
        images.append(box(T_target_source[:, :3, 3], turned)[1])
    return torch.stack(images, 1) * lenses.seen[:, None], distance


def error(cam: Camera, depth: Tensor, T: Tensor = MOTIONS, cfg: LossConfig = UNMASKED, **options: Any) -> Objective:
    frames, _ = scene(cam)
    return self_supervised_loss((cfg.depth_range.sigmoid(depth),), T, frames, K_of(cam), cfg, lenses=lenses_of(cam))


@each_lens
def test_without_motion_the_image_is_returned(name: str) -> None:
    cam = camera(name)
    image, depth = random(1, 3, H, W), 0.1 + 90 * random(1, 1, H, W, seed=1)
    same = synthesize(image, depth, torch.eye(4, dtype=F64)[None], K_of(cam), lenses_of(cam))
    torch.testing.assert_close(same, image, rtol=0, atol=1e-6)


@each_lens
def test_the_projection_is_that_of_the_camera_point_by_point(name: str) -> None:
    cam = camera(name)
    lenses, depth = lenses_of(cam), 0.5 + 9 * random(1, 1, H, W, seed=1)
    pixels, distance = project_with_depth(depth, MOTIONS[:, 0], K_of(cam), lenses)
    rays, seen = cam.rays()
    points = (depth[0, 0].numpy()[..., None] * rays).reshape(-1, 3)
    R, t = MOTIONS[0, 0, :3, :3].numpy(), MOTIONS[0, 0, :3, 3].numpy()
    moved = points @ R.T + t
    expected, valid = cam.project(moved)
    compared = torch.from_numpy(valid & seen.ravel())
    assert torch.equal(distance.flatten() > 0, compared)
    torch.testing.assert_close(pixels[0].flatten(1)[:, compared], torch.from_numpy(expected).T[:, compared])
    torch.testing.assert_close(distance.flatten()[compared], torch.from_numpy(moved).norm(dim=1)[compared])
    own = torch.stack(torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")).flip(0).flatten(1)
    torch.testing.assert_close(pixels[0].flatten(1)[:, ~compared], own[:, ~compared].double())


@each_lens
def test_true_depth_and_motion_have_the_smallest_error(name: str) -> None:
    cam = camera(name)
    _, distance = scene(cam)
    true = float(error(cam, distance).per_scale[0])
    for factor in (0.8, 0.93, 1.07, 1.25):
        assert true < 0.9 * float(error(cam, factor * distance).per_scale[0])
    for other in (motion((0.015, 0, 0), (0, 0, 0)), motion((0, 0, 0), (0.08, 0, 0)), motion((0, 0, 0), (0, 0, 0.1))):
        assert true < 0.9 * float(error(cam, distance, other[:, None] @ MOTIONS).per_scale[0])
    z_taken_for_it = distance * lenses_of(cam).rays[:, 2:].clamp(min=0.05)
    assert true < 0.8 * float(error(cam, z_taken_for_it).per_scale[0])


@pytest.mark.parametrize("cfg", [QUIET, UNMASKED, replace(UNMASKED, reprojection="mean")], ids=["", "unmasked", "mean"])
def test_a_lens_without_distortion_has_the_loss_and_the_gradient_of_a_pinhole(cfg: LossConfig) -> None:
    pinhole = camera("pinhole")
    lenses = lenses_of(replace(pinhole, lens=Lens("brown")))
    T = MOTIONS.clone()
    T[..., :3, 3] *= 0.5
    frames, results = random(1, 3, 3, H, W), []
    z = 2 + 4 * random(1, 1, H, W, seed=3)
    for rays in (None, lenses):
        depth, moved = z.clone().requires_grad_(), T.clone().requires_grad_()
        along = depth if rays is None else depth / rays.rays[:, 2:]
        compared = TensorReprojectionLevel.of(frames, K_of(pinhole), cfg, rays)
        ((loss, keep),) = compared.compare((cfg.depth_range.sigmoid(along),), moved)
        loss.backward()
        results.append((loss.detach(), keep, depth.grad, moved.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


@each_lens
@pytest.mark.parametrize("cfg", [QUIET, replace(QUIET, multiscale="native")], ids=["full", "native"])
def test_a_mirrored_clip_has_the_same_loss(name: str, cfg: LossConfig) -> None:
    cam = camera(name)
    frames, distance = scene(cam)
    batch = Batch(frames=frames, inputs=frames, K=K_of(cam), offsets=(-1, 1), lenses=lenses_of(cam))
    flipped = apply(batch, drawn(flip=True))
    sigmoids = tuple(
        torch.nn.functional.avg_pool2d(cfg.depth_range.sigmoid(1.1 * distance), 2**scale) for scale in (0, 1)
    )
    losses = [
        self_supervised_loss(disparities, T, each.frames, each.K, cfg, lenses=each.lenses).loss
        for each, disparities, T in (
            (batch, sigmoids, MOTIONS),
            (flipped, tuple(each.flip(-1) for each in sigmoids), mirror(MOTIONS)),
        )
    ]
    torch.testing.assert_close(*losses, rtol=1e-6, atol=1e-9)


def drawn(*, flip: bool) -> Augmentation:
    ones = torch.ones(1, dtype=F64)
    return Augmentation(
        flip=torch.tensor([flip]),
        jitter=torch.tensor([False]),
        brightness=ones,
        contrast=ones,
        saturation=ones,
        hue=0 * ones,
        order=torch.arange(4)[None],
    )


@each_lens
def test_a_zoomed_clip_still_fits_its_true_distances(name: str) -> None:
    cam = camera(name)
    frames, distance = scene(cam)
    maps = torch.cat([frames, distance.expand(-1, 3, -1, -1)[:, None]], 1)  # the distances are zoomed as a view
    batch = Batch(frames=maps, inputs=maps, K=K_of(cam), offsets=(-1, 1), lenses=lenses_of(cam))
    zoom = Zoom(chosen=torch.tensor([True]), scale=torch.tensor([[1.5, 1.3]]), place=torch.tensor([[0.4, 0.6]]))
    zoomed = apply_zoom(batch, zoom)
    errors = [
        self_supervised_loss(
            (QUIET.depth_range.sigmoid(factor * zoomed.frames[:, 3, :1]),),
            MOTIONS,
            zoomed.frames[:, :3],
            zoomed.K,
            UNMASKED,
            lenses=zoomed.lenses,
        ).per_scale[0]
        for factor in (1.0, 0.9, 1.1)
    ]
    assert errors[0] < 0.95 * min(errors[1:])


WIDE = replace(camera("fisheye", fov=1.5), lens=Lens("kannala-brandt", (0.01, -0.002)))
"""Of more than 190 degrees from corner to corner."""


@pytest.mark.parametrize("cam", [*(camera(name) for name in LENSES), WIDE], ids=[*LENSES, "190 degrees"])
@pytest.mark.parametrize("loss", ["full", "native", "unmasked", "motion", "consistency", "mean"])
def test_gradients_are_finite_and_pixels_without_a_ray_have_none(cam: Camera, loss: str) -> None:
    lenses, frames = lenses_of(cam), random(1, 3, 3, H, W)
    sigmoid = (0.02 + 0.9 * random(1, 1, H, W, seed=2)).requires_grad_()
    # Through the walls and half a turn around: many points end up behind the source, and one within it.
    T = torch.stack([motion((0, 2.5, 0), (0, 0, -3.0)), motion((0, 0, 0.1), (0.4, 0, -1.2))], 1)
    T = T.clone().requires_grad_()
    cfg = replace(QUIET, multiscale="native") if loss == "native" else QUIET
    if loss == "motion":
        value = motion_loss(1.2, T, frames, K_of(cam), cfg, lenses).loss
    elif loss == "consistency":
        other = 1 + random(1, 2, 1, H, W, seed=5)
        value = consistency_loss(cfg.depth_range.depth(sigmoid), other, T, K_of(cam), lenses)
    else:
        cfg = replace(cfg, reprojection="mean") if loss == "mean" else cfg
        objective = unmasked_loss if loss == "unmasked" else self_supervised_loss
        value = objective((sigmoid,), T, frames, K_of(cam), cfg, None, lenses).loss
    value.backward()
    assert torch.isfinite(value.detach()) and T.grad is not None and torch.isfinite(T.grad).all()
    if loss != "motion":
        assert sigmoid.grad is not None and torch.isfinite(sigmoid.grad).all()
        assert not sigmoid.grad[~lenses.seen].any()


@each_lens
def test_what_pixels_without_a_ray_hold_changes_nothing(name: str) -> None:
    cam = camera(name, fov=1.6)
    lenses, (frames, distance) = lenses_of(cam), scene(cam)
    sigmoid = QUIET.depth_range.sigmoid(1.1 * distance)
    changed = torch.where(lenses.seen, sigmoid, 0.9 * random(1, 1, H, W))
    for cfg in (QUIET, UNMASKED):
        losses = [
            self_supervised_loss((each,), MOTIONS, frames, K_of(cam), cfg, lenses=lenses).loss
            for each in (sigmoid, changed)
        ]
        assert torch.equal(*losses)
    assert torch.equal(*(smoothness(each, frames[:, 0], lenses.seen) for each in (sigmoid, changed)))


def test_a_source_whose_lens_does_not_see_the_point_cannot_win() -> None:
    cam = camera("pinhole")
    lenses, frames = lenses_of(replace(cam, lens=Lens("brown"))), random(1, 3, 3, H, W)
    frames[:, 2] = frames[:, 0]  # the best explanation there is, were it seen
    behind = torch.stack([MOTIONS[:, 0], motion((0, 3.1, 0), (0, 0, 0))], 1)
    sigmoid = QUIET.depth_range.sigmoid(torch.full((1, 1, H, W), 5.0, dtype=F64)).requires_grad_()
    both, first = (
        TensorReprojectionLevel.of(frames[:, : 1 + n], K_of(cam), UNMASKED, lenses).compare((sigmoid,), behind[:, :n])[
            0
        ]
        for n in (2, 1)
    )
    torch.testing.assert_close(both.loss, first.loss)
    (none,) = TensorReprojectionLevel.of(frames[:, [0, 2]], K_of(cam), UNMASKED, lenses).compare(
        (sigmoid,), behind[:, 1:]
    )
    assert none.loss.item() == 0 and not none.automask.any()


@each_lens
def test_a_wrong_rotation_is_aligned_through_the_lens(name: str) -> None:
    cam = camera(name)
    frames, distance = scene(cam)
    wrong = motion((0.004, -0.006, 0.005), (0, 0, 0))
    start = MOTIONS.clone()
    start[..., :3, :3] = wrong[:, None, :3, :3] @ MOTIONS[..., :3, :3]
    aligned = align(start, distance, frames, K_of(cam), lenses_of(cam))
    before, after = ((T[..., :3, :3] - MOTIONS[..., :3, :3]).norm(dim=(-1, -2)) for T in (start, aligned))
    assert (after < 0.5 * before).all()
    assert torch.equal(aligned[..., :3, 3], start[..., :3, 3])


def test_a_pinhole_is_aligned_the_same_through_a_lens_without_distortion() -> None:
    cam = camera("pinhole")
    frames, distance = scene(cam)
    start = motion((0.004, -0.006, 0.005), (0, 0, 0))[:, None] @ MOTIONS
    lenses = lenses_of(replace(cam, lens=Lens("brown")))
    through = align(start, distance, frames, K_of(cam), lenses)
    torch.testing.assert_close(through, align(start, distance * lenses.rays[:, 2:], frames, K_of(cam)))


@each_lens
def test_true_distances_of_neighbours_are_consistent(name: str) -> None:
    cam = camera(name)
    lenses = lenses_of(cam)
    _, distance = scene(cam)
    of_sources = []
    for s in range(2):
        T_target_source = torch.linalg.inv(MOTIONS[:, s])
        turned = torch.einsum("bij,bjhw->bihw", T_target_source[:, :3, :3], lenses.rays)
        of_sources.append(box(T_target_source[:, :3, 3], turned)[0])
    sources = torch.stack(of_sources, 1)
    true = consistency_loss(distance, sources, MOTIONS, K_of(cam), lenses)
    assert true < 5e-3
    assert consistency_loss(1.2 * distance, sources, MOTIONS, K_of(cam), lenses) > 0.06
