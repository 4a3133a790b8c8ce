"""The training step: both networks learn, time runs forwards, and geometry is exact whatever the networks run in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.config.augment import AugmentConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.learners import self_supervised as module
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.consistency import consistency_loss
from selfdepth.losses.hard_targets import hard_target_loss
from selfdepth.losses.objective import Objective, self_supervised_loss, upsample
from selfdepth.networks.pose import PoseNetwork
from selfdepth.structs import Batch, HardTargets

ENCODER = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
CONFIG = TrainConfig(width=64, height=64, encoder=ENCODER)
STEREO_ONLY = replace(
    CONFIG, offsets=(), stereo="calibrated", encoder=EncoderConfig(name="test_resnet", pretrained=False)
)
B, H, W = 2, 64, 64


def clips(n_sources: int = 2, *, stereo: bool = False) -> Batch:
    torch.manual_seed(7)
    frames = torch.rand(B, 1 + n_sources + stereo, 3, H, W)
    K = torch.tensor([[40.0, 0, 31.5], [0, 40.0, 31.5], [0, 0, 1]]).repeat(B, 1, 1)
    partner = torch.eye(4).repeat(B, 1, 1)
    partner[:, 0, 3] = -0.54
    return Batch(
        frames=frames,
        inputs=frames * 0.9,
        K=K,
        offsets=(-1, 1, -2, 2)[:n_sources],
        T_stereo_target=partner if stereo else None,
    )


def build(config: TrainConfig = CONFIG, *, network_dtype: torch.dtype = torch.float32) -> SelfSupervisedDepth:
    torch.manual_seed(0)
    return SelfSupervisedDepth(config, network_dtype=network_dtype)


class WatchedPose(PoseNetwork):
    """Gives one fixed motion, and keeps the pairs of images it was shown."""

    axis_angle = torch.tensor([0.11, -0.23, 0.31])
    translation = torch.tensor([0.4, -0.5, 0.6])

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[Tensor] = []

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        self.pairs.append(views)
        return tuple(v.repeat(len(views), 2, 1) for v in (self.axis_angle, self.translation))  # type: ignore[return-value]

    def T_later_earlier(self) -> Tensor:
        return transform_from_axis_angle(self.axis_angle, self.translation)


@pytest.mark.parametrize(
    "loss",
    [
        LossConfig(),
        LossConfig(reprojection="mean"),
        LossConfig(multiscale="native"),
        LossConfig(ssim=False),
        LossConfig(automask=False),
        LossConfig(automask=False, predictive_mask=True),
        LossConfig(align_motion=True),
    ],
    ids=["default", "mean", "native", "L1", "no automask", "predictive mask", "aligned"],
)
def test_the_gradient_reaches_every_part_of_both_networks(loss: LossConfig) -> None:
    learner = build(replace(CONFIG, loss=loss))
    output = learner(clips())
    output.loss.backward()
    assert torch.isfinite(output.loss)
    parts = ["depth_net.encoder", "depth_net.decoder", "pose_net.encoder", "pose_net.decoder"]
    if loss.predictive_mask:
        parts.append("depth_net.mask_decoder")
    for part in parts:
        for name, parameter in learner.get_submodule(part).named_parameters():
            assert parameter.grad is not None, f"{part}.{name}"
            assert torch.isfinite(parameter.grad).all(), f"{part}.{name}"
        assert any((p.grad != 0).any() for p in learner.get_submodule(part).parameters()), part


def test_the_predictive_mask_ablation_trains() -> None:
    learner = build(replace(CONFIG, loss=LossConfig(automask=False, predictive_mask=True, tie_break_noise=0.0)))
    optimizer = torch.optim.Adam(learner.parameters(), lr=1e-3)
    batch, losses = clips(), []
    for _ in range(6):
        output = learner(batch)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(float(output.loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("stereo", [False, True])
def test_images_are_compared_by_the_aligned_motion_and_the_pose_network_learns_what_it_lacks(
    stereo: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only of neighbours in time: the stereo partner's motion is known."""
    turn = transform_from_axis_angle(torch.tensor([0.0, 0.02, 0.0]), torch.zeros(3))
    monkeypatch.setattr(module, "align", lambda T, depth, frames, K, lenses: turn @ T)
    compared: list[Tensor] = []

    def watched(disparities: tuple[Tensor, ...], T: Tensor, *rest: Any) -> Objective:
        compared.append(T)
        return self_supervised_loss(disparities, T, *rest)

    monkeypatch.setattr(module, "self_supervised_loss", watched)
    batch = clips(stereo=stereo)
    learner = build(replace(CONFIG, loss=LossConfig(align_motion=True)))
    output = learner(batch)
    torch.testing.assert_close(compared[0][:, :2].detach(), turn @ output.T_source_target[:, :2])
    torch.testing.assert_close(compared[0][:, 2:], output.T_source_target[:, 2:], rtol=0, atol=0)
    torch.testing.assert_close(output.terms["loss/alignment"], torch.tensor(0.02), rtol=1e-2, atol=0)
    scales = torch.stack([output.terms[f"loss/scale_{s}"] for s in range(4)])
    torch.testing.assert_close(output.loss.detach(), scales.mean() + output.terms["loss/alignment"])
    compared[0].sum().backward()
    learned = [p.grad is not None for p in learner.pose_net.parameters()]
    assert all(learned), "the photometric error teaches the motion, too"


