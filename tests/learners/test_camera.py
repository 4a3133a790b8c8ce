"""The learned camera: it follows its images, and feels of the loss exactly what no motion can make up for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.data.clips.augment import apply, draw_augmentation
from selfdepth.geometry.camera import downscale, flip
from selfdepth.geometry.se3 import mirror, transform_from_axis_angle
from selfdepth.geometry.warp import homography_and_epipole, project
from selfdepth.geometry.zoom import zoom
from selfdepth.learners.camera import LearnedCamera, held_in_image, same_in_image
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses import objective
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.structs import Batch, Driven
from selfdepth.synthetic.drive import DriveSpec, render_drive

CFG = LossConfig(near=0.5, far=500.0, smoothness=0.0, automask=False, tie_break_noise=0.0)
B, H, W = 2, 12, 16


def camera(log_focal: float = 0.0, cx: float = 0.0, cy: float = 0.0) -> LearnedCamera:
    learned = LearnedCamera(1).double()
    learned.log_focal.data[:] = log_focal
    learned.offset.data[:] = torch.tensor([[cx, cy]])
    return learned


def intrinsics() -> Tensor:
    return torch.tensor([[12.0, 0, 7.0], [0, 13.0, 5.0], [0, 0, 1]], dtype=torch.float64).repeat(B, 1, 1)


def motions() -> Tensor:
    torch.manual_seed(1)
    return transform_from_axis_angle(0.02 * torch.randn(B, 2, 3).double(), 0.3 * torch.randn(B, 2, 3).double())


def test_the_start_is_learned_by_one_factor_and_an_offset_in_focal_lengths() -> None:
    K = camera(np.log(1.25), 0.1, -0.05)(intrinsics())[0]
    expected = torch.tensor([[15.0, 0, 7 + 1.2], [0, 16.25, 5 - 0.65], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(K, expected)


def test_a_focal_length_that_is_held_moves_from_where_it_was_and_has_no_gradient() -> None:
    camera = LearnedCamera(2)
    with torch.no_grad():
        camera.log_focal += 0.2
    camera.hold(1, 0.1)
    K = torch.eye(3).repeat(2, 1, 1)
    learned = camera(K, torch.tensor([0, 1]))
    assert learned[:, 0, 0].log().tolist() == pytest.approx([0.2, 0.3])
    learned.sum().backward()  # type: ignore[no-untyped-call]
    assert camera.log_focal.grad is not None
    assert camera.log_focal.grad[0] != 0 and camera.log_focal.grad[1] == 0
    camera.hold(1, -0.1)
    assert camera(K[:1], torch.tensor([1]))[0, 1, 1].log().item() == pytest.approx(0.2)


def test_each_size_of_frames_has_a_camera_of_its_own() -> None:
    learned = LearnedCamera(2).double()
    learned.log_focal.data[1] = np.log(2)
    K = learned(intrinsics(), torch.tensor([1, 0]))
    assert K[:, 0, 0].tolist() == pytest.approx([24.0, 12.0])


def test_the_learned_camera_follows_what_is_done_to_its_images() -> None:
    learned = camera(0.2, 0.1, -0.05)
    images, K = torch.zeros(B, 1, 3, H, W).double(), intrinsics()
    scale, place = torch.tensor([[1.5, 1.2], [1.0, 1.3]]).double(), torch.tensor([[0.2, 0.9], [0.0, 0.4]]).double()
    torch.testing.assert_close(learned(zoom(images, K, scale, place)[1]), zoom(images, learned(K), scale, place)[1])
    torch.testing.assert_close(
        learned(downscale(images, K, 1, "center")[1]), downscale(images, learned(K), 1, "center")[1]
    )
    mirrored = torch.tensor([True, True])
    torch.testing.assert_close(learned(flip(images, K)[1], None, mirrored), flip(images, learned(K))[1])


def test_flipped_clips_are_marked() -> None:
    frames, K = torch.rand(6, 1, 3, 4, 4), torch.eye(3).repeat(6, 1, 1)
    drawn = draw_augmentation(6, torch.Generator().manual_seed(0))
    batch = apply(Batch(frames=frames, inputs=frames, K=K, offsets=()), drawn)
    assert batch.mirrored is not None and 0 < drawn.flip.sum() < 6
    assert torch.equal(batch.mirrored, drawn.flip)
    twice = apply(batch, replace(drawn, flip=torch.ones(6, dtype=torch.bool)))
    assert twice.mirrored is not None and torch.equal(twice.mirrored, ~drawn.flip)


def test_translation_looks_the_same_through_every_camera() -> None:
    T = motions()
    T[..., :3, :3] = torch.eye(3)
    K, other = intrinsics(), camera(0.3, 0.1, 0.2)(intrinsics())
    depth = 1 + torch.rand(B, 1, H, W).double()
    for s in range(2):
        seen = project(depth, T[:, s], K)
        torch.testing.assert_close(project(depth, same_in_image(T, K, other)[:, s], other), seen)


def test_a_turn_leaves_what_gordons_criterion_says() -> None:
    focal, width, turn, error = 400.0, 640, 0.01, 0.05
    K = torch.tensor([[[focal, 0, 319.5], [0, focal, 95.5], [0, 0, 1]]], dtype=torch.float64)
    other = camera(np.log1p(error))(K)
    T = transform_from_axis_angle(torch.tensor([[[0, turn, 0]]]).double(), torch.zeros(1, 1, 3).double())
    depth = torch.ones(1, 1, 192, width).double()
    left = project(depth, same_in_image(T, K, other)[:, 0], other) - project(depth, T[:, 0], K)
    at_border = left[0, 0, 96, [0, -1]].abs()
    assert at_border.tolist() == pytest.approx([turn * width**2 * error / (2 * focal)] * 2, rel=0.1)
    assert left[0, 0, 96, 320].abs() < 0.02 * at_border[0]


def test_held_motions_are_the_same_motions_with_the_same_gradient() -> None:
    T, K = motions().requires_grad_(), camera()(intrinsics())
    torch.testing.assert_close(held_in_image(T, K), T)
    weights = torch.randn_like(T)
    weights[..., 3, :] = 0
    (held_in_image(T, K) * weights).sum().backward()
    torch.testing.assert_close(T.grad, weights, atol=1e-7, rtol=1e-4)


def test_the_epipole_does_not_feel_the_camera() -> None:
    learned = camera()
    K = learned(intrinsics())
    homography_and_epipole(held_in_image(motions(), K), K.unsqueeze(1))[1].square().sum().backward()
    for parameter in learned.parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() < 1e-9


@cache
def street() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Frames, disparities, motions and K of clips of a bend, with nothing that moves by itself."""
    drive = render_drive(
        DriveSpec(seed=1, frames=42, width=128, height=64, stops=False, moving_cars=False, brightness_change=0.0)
    )
    targets, apart = range(21, 40, 6), 2
    views = [[i, i - apart, i + apart] for i in targets]
    frames = torch.from_numpy(drive.images[np.array(views)].transpose(0, 1, 4, 2, 3) / 255.0)
    depth = torch.from_numpy(np.where(drive.depth > 0, drive.depth, 400.0)[np.array(targets)]).double().unsqueeze(1)
    T = np.array([[np.linalg.inv(drive.T_world_camera[j]) @ drive.T_world_camera[i] for j in js] for i, *js in views])
    assert np.abs(T[:, 0, 0, 2]).mean() > 0.02  # a bend
    disparity = (1 / depth - CFG.depth_range.inverse_far) / CFG.depth_range.disparity_span
    K = torch.from_numpy(drive.camera.matrix()).repeat(len(frames), 1, 1)
    return frames, disparity, torch.from_numpy(T), K


