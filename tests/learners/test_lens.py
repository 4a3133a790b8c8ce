"""The learned lens: it follows its images, and feels of the loss what neither depth nor motion can make up for."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.lenses import camera as lens_camera
from selfdepth.config import LossConfig
from selfdepth.errors import ConfigError
from selfdepth.geometry.camera import Camera, flip
from selfdepth.geometry.lens import PINHOLE, Lens
from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.se3 import mirror, transform_from_axis_angle
from selfdepth.geometry.warp import project
from selfdepth.learners.camera import LearnedCamera
from selfdepth.learners.lens import LearnedLens, edge_of, reach_of
from selfdepth.losses import objective
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.lenses import LENSES

CFG = LossConfig(near=0.5, far=500.0, smoothness=0.0, automask=False, tie_break_noise=0.0)
F64 = torch.float64
LEARNABLE = ("pinhole", "brown", "fisheye", "ucm")


def K_of(camera: Camera, b: int = 1) -> Tensor:
    return torch.from_numpy(camera.matrix()).repeat(b, 1, 1)


def learned(start: Camera, bend: tuple[float, ...] = (), log_focal: float = 0.0) -> tuple[LearnedCamera, LearnedLens]:
    of_camera, lens = LearnedCamera(1).double(), LearnedLens([start]).double()
    of_camera.log_focal.data[:] = log_focal
    lens.bend.data[0, : len(bend)] = torch.tensor(bend, dtype=F64)
    return of_camera, lens


def through(
    start: Camera, of_camera: LearnedCamera, lens: LearnedLens, b: int = 1, mirrored: bool = False
) -> tuple[Lenses, Tensor]:
    """Lenses and intrinsics of b clips, as the learner sees them."""
    lenses, K = Lenses.of([start] * b, dtype=F64), K_of(start, b)
    flags = torch.full((b,), mirrored)
    if mirrored:
        lenses, K = lenses.mirrored(), K_of(start.mirrored(), b)
    seen: tuple[Lenses, Tensor] = lens(lenses, of_camera(K, None, flags), of_camera.log_focal, None, flags)
    return seen


@pytest.mark.parametrize("name", LEARNABLE)
def test_it_begins_as_its_start(name: str) -> None:
    start = lens_camera(name)
    lenses, K = through(start, *learned(start))
    assert torch.equal(K, K_of(start))
    torch.testing.assert_close(lenses.values, Lenses.of([start], dtype=F64).values, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(lenses.rays, Lenses.of([start], dtype=F64).rays, rtol=0, atol=1e-5)
    expected = start.lens if name != "pinhole" else Lens("brown")
    assert LearnedLens([start]).lenses(torch.zeros(1)) == (expected,)


@pytest.mark.parametrize("name", LEARNABLE)
def test_its_rays_are_those_of_the_camera_that_it_stands_for(name: str) -> None:
    start = lens_camera(name)
    of_camera, lens = learned(start, (-0.05, 0.02) if name != "ucm" else (0.1,), log_focal=0.1)
    lenses, K = through(start, of_camera, lens)
    (found,) = lens.lenses(of_camera.log_focal)
    stands_for = replace(start, fx=K[0, 0, 0].item(), fy=K[0, 1, 1].item(), lens=found)
    rays, seen = stands_for.rays()
    both = seen & lenses.seen[0, 0].numpy()
    assert both.mean() > 0.7
    np.testing.assert_allclose(lenses.rays[0].permute(1, 2, 0).detach().numpy()[both], rays[both], atol=1e-6)


@pytest.mark.parametrize("name", LEARNABLE)
def test_a_mirrored_clip_has_the_mirrored_lens(name: str) -> None:
    start = lens_camera(name)
    parts = learned(start, (-0.05, 0.02) if name != "ucm" else (0.1,), log_focal=0.1)
    plain, K = through(start, *parts)
    flipped, K_flipped = through(start, *parts, mirrored=True)
    mirrored = plain.mirrored()
    torch.testing.assert_close(flipped.values, mirrored.values)
    torch.testing.assert_close(flipped.rays, mirrored.rays, rtol=0, atol=1e-9)
    torch.testing.assert_close(K_flipped, flip(torch.zeros(1, 1, 3, start.height, start.width), K)[1])


@pytest.mark.parametrize("name", ["pinhole", "brown", "fisheye"])
def test_the_first_number_is_the_share_by_which_the_edge_is_moved_at_any_focal_length(name: str) -> None:
    start = lens_camera(name)
    _, lens = learned(start)
    before = lens.edges(torch.zeros(1))[0]
    assert before == pytest.approx(edge_of(start.lens, reach_of(start)), abs=1e-6)
    if name != "brown":  # where p1 and p2 do not count
        lens.bend.data[0] = torch.tensor([-0.04, 0.015], dtype=F64)
        assert lens.edges(torch.zeros(1))[0] == pytest.approx(before - 0.037, abs=1e-6)
    bent = lens.edges(torch.zeros(1))[0]
    assert lens.edges(torch.tensor([0.3]))[0] == pytest.approx(bent, abs=1e-6)


def test_xi_leaves_the_pinhole_near_the_axis_as_it_is() -> None:
    start = lens_camera("ucm")
    lenses, K = through(start, *learned(start, (0.3,)))
    xi = lenses.values[0, 0]
    assert xi.item() == pytest.approx(start.lens.coefficients[0] * math.exp(0.3), rel=1e-6)
    assert (K[0, 0, 0] / (1 + xi)).item() == pytest.approx(start.fx / (1 + start.lens.coefficients[0]), rel=1e-6)


@pytest.mark.parametrize(
    ("lens", "sentence"),
    [
        (Lens("eucm", (0.6, 1.1)), "distortion of this lens cannot be learned.*brown, kannala-brandt, ucm.*got eucm"),
        (Lens("ucm", (0.0, 0.1)), "xi is learned by a factor.*expected a start with xi above 0"),
    ],
)
def test_a_lens_that_cannot_be_learned_is_refused(lens: Lens, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        LearnedLens([replace(lens_camera("pinhole"), lens=lens)])


@pytest.mark.parametrize("name", LEARNABLE)
def test_depth_and_motion_have_the_gradient_of_a_known_lens(name: str) -> None:
    start = lens_camera(name)
    lenses, K = through(start, *learned(start, (0.01,)))
    gradients = []
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(1, 2, start.height, start.width, dtype=F64, generator=generator)
    depth = 1 + torch.rand(1, 1, start.height, start.width, dtype=F64, generator=generator)
    for known in (True, False):
        twist = torch.tensor([[0.01, -0.02, 0.03]], dtype=F64, requires_grad=True)
        log_depth = depth.log().requires_grad_()
        T = transform_from_axis_angle(twist, 5 * twist)
        places = project(log_depth.exp(), T, K.detach() if known else K, lenses.detached() if known else lenses)
        gradients.append(torch.autograd.grad((places * weights).sum(), (twist, log_depth)))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_what_another_depth_makes_up_for_is_not_felt() -> None:
    """Straight on, distortion moves pixels along the epipolar lines alone."""
    start = lens_camera("pinhole")
    of_camera, lens = learned(start)
    T = transform_from_axis_angle(torch.zeros(1, 3, dtype=F64), torch.tensor([[0.0, 0.0, -2.0]], dtype=F64))
    sizes = []
    for turn in (0.0, 0.05):
        T = transform_from_axis_angle(torch.tensor([[0, turn, 0]], dtype=F64), torch.tensor([[0.0, 0, -2]]).double())
        lenses, K = through(start, of_camera, lens)
        places = project(torch.full((1, 1, start.height, start.width), 6.0, dtype=F64), T, K, lenses)
        gradient = torch.zeros(2, dtype=F64)
        for seed in range(4):  # of whatever loss
            weights = torch.randn(places.shape, dtype=F64, generator=torch.Generator().manual_seed(seed))
            (found,) = torch.autograd.grad((places * weights).sum(), lens.bend, retain_graph=True)
            gradient += found[0].abs()
        sizes.append(float(gradient.sum()))
    assert sizes[0] < 0.02 * sizes[1]


def test_translation_does_not_tell_the_focal_length_whatever_the_distortion() -> None:
    start = lens_camera("brown")
    of_camera, lens = learned(start, (0.02, -0.01), log_focal=0.1)
    lenses, K = through(start, of_camera, lens)
    generator = torch.Generator().manual_seed(0)
    depth = 2 + torch.rand(1, 1, start.height, start.width, dtype=F64, generator=generator)
    T = transform_from_axis_angle(torch.zeros(1, 3, dtype=F64), torch.tensor([[0.1, -0.05, 0.2]], dtype=F64))
    places = project(depth, T, K, lenses)
    weights = torch.randn(places.shape, dtype=F64, generator=generator)
    (gradient,) = torch.autograd.grad((places * weights).sum(), of_camera.log_focal)
    assert gradient.abs().max() < 1e-6 * places.numel()


@cache
def street() -> tuple[Tensor, Tensor, Tensor, Camera]:
    """Frames, disparities along the true rays, motions and the true camera of clips of a bend seen through a strong
    Brown lens, with nothing that moves by itself."""
    spec = DriveSpec(seed=1, frames=42, width=96, height=64, lens=LENSES["brown"], stops=False, moving_cars=False)
    drive = render_drive(replace(spec, brightness_change=0.0))
    targets, apart = range(21, 40, 12), 2
    views = [[i, i - apart, i + apart] for i in targets]
    frames = torch.from_numpy(drive.images[np.array(views)].transpose(0, 1, 4, 2, 3) / 255.0)
    z = torch.from_numpy(np.where(drive.depth > 0, drive.depth, 400.0)[np.array(targets)]).double().unsqueeze(1)
    distance = z / Lenses.of([drive.camera] * len(frames), dtype=F64).rays[:, 2:]
    T = np.array([[np.linalg.inv(drive.T_world_camera[j]) @ drive.T_world_camera[i] for j in js] for i, *js in views])
    disparity = (1 / distance - CFG.depth_range.inverse_far) / CFG.depth_range.disparity_span
    return frames, disparity, torch.from_numpy(T), drive.camera


def loss_through(start: Camera, of_camera: LearnedCamera, lens: LearnedLens, *, depth_is_known: bool) -> Tensor:
    frames, disparity, T, _ = street()
    lenses, K = through(start, of_camera, lens, len(frames))
    if depth_is_known:  # then all that the distortion moves counts
        assert lenses.learned is not None
        lenses = replace(lenses.learned.bent, learned=None)
    return self_supervised_loss((disparity,), T, frames, K, CFG, lenses=lenses).loss


@pytest.mark.slow
def test_with_true_depth_and_motion_descent_finds_the_distortion_from_none() -> None:
    true = street()[-1]
    start = replace(true, lens=PINHOLE)
    of_camera, lens = learned(start)
    optimizer = torch.optim.Adam([lens.bend], lr=0.03)
    losses = []
    for _ in range(20):
        loss = loss_through(start, of_camera, lens, depth_is_known=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        optimizer.param_groups[0]["lr"] *= 0.92
    assert losses[-1] < 0.8 * losses[0]
    edge, reach = lens.edges(of_camera.log_focal)[0], reach_of(start)
    assert edge_of(true.lens, reach) < -0.15
    assert edge == pytest.approx(edge_of(true.lens, reach), abs=0.04)


@pytest.mark.parametrize("fast", [True, False])
def test_the_gradient_by_the_distortion_is_the_difference_quotient(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(objective, "can_fuse", lambda frames, cfg: False)
    start, step = street()[-1], 1e-6
    of_camera, lens = learned(start, (0.04, -0.02))
    loss_through(start, of_camera, lens, depth_is_known=True).backward()
    assert lens.bend.grad is not None
    for i in range(2):
        losses = []
        for sign in (1, -1):
            bend = [0.04, -0.02]
            bend[i] += sign * step
            losses.append(loss_through(start, *learned(start, tuple(bend)), depth_is_known=True).item())
        assert float(lens.bend.grad[0, i]) == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=2e-2)


def test_a_mirrored_clip_says_the_same_of_the_lens() -> None:
    frames, disparity, T, true = street()
    gradients = []
    for mirrored in (False, True):
        of_camera, lens = learned(true, (0.03, 0.01), log_focal=0.05)
        lenses, K = through(true, of_camera, lens, len(frames), mirrored=mirrored)
        views = (frames.flip(-1), disparity.flip(-1), mirror(T)) if mirrored else (frames, disparity, T)
        self_supervised_loss((views[1],), views[2], views[0], K, CFG, lenses=lenses).loss.backward()
        assert lens.bend.grad is not None and of_camera.log_focal.grad is not None
        gradients.append(torch.cat([lens.bend.grad[0], of_camera.log_focal.grad]))
    assert gradients[0].abs().min() > 1e-5
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-7)
