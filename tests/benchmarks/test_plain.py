"""The yardstick computes what selfdepth computes: else a comparison of their speeds means nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from plain import PlainModel, PlainObjective, four_scales, homogeneous, rigid_transform
from plain_loader import PlainClips, plain_loader
from plain_networks import PlainDepthNet, PlainPoseNet
from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.structs import Batch

HEIGHT, WIDTH = 64, 96
K = torch.tensor([[[60.0, 0, 47.5], [0, 60.0, 31.5], [0, 0, 1]]]).expand(2, 3, 3)


def smooth_frames() -> Tensor:
    noise = torch.rand(6, 3, HEIGHT // 8, WIDTH // 8)
    return F.interpolate(noise, (HEIGHT, WIDTH), mode="bilinear").reshape(2, 3, 3, HEIGHT, WIDTH)


def copy_by_order(source: nn.Module, target: nn.Module) -> None:
    """Give a module another one's parameters and buffers, which it has in the same order under other names."""
    values = [value for name, value in source.state_dict().items()]
    names = list(target.state_dict())
    target.load_state_dict(dict(zip(names, values, strict=True)))


def copy_networks(source: nn.Module, target: nn.Module, parts: tuple[str, ...]) -> None:
    copy_by_order(source.encoder, target.encoder)  # type: ignore[arg-type]
    for part in parts:
        copy_by_order(getattr(source.decoder, part), getattr(target, part))


@pytest.fixture(scope="module")
def learner() -> SelfSupervisedDepth:
    torch.manual_seed(0)
    return SelfSupervisedDepth(
        TrainConfig(encoder=EncoderConfig(pretrained=False), loss=LossConfig(tie_break_noise=0.0))
    )


@pytest.fixture(scope="module")
def plain(learner: SelfSupervisedDepth) -> PlainModel:
    model = PlainModel(HEIGHT, WIDTH, noise=0.0)
    copy_networks(learner.depth_net, model.depth_net, ("reduce", "fuse", "outputs"))
    copy_networks(learner.pose_net, model.pose_net, ("squeeze", "hidden", "output"))
    return model


def test_the_plain_objective_gives_the_loss_and_gradient_of_selfdepth() -> None:
    torch.manual_seed(1)
    frames = smooth_frames().double()
    disparities = tuple(
        (0.02 + 0.1 * torch.rand(2, 1, HEIGHT >> s, WIDTH >> s, dtype=torch.float64)).requires_grad_() for s in range(4)
    )
    motions = [0.02 * torch.randn(2, 3, dtype=torch.float64) for _ in range(4)]
    T = torch.stack(
        [invert(transform_from_axis_angle(*motions[:2])), transform_from_axis_angle(*motions[2:])], 1
    ).requires_grad_()
    objective = PlainObjective(HEIGHT, WIDTH, noise=0.0).double()
    slow = objective(disparities, T, four_scales(frames), homogeneous(K.double()).double())
    fast = self_supervised_loss(disparities, T, frames, K.double(), LossConfig(tie_break_noise=0.0)).loss
    torch.testing.assert_close(slow, fast, rtol=1e-9, atol=0)
    leaves = [*disparities, T]
    for a, b in zip(torch.autograd.grad(slow, leaves), torch.autograd.grad(fast, leaves), strict=True):
        assert float((a - b).norm() / b.norm()) < 1e-6


def test_its_noise_changes_static_errors_only_a_little() -> None:
    torch.manual_seed(2)
    frames = four_scales(smooth_frames().double())  # in fp32 the mean over all pixels can round the noise away
    disparities = tuple(torch.full((2, 1, HEIGHT >> s, WIDTH >> s), 0.1, dtype=torch.float64) for s in range(4))
    forward = torch.tensor([[0.0, 0, 0.1]] * 2)
    T = rigid_transform(torch.zeros(2, 3), forward, invert=False).double()[:, None].expand(-1, 2, 4, 4)
    quiet, noisy = (
        PlainObjective(HEIGHT, WIDTH, noise=noise).double()(disparities, T, frames, homogeneous(K.double()).double())
        for noise in (0.0, 1e-5)
    )
    assert 0 < abs(float(quiet - noisy)) < 1e-5


@pytest.mark.parametrize("invert_it", [False, True])
def test_its_rigid_motions_are_those_of_selfdepth(invert_it: bool) -> None:
    axis_angle, translation = torch.randn(5, 3), torch.randn(5, 3)
    T = transform_from_axis_angle(axis_angle, translation)
    torch.testing.assert_close(
        rigid_transform(axis_angle, translation, invert=invert_it), invert(T) if invert_it else T, rtol=1e-4, atol=1e-5
    )


def test_its_networks_have_the_weights_and_the_outputs_of_selfdepth(
    learner: SelfSupervisedDepth, plain: PlainModel
) -> None:
    images = smooth_frames()
    plain.eval(), learner.eval()
    with torch.no_grad():
        for slow, fast in zip(plain.depth_net(images[:, 0]), learner.depth_net(images[:, 0]), strict=True):
            torch.testing.assert_close(slow, fast, rtol=1e-4, atol=1e-5)
        axis_angle, translation = learner.pose_net(images[:, :2])
        slow_motion = plain.pose_net(images[:, :2].flatten(1, 2))
    torch.testing.assert_close(slow_motion, (axis_angle[:, 0], translation[:, 0]), rtol=1e-4, atol=1e-6)
    assert isinstance(plain.depth_net, PlainDepthNet) and isinstance(plain.pose_net, PlainPoseNet)


def test_a_whole_step_of_both_gives_the_same_loss(learner: SelfSupervisedDepth, plain: PlainModel) -> None:
    torch.manual_seed(3)
    frames = smooth_frames()
    plain.train(), learner.train()
    fast = learner(Batch(frames=frames, inputs=frames, K=K.contiguous(), offsets=(-1, 1))).loss
    slow = plain(frames, four_scales(frames), homogeneous(K))
    torch.testing.assert_close(slow, fast, rtol=1e-4, atol=0)


def test_its_loader_delivers_clean_and_jittered_views_at_four_scales(tmp_path: Path) -> None:
    files = []
    for number in range(6):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(np.full((40, 50, 3), 40 * number, np.uint8)).save(files[-1])
    clips = PlainClips(files, width=64, height=32, K=torch.eye(3))
    assert len(clips) == 4
    clean, jittered, intrinsics = clips[1]
    assert [tuple(views.shape) for views in clean] == [(3, 3, 32 >> s, 64 >> s) for s in range(4)]
    assert [views.shape for views in jittered] == [views.shape for views in clean]
    shown = [round(float(value) * 255) for value in clean[0][:, 0, 0, 0]]
    assert shown == [80, 40, 120]  # target, previous, next
    assert intrinsics.shape == (4, 4)
    batches = list(plain_loader(clips, batch_size=2, workers=0))
    assert len(batches) == 2 and batches[0][0][0].shape == (2, 3, 3, 32, 64)
