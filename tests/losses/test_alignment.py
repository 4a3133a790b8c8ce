"""Direct alignment finds the motion between rendered images to a fraction of a pixel, from a guess a pixel off."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.street_geometry import T_between
from selfdepth.geometry.se3 import invert, rotation_from_axis_angle, transform_from_axis_angle
from selfdepth.losses import alignment
from selfdepth.losses.alignment import align, alignment_loss
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

W, H = 192, 64
TARGETS = (1, 4, 7)


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    # Without traffic: what moves by itself has a test of its own.
    return render_drive(DriveSpec(seed=3, frames=9, width=W, height=H, moving_cars=False, stops=False))


@pytest.fixture(scope="module")
def scene(drive: SyntheticDrive) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """T_source_target, depth, frames and K of some clips, exact; the unit is the metre."""
    images = torch.from_numpy(drive.images).permute(0, 3, 1, 2).float() / 255
    frames = torch.stack([images[[n, n - 1, n + 1]] for n in TARGETS])
    depth = torch.from_numpy(drive.depth[list(TARGETS)])[:, None]
    T = np.stack([[T_between(drive, n, n - 1), T_between(drive, n, n + 1)] for n in TARGETS])
    K = torch.from_numpy(drive.camera.matrix()).float().expand(len(TARGETS), 3, 3)
    return torch.from_numpy(T).float(), torch.where(depth > 0, depth, 1e4), frames, K


def guess(T: Tensor, degrees: float = 0.3) -> Tensor:
    """Motions that are off by so many degrees about the vertical axis."""
    angle = torch.tensor([0.0, math.radians(degrees), 0.0])
    off = T.clone()
    off[..., :3, :3] = rotation_from_axis_angle(angle) @ T[..., :3, :3]
    return off


def degrees_apart(T: Tensor, wanted: Tensor) -> Tensor:
    """Angle of the rotation between two motions."""
    difference = T[..., :3, :3] @ wanted[..., :3, :3].transpose(-1, -2)
    # Not by the trace: its cosine cannot tell small angles apart in float32.
    return torch.rad2deg((difference - difference.transpose(-1, -2)).norm(dim=(-2, -1)) / math.sqrt(8))


def test_a_guess_that_is_off_by_half_a_pixel_is_corrected(scene: tuple[Tensor, ...]) -> None:
    T, depth, frames, K = scene
    first = guess(T)
    assert degrees_apart(first, T).min() > 0.29
    aligned = align(first, depth, frames, K)
    assert degrees_apart(aligned, T).max() < 0.1


@pytest.mark.parametrize("longer", [0.8, 1.2])
def test_a_translation_of_the_wrong_length_does_no_harm_and_stays(scene: tuple[Tensor, ...], longer: float) -> None:
    T, depth, frames, K = scene
    first = guess(T)
    first[..., :3, 3] *= longer
    aligned = align(first, depth, frames, K)
    assert degrees_apart(aligned, T).max() < 0.15
    torch.testing.assert_close(aligned[..., 3], first[..., 3], rtol=0, atol=0)


def test_the_true_motion_stays(scene: tuple[Tensor, ...]) -> None:
    T, depth, frames, K = scene
    assert degrees_apart(align(T, depth, frames, K), T).max() < 0.05


@pytest.mark.parametrize("unit", [0.01, 1.0, 30.0])
def test_the_unit_of_length_makes_no_difference(scene: tuple[Tensor, ...], unit: float) -> None:
    T, depth, frames, K = scene
    first = guess(T)
    scaled = first.clone()
    scaled[..., :3, 3] *= unit
    aligned = align(scaled, unit * depth, frames, K)
    aligned[..., :3, 3] /= unit
    torch.testing.assert_close(aligned, align(first, depth, frames, K), rtol=1e-3, atol=1e-4)


def test_other_light_makes_no_difference(scene: tuple[Tensor, ...]) -> None:
    """A camera that exposes longer is no motion."""
    T, depth, frames, K = scene
    brighter = frames.clone()
    brighter[:, 1:] += 0.1
    aligned = align(guess(T), depth, brighter, K)
    torch.testing.assert_close(aligned, align(guess(T), depth, frames, K), rtol=1e-3, atol=1e-4)


def test_what_moves_by_itself_counts_little(scene: tuple[Tensor, ...]) -> None:
    T, depth, frames, K = scene
    crossed = frames.clone()
    # A tenth of the image goes its own way: three pixels to the right.
    crossed[:, 1:, :, 20:52, 40:80] = frames[:, 1:, :, 20:52, 37:77]
    assert degrees_apart(align(guess(T), depth, crossed, K), T).max() < 0.12


def test_no_motion_is_made_worse_and_pairs_do_not_see_each_other(scene: tuple[Tensor, ...]) -> None:
    T, depth, frames, K = scene
    far_off = guess(T, degrees=8.0)  # more than the steps can correct
    firsts = torch.cat([guess(T)[:1], far_off[1:]])
    aligned = align(firsts, depth, frames, K)
    for clip in range(len(T)):
        (own,) = align(firsts[clip : clip + 1], *(x[clip : clip + 1] for x in (depth, frames, K)))
        torch.testing.assert_close(aligned[clip], own, rtol=1e-3, atol=1e-4)
    for source in range(2):
        pair = frames[:, [0, 1 + source]]
        alone = align(firsts[:, source : source + 1], depth, pair, K)
        torch.testing.assert_close(aligned[:, source : source + 1], alone, rtol=1e-3, atol=1e-4)
    assert (mean_residual(aligned, scene) <= mean_residual(firsts, scene) + 1e-6).all()


def mean_residual(T: Tensor, scene: tuple[Tensor, ...]) -> Tensor:
    _, depth, frames, K = scene
    R = T[..., :3, :3].flatten(0, 1)
    return alignment._compare(pairs_of(T, depth, frames, K), R, torch.full((len(R), 1), 0.02)).error


def pairs_of(T: Tensor, depth: Tensor, frames: Tensor, K: Tensor) -> alignment._Pairs:
    contrast = alignment._contrast(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
    return alignment._Pairs(
        target=alignment._thinned(contrast[:, 0]).repeat_interleave(2, 0).flatten(1),
        source=alignment._with_gradient(contrast[:, 1:].flatten(0, 1)),
        points=alignment._thinned(alignment._points(depth, K)).repeat_interleave(2, 0).flatten(2),
        K=K.repeat_interleave(2, 0),
        translation=T[..., :3, 3:].flatten(0, 1),
    )


@pytest.mark.parametrize("frames", [torch.full((1, 2, 3, H, W), 0.5), torch.zeros(1, 2, 3, H, W)])
def test_images_without_texture_leave_the_guess_as_it_is(frames: Tensor) -> None:
    T = guess(torch.eye(4).expand(1, 1, 4, 4).clone())
    K = torch.tensor([[[111.0, 0, 95.5], [0, 111.0, 31.5], [0, 0, 1]]])
    torch.testing.assert_close(align(T, torch.ones(1, 1, H, W), frames, K), T)


def test_a_camera_that_stands_still_is_seen_not_to_turn(scene: tuple[Tensor, ...]) -> None:
    _, depth, frames, K = scene
    still = torch.eye(4).expand(len(K), 2, 4, 4).clone()
    aligned = align(guess(still), depth, frames[:, :1].expand(-1, 3, -1, -1, -1), K)
    assert degrees_apart(aligned, still).max() < 0.02


def test_what_the_source_does_not_see_changes_nothing() -> None:
    """A guess by which everything leaves the image, or lies behind the camera, is kept."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(1, 2, 3, H, W, generator=generator)
    K = torch.tensor([[[111.0, 0, 95.5], [0, 111.0, 31.5], [0, 0, 1]]])
    for angle, z in ((math.pi / 2, 0.0), (0.0, -5.0)):
        T = transform_from_axis_angle(torch.tensor([[[0.0, angle, 0.0]]]), torch.tensor([[[0.0, 0.0, z]]]))
        aligned = align(T, torch.ones(1, 1, H, W), frames, K)
        torch.testing.assert_close(aligned, T)


