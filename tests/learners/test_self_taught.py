"""The step of self-teaching: what the student sees, what it learns, and what stays as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from helpers.models import random_images, tiny_config, untrained
from selfdepth.config import TrainConfig
from selfdepth.learners.frozen import FrozenDepth
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.learners.self_taught import SelfTaughtDepth
from selfdepth.losses.self_teaching import self_teaching_loss
from selfdepth.structs import Batch

CONFIG = tiny_config(self_teacher="runs/first")
RANGE = CONFIG.loss.depth_range


def batch() -> Batch:
    frames = random_images(2, 3)
    return Batch(frames=frames, inputs=frames * 0.9, K=torch.eye(3).expand(2, 3, 3), offsets=(-1, 1))


@pytest.fixture
def teacher() -> FrozenDepth:
    network = untrained(tiny_config(), seed=5).depth_net.eval().requires_grad_(False)
    return FrozenDepth(network=network, depth_range=RANGE)


@pytest.fixture
def student(teacher: FrozenDepth) -> SelfTaughtDepth:
    torch.manual_seed(0)
    return SelfTaughtDepth(CONFIG, teacher)


def test_the_student_sees_jittered_colours_and_its_teacher_clean_ones(
    student: SelfTaughtDepth, teacher: FrozenDepth
) -> None:
    student.eval()
    output = student(batch())
    disparities, log_sigmas = student.depth_net.forward_with_log_sigma(batch().inputs[:, 0])
    losses = self_teaching_loss(disparities, log_sigmas, teacher.disparity(batch().frames[:, 0]), RANGE)
    torch.testing.assert_close(output.loss, torch.stack(losses).mean())
    torch.testing.assert_close(output.terms["loss/scale_3"], losses[3].detach())


def test_depth_and_uncertainty_get_gradients_and_neither_motion_nor_teacher_does(
    student: SelfTaughtDepth, teacher: FrozenDepth
) -> None:
    student(batch()).loss.backward()
    assert student.depth_net.decoder.log_sigmas is not None
    heads = [*student.depth_net.decoder.outputs, *student.depth_net.decoder.log_sigmas]
    assert all(float(head.weight.grad.abs().sum()) > 0 for head in heads)
    assert all(parameter.grad is None for parameter in student.pose_net.parameters())
    assert all(parameter.grad is None for parameter in teacher.network.parameters())


def test_the_teacher_is_no_part_of_the_state_and_stays_in_evaluation_mode(student: SelfTaughtDepth) -> None:
    assert student.state_dict().keys() == SelfSupervisedDepth(CONFIG).state_dict().keys()
    student.train()
    assert not student.teacher.network.training


def test_the_statistics_of_the_pose_network_do_not_move_while_it_trains(student: SelfTaughtDepth) -> None:
    before = {name: tensor.clone() for name, tensor in student.pose_net.state_dict().items()}
    student.train()
    student(batch())
    assert all(torch.equal(tensor, before[name]) for name, tensor in student.pose_net.state_dict().items())


def test_sources_are_not_read(student: SelfTaughtDepth) -> None:
    student.eval()
    whole = batch()
    noise = torch.rand_like(whole.frames[:, 1:])
    other = replace(
        whole,
        frames=torch.cat([whole.frames[:, :1], noise], dim=1),
        inputs=torch.cat([whole.inputs[:, :1], noise], dim=1),
    )
    assert torch.equal(student(whole).loss, student(other).loss)


def test_a_model_without_a_teacher_has_the_weights_it_always_had() -> None:
    def state(config: TrainConfig) -> dict[str, torch.Tensor]:
        return untrained(config, seed=3).state_dict()

    with_heads, without = state(CONFIG), state(tiny_config())
    assert not [name for name in without if "log_sigma" in name]
    assert sorted(name for name in with_heads if name not in without) == sorted(
        f"depth_net.decoder.log_sigmas.{i}.{part}" for i in range(4) for part in ("weight", "bias")
    )