def loss_of(learned: LearnedCamera, T: Tensor | None = None) -> Tensor:
    frames, disparity, true_T, start = street()
    K = learned(start)
    # The motions that explain the bend best through this camera, with their gradient.
    T = same_in_image(true_T, start, K.detach()) if T is None else T
    return self_supervised_loss((disparity,), held_in_image(T, K), frames, K, CFG).loss


@pytest.mark.parametrize("fast", [True, False])
def test_the_gradient_by_the_camera_is_the_difference_quotient(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(objective, "can_fuse", lambda frames, cfg: False)
    frames, disparity, T, start = street()
    learned, step = camera(0.2, 0.02, -0.01), 1e-6
    at = learned(start).detach()

    def loss(moved: LearnedCamera) -> Tensor:
        # As the objective sees it: motions that were those of the unmoved camera, and are held in the image.
        K = moved(start)
        return self_supervised_loss((disparity,), same_in_image(T, at, K), frames, K, CFG).loss

    loss(learned).backward()
    for name, parameter in learned.named_parameters():
        gradient = parameter.grad
        assert gradient is not None
        for index in np.ndindex(*parameter.shape):
            values = []
            for sign in (1, -1):
                moved = camera(0.2, 0.02, -0.01)
                moved.get_parameter(name).data[index] += sign * step
                values.append(loss(moved).item())
            quotient = (values[0] - values[1]) / (2 * step)
            assert gradient[index].item() == pytest.approx(quotient, rel=2e-2, abs=2e-5), (name, index)


def test_with_true_depth_and_turns_the_loss_is_smallest_at_the_true_focal_length_and_falls_towards_it() -> None:
    steps = (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2)
    losses, slopes = [], []
    for step in steps:
        learned = camera(step)
        loss = loss_of(learned)
        loss.backward()
        losses.append(loss.item())
        assert learned.log_focal.grad is not None
        slopes.append(float(learned.log_focal.grad))
    assert int(np.argmin(losses)) == steps.index(0.0)
    assert all(slope < 0 for slope in slopes[:3]) and all(slope > 0 for slope in slopes[4:])


def test_a_mirrored_clip_says_the_same_of_the_camera() -> None:
    frames, disparity, T, start = street()
    plain, mirrored = camera(0.1, 0.03, -0.02), camera(0.1, 0.03, -0.02)
    K = plain(start)
    self_supervised_loss((disparity,), held_in_image(T, K), frames, K, CFG).loss.backward()
    flipped, K_flipped = flip(frames, start)
    K = mirrored(K_flipped, None, torch.ones(len(frames), dtype=torch.bool))
    self_supervised_loss((disparity.flip(-1),), held_in_image(mirror(T), K), flipped, K, CFG).loss.backward()
    for one, other in zip(plain.parameters(), mirrored.parameters(), strict=True):
        assert one.grad is not None and one.grad.abs().min() > 1e-6
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-7)


def test_only_the_images_tell_of_the_camera() -> None:
    encoder = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
    config = TrainConfig(width=64, height=64, encoder=encoder, speed="speed.csv")
    frames = torch.rand(2, 3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    K = torch.tensor([[40.0, 0, 31.5], [0, 40.0, 31.5], [0, 0, 1]]).repeat(2, 1, 1)
    gradients = []
    for driven in (None, Driven(metres=torch.ones(2, 2), known=torch.ones(2, 2, dtype=torch.bool))):
        torch.manual_seed(0)
        learner = SelfSupervisedDepth(config)
        learner.camera = LearnedCamera(1)
        output = learner(Batch(frames=frames, inputs=frames, K=K, offsets=(-1, 1), driven=driven))
        assert ("loss/speed" in output.terms) == (driven is not None)
        output.loss.backward()
        gradients.append(learner.camera.log_focal.grad)
    assert gradients[0] is not None and gradients[0].abs().max() > 0
    assert torch.equal(gradients[0], gradients[1])