def test_the_derivatives_are_those_of_the_residuals(scene: tuple[Tensor, ...]) -> None:
    """Against differences, on images so smooth that sampling them is nearly linear."""
    T, depth, frames, K = (each.double() for each in scene)
    v, u = torch.meshgrid(torch.arange(H).double(), torch.arange(W).double(), indexing="ij")
    smooth = torch.sin(u / 15) * torch.cos(v / 11)
    pairs = pairs_of(T, depth, frames, K)
    pairs = pairs._replace(source=alignment._with_gradient(smooth.expand(len(pairs.target), 1, H, W)))
    R = T[..., :3, :3].flatten(0, 1)
    jacobian = alignment._compare(pairs, R).jacobian
    step = 1e-3
    for axis in range(3):
        w = torch.zeros(3).double()
        w[axis] = step
        ahead, behind = (alignment._compare(pairs, rotation_from_axis_angle(turn) @ R) for turn in (w, -w))
        seen = (ahead.weight > 0) & (behind.weight > 0)
        differences = (ahead.residual - behind.residual) / (2 * step)
        error = (differences - jacobian[:, axis])[seen].abs()
        assert error.mean() < 0.03 * jacobian[:, axis][seen].abs().mean(), axis


def test_the_loss_is_the_angle_that_the_network_s_motion_lacks() -> None:
    T = torch.eye(4).expand(2, 2, 4, 4).clone()
    assert alignment_loss(T, T) == 0
    torch.testing.assert_close(alignment_loss(T, guess(T, degrees=0.5)), torch.tensor(math.radians(0.5)))


def test_learning_from_the_loss_alone_leads_to_the_aligned_motion(scene: tuple[Tensor, ...]) -> None:
    T, depth, frames, K = scene
    axis_angle = torch.zeros(3, 2, 3, requires_grad=True)
    optimizer = torch.optim.Adam([axis_angle], lr=1e-4)
    first = guess(T)
    aligned = align(first, depth, frames, K)
    for _ in range(300):
        predicted = transform_from_axis_angle(axis_angle, torch.zeros(3, 2, 3)) @ first
        optimizer.zero_grad()
        alignment_loss(predicted, aligned).backward()
        optimizer.step()
    assert degrees_apart(predicted.detach(), aligned).max() < 0.03
    assert not aligned.requires_grad
    torch.testing.assert_close(invert(aligned) @ aligned, torch.eye(4).expand(3, 2, 4, 4), rtol=0, atol=1e-5)