def test_what_is_validated_is_the_motion_that_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "align", None)
    learner = build(replace(CONFIG, loss=LossConfig(align_motion=True))).eval()
    assert "loss/alignment" not in learner(clips()).terms


def test_coarse_scales_are_aligned_at_the_size_of_the_images() -> None:
    encoder = replace(ENCODER, scales=(1, 3))
    output = build(replace(CONFIG, encoder=encoder, loss=LossConfig(align_motion=True)))(clips())
    assert torch.isfinite(output.loss)


VARIANTS = {
    "shared": EncoderConfig(name="test_resnet", pretrained=False, pose_network="shared"),
    "posecnn": EncoderConfig(name="test_resnet", pretrained=False, pose_network="posecnn"),
    "all": replace(ENCODER, pose_input="all"),
    "shared, all": EncoderConfig(name="test_resnet", pretrained=False, pose_network="shared", pose_input="all"),
    "posecnn, all": EncoderConfig(name="test_resnet", pretrained=False, pose_network="posecnn", pose_input="all"),
    "one scale": replace(ENCODER, scales=(0,)),
    "coarse scales": replace(ENCODER, scales=(1, 3)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_the_networks_takes_the_same_step_and_all_of_it_learns(variant: str) -> None:
    learner, batch = build(replace(CONFIG, encoder=VARIANTS[variant])), clips(stereo=True)
    output = learner(batch)
    output.loss.backward()
    assert output.T_source_target.shape == (B, 3, 4, 4)
    assert output.terms.keys() == {f"loss/scale_{s}" for s in VARIANTS[variant].scales}
    finest = VARIANTS[variant].scales[0]
    assert output.disparity.shape == (B, 1, H >> finest, W >> finest)
    assert output.depth.shape == (B, 1, H, W)
    idle = [f"depth_net.decoder.{part}.{level}." for part in ("reduce", "fuse") for level in range(finest)]
    for name, parameter in learner.named_parameters():
        assert parameter.requires_grad != name.startswith(tuple(idle)), name
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
    torch.testing.assert_close(learner.eval().relative_transforms(batch), learner(batch).T_source_target)


def test_with_all_images_at_once_they_are_seen_in_the_order_of_the_clip_and_nothing_is_inverted() -> None:
    class Watched(WatchedPose):
        def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
            axis_angle, translation = super().forward(views)
            return axis_angle, translation * torch.tensor([[1.0], [2.0]])

    learner, batch = build(replace(CONFIG, encoder=VARIANTS["all"])), clips(stereo=True)
    learner.pose_net = pose = Watched()
    T = learner.relative_transforms(batch)
    assert len(pose.pairs) == 1
    assert torch.equal(pose.pairs[0], batch.inputs[:, :3])
    for source in range(2):
        wanted = transform_from_axis_angle(pose.axis_angle, (1 + source) * pose.translation)
        torch.testing.assert_close(T[:, source], wanted.expand(B, 4, 4))


def test_the_shared_encoder_sees_all_frames_of_a_clip_in_one_pass_and_the_others_the_target_alone() -> None:
    for variant, n_images in (("shared", 3), ("posecnn", 1), ("all", 1)):
        learner, batch = build(replace(CONFIG, encoder=VARIANTS[variant])), clips(stereo=True)
        seen: list[Tensor] = []
        learner.depth_net.encoder.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        learner(batch)
        assert len(seen) == 1, variant
        assert torch.equal(seen[0], batch.inputs[:, :n_images].flatten(0, 1)), variant


def test_the_shared_pose_of_a_pair_is_that_of_its_two_images_features_the_earlier_first() -> None:
    learner, batch = build(replace(CONFIG, encoder=VARIANTS["shared"])).eval(), clips()
    T = learner.relative_transforms(batch)
    before, target, after = (learner.depth_net.encoder(batch.inputs[:, view])[-1] for view in (1, 0, 2))
    for index, pair in enumerate([(before, target), (target, after)]):
        axis_angle, translation = learner.pose_net(torch.stack(pair, dim=1))
        T_later_earlier = transform_from_axis_angle(axis_angle[:, 0], translation[:, 0])
        wanted = invert(T_later_earlier) if index == 0 else T_later_earlier
        torch.testing.assert_close(T[:, index], wanted, rtol=1e-4, atol=1e-6)


def test_the_translation_of_posecnn_is_scaled_by_the_mean_inverse_depth_of_the_finest_disparity_alone() -> None:
    learner, batch = build(replace(CONFIG, encoder=VARIANTS["posecnn"])).eval(), clips()
    T = learner.relative_transforms(batch)
    depth = CONFIG.loss.depth_range.depth(learner.predict_disparity(batch))
    axis_angle, translation = learner.pose_net(batch.inputs[:, [0, 2]])
    scaled = translation[:, 0] * (1 / depth).mean((1, 2, 3))[:, None]
    torch.testing.assert_close(T[:, 1], transform_from_axis_angle(axis_angle[:, 0], scaled))


def test_without_neighbours_in_time_there_is_no_pose_network() -> None:
    learner = build(replace(STEREO_ONLY, stereo="nominal"))
    assert [name for name in learner.state_dict() if name.startswith("pose_net.")] == []


@pytest.mark.parametrize("n_sources", [2, 4])
def test_the_pose_network_sees_the_earlier_image_first_and_its_motion_is_inverted_for_the_past(n_sources: int) -> None:
    learner, batch = build(), clips(n_sources)
    learner.pose_net = pose = WatchedPose()
    T = learner.relative_transforms(batch)
    assert T.shape == (B, n_sources, 4, 4)
    T_later_earlier = pose.T_later_earlier().expand(B, 4, 4)
    for view, offset in enumerate(batch.offsets, start=1):
        earlier, later = (view, 0) if offset < 0 else (0, view)
        assert torch.equal(pose.pairs[view - 1], batch.inputs[:, [earlier, later]]), offset
        wanted = invert(T_later_earlier) if offset < 0 else T_later_earlier
        torch.testing.assert_close(T[:, view - 1], wanted)


def test_the_stereo_partner_comes_last_with_the_transform_it_was_given() -> None:
    learner, batch = build(), clips(stereo=True)
    output = learner(batch)
    assert output.T_source_target.shape == (B, 3, 4, 4)
    assert torch.equal(output.T_source_target[:, 2], batch.T_stereo_target)
    assert torch.isfinite(output.loss)


def test_the_networks_see_the_jittered_images_and_the_loss_the_clean_ones() -> None:
    learner, batch = build().eval(), clips()
    torch.manual_seed(0)
    before = learner(batch)
    torch.manual_seed(0)
    other_frames = learner(replace(batch, frames=batch.frames.flip(-1)))
    assert torch.equal(before.disparity, other_frames.disparity)
    assert torch.equal(before.T_source_target, other_frames.T_source_target)
    assert not torch.equal(before.loss, other_frames.loss)


def test_the_output_says_what_the_step_saw() -> None:
    output = build()(clips())
    assert output.loss.requires_grad
    for tensor in (output.depth, output.disparity, output.T_source_target, output.automask, *output.terms.values()):
        assert not tensor.requires_grad
    assert output.depth.shape == output.disparity.shape == (B, 1, H, W)
    assert output.automask.shape == (B, H, W)
    assert 0.1 <= float(output.depth.min()) <= float(output.depth.max()) <= 100
    mean = torch.stack(list(output.terms.values())).mean()
    torch.testing.assert_close(mean, output.loss.detach())


def test_bf16_networks_give_a_float32_loss_and_exact_geometry() -> None:
    learner, batch = build(network_dtype=torch.bfloat16), clips()
    output = learner(batch)
    assert output.loss.dtype == output.depth.dtype == output.T_source_target.dtype == torch.float32
    output.loss.backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in learner.parameters())

    learner.pose_net = pose = WatchedPose()
    T = learner(batch).T_source_target
    exact = pose.T_later_earlier().expand(B, 4, 4)
    torch.testing.assert_close(T[:, 1], exact, rtol=0, atol=1e-6)
    torch.testing.assert_close(T[:, 0], invert(exact), rtol=0, atol=1e-6)


def test_bf16_networks_come_close_to_float32_ones() -> None:
    batch = clips()
    exact, low = (build(network_dtype=dtype).eval()(batch) for dtype in (torch.float32, torch.bfloat16))
    assert not torch.equal(exact.disparity, low.disparity), "the networks did run in bf16"
    torch.testing.assert_close(low.disparity, exact.disparity, rtol=0.05, atol=0.02)
    torch.testing.assert_close(low.loss, exact.loss, rtol=0.02, atol=0)


def test_in_evaluation_mode_a_clip_does_not_depend_on_its_batch() -> None:
    learner, batch = build().eval(), clips()
    together = learner(batch)
    alone = learner(replace(batch, frames=batch.frames[:1], inputs=batch.inputs[:1], K=batch.K[:1]))
    torch.testing.assert_close(alone.disparity, together.disparity[:1], rtol=1e-4, atol=1e-5)


def test_the_untrained_network_starts_at_the_depth_that_is_asked_for() -> None:
    loss = LossConfig(near=0.02, start_depth=0.2)
    learner = SelfSupervisedDepth(replace(CONFIG, loss=loss)).eval()
    with torch.no_grad():
        disparities = learner.depth_net(torch.rand(1, 3, 64, 64))
    for disparity in disparities:
        depth = loss.depth_range.depth(disparity)
        assert 0.1 < float(depth.median()) < 0.4, "the sigmoid's middle would be 0.04"


def test_pairs_alone_need_no_pose_network_and_their_gradient_reaches_the_depth_network() -> None:
    learner, batch = build(STEREO_ONLY), clips(0, stereo=True)
    assert not [name for name in learner.state_dict() if name.startswith("pose_net")]
    output = learner(batch)
    assert torch.equal(output.T_source_target[:, 0], batch.T_stereo_target)
    output.loss.backward()
    assert all(parameter.grad is not None for parameter in learner.depth_net.decoder.parameters())
    assert torch.equal(learner.eval().predict_disparity(batch), learner(batch).disparity)


@pytest.mark.parametrize("stereo", [False, True])
def test_a_mask_per_source_serves_clips_with_and_without_a_partner(stereo: bool) -> None:
    loss = LossConfig(automask=False, predictive_mask=True)
    learner = build(replace(CONFIG, stereo="calibrated", loss=loss))
    assert learner.depth_net.mask_decoder is not None
    output = learner(clips(stereo=stereo))
    output.loss.backward()
    head = learner.depth_net.mask_decoder.outputs[0].weight
    assert head.shape[0] == 3 and head.grad is not None
    assert (head.grad[2] != 0).any() == stereo


def test_the_learner_gives_the_objective_of_the_given_transform_alone() -> None:
    learner, batch = build(replace(STEREO_ONLY, loss=LossConfig(tie_break_noise=0.0))).eval(), clips(0, stereo=True)
    disparities = learner.depth_net(batch.inputs[:, 0])
    assert batch.T_stereo_target is not None
    T = batch.T_stereo_target[:, None]
    wanted = self_supervised_loss(disparities, T, batch.frames, batch.K, LossConfig(tie_break_noise=0.0))
    assert torch.equal(learner(batch).loss, wanted.loss)


CONSISTENT = replace(CONFIG, loss=LossConfig(consistency=0.5, tie_break_noise=0.0))


@pytest.mark.parametrize("variant", [None, "shared", "posecnn", "shared, all", "coarse scales"])
@pytest.mark.parametrize("stereo", [False, True])
def test_with_consistency_the_sources_depth_is_predicted_and_compared_in_time_and_the_partner_is_not(
    variant: str | None, stereo: bool
) -> None:
    encoder = ENCODER if variant is None else VARIANTS[variant]
    learner, batch = build(replace(CONSISTENT, encoder=encoder)).eval(), clips(stereo=stereo)
    output = learner(batch)
    depth = CONSISTENT.loss.depth_range.depth
    own = [depth(upsample(learner.depth_net(batch.inputs[:, view])[0], (H, W))) for view in range(3)]
    wanted = consistency_loss(own[0], torch.stack(own[1:], dim=1), output.T_source_target[:, :2], batch.K)
    torch.testing.assert_close(output.terms["loss/consistency"], wanted, rtol=1e-4, atol=1e-6)
    without = build(replace(CONFIG, encoder=encoder, loss=LossConfig(tie_break_noise=0.0))).eval()(batch)
    torch.testing.assert_close(output.loss, without.loss + 0.5 * wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(output.T_source_target, without.T_source_target)


def test_with_consistency_target_and_sources_are_normalised_together_and_without_it_the_sources_are_not_seen() -> None:
    for config, n_images in ((CONSISTENT, 3), (CONFIG, 1)):
        learner, batch = build(config), clips()
        seen: list[Tensor] = []
        learner.depth_net.encoder.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        output = learner(batch)
        assert len(seen) == 1
        assert torch.equal(seen[0], batch.inputs[:, :n_images].flatten(0, 1))
        assert ("loss/consistency" in output.terms) == (n_images == 3)


def test_consistency_alone_moves_the_depth_and_the_pose_network() -> None:
    heavy, light = (build(replace(CONFIG, loss=LossConfig(consistency=weight))) for weight in (1e3, 1e-9))
    batch, gradients = clips(), []
    for learner in (heavy, light):
        torch.manual_seed(1)
        learner(batch).loss.backward()
        parts = (learner.depth_net.decoder.outputs[0].weight, learner.pose_net.decoder.output.weight)
        gradients.append([part.grad for part in parts])
    for with_it, without in zip(*gradients, strict=True):
        assert float((with_it - without).abs().max()) > float(without.abs().max())


HARD = replace(CONFIG, loss=LossConfig(tie_break_noise=0.0), augment=AugmentConfig(weather=0.5, weather_weight=0.25))


def with_hard_targets(batch: Batch) -> Batch:
    return replace(batch, hard_targets=HardTargets(clips=torch.tensor([1]), images=batch.inputs[1:, 0] ** 2))


@pytest.mark.parametrize("variant", [None, "shared", "posecnn", "coarse scales"])
@pytest.mark.parametrize("consistency", [0.0, 0.5])
def test_hard_targets_add_their_difference_from_the_clear_ones_and_change_nothing_else(
    variant: str | None, consistency: float
) -> None:
    encoder = ENCODER if variant is None else VARIANTS[variant]
    config = replace(HARD, encoder=encoder, loss=replace(HARD.loss, consistency=consistency))
    learner, batch = build(config).eval(), clips()
    clear, hard = learner(batch), learner(with_hard_targets(batch))
    bad, good = (learner.depth_net(images) for images in (batch.inputs[1:, 0] ** 2, batch.inputs[1:, 0]))
    wanted = hard_target_loss(bad, good, config.loss.depth_range)
    assert float(wanted.detach()) > 1e-4
    torch.testing.assert_close(hard.terms["loss/weather"], wanted.detach(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(hard.loss, clear.loss + 0.25 * wanted, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(hard.disparity, clear.disparity)
    torch.testing.assert_close(hard.T_source_target, clear.T_source_target)
    assert "loss/weather" not in clear.terms


def test_hard_targets_are_normalised_by_the_statistics_of_clear_images_and_leave_these_as_they_are() -> None:
    plain, hard, batch = build(HARD), build(HARD), clips()
    plain(batch).loss.backward()
    hard(with_hard_targets(batch)).loss.backward()
    for (name, without), having in zip(plain.named_buffers(), hard.buffers(), strict=True):
        assert torch.equal(without, having), name
    assert all(module.training for module in hard.modules())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in hard.parameters() if p.requires_grad)


def test_frozen_statistics_stay_frozen_beside_hard_targets() -> None:
    learner = build(replace(HARD, init="model", freeze_batch_norm=True))
    before = {name: buffer.clone() for name, buffer in learner.named_buffers()}
    learner(with_hard_targets(clips()))
    assert all(torch.equal(before[name], buffer) for name, buffer in learner.named_buffers())


def test_the_clear_target_is_not_moved_towards_the_hard_one() -> None:
    learner = build(HARD).eval()
    batch = with_hard_targets(clips())
    inputs = batch.inputs.clone().requires_grad_()
    # Of this clip's input, the gradient comes through its clear depth alone.
    plain, hard = (
        torch.autograd.grad(learner(replace(batch, inputs=inputs, hard_targets=targets)).loss, inputs)[0]
        for targets in (None, batch.hard_targets)
    )
    torch.testing.assert_close(hard, plain, rtol=1e-4, atol=1e-9)
