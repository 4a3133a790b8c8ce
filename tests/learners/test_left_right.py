"""The training step of Monodepth v1: which view it reads, what it reports, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.clips.augment import apply, draw_augmentation
from selfdepth.geometry.depth_range import MAX_DISPARITY, DepthRange
from selfdepth.learners.left_right import LeftRightDepth
from selfdepth.presets import MONODEPTH_V1, preset
from selfdepth.structs import Batch

CONFIG: TrainConfig = replace(
    preset(MONODEPTH_V1), width=64, height=64, encoder=EncoderConfig(name="test_resnet", pretrained=False)
)
BASELINE_M = 0.54


@pytest.fixture
def learner() -> LeftRightDepth:
    torch.manual_seed(0)
    return LeftRightDepth(CONFIG)


def pairs(b: int = 2, *, shift_px: int = 4, size: int = 64) -> Batch:
    """Left images of a textured plane with their right ones."""
    coarse = torch.rand(b, 3, size // 4, size // 2, generator=torch.Generator().manual_seed(1))
    texture = torch.nn.functional.interpolate(coarse, size=(size, 2 * size), mode="bilinear")
    frames = torch.stack([texture[..., :size], texture[..., shift_px : shift_px + size]], dim=1)
    K = torch.tensor([[0.6 * size, 0, size / 2], [0, 0.6 * size, size / 2], [0, 0, 1]]).repeat(b, 1, 1)
    T = torch.eye(4).repeat(b, 1, 1)
    T[:, 0, 3] = -BASELINE_M
    return Batch(frames=frames, inputs=frames, K=K, offsets=(), T_stereo_target=T)


def seen_from_the_right(batch: Batch) -> Batch:
    """The same pairs with the right image as the target."""
    assert batch.T_stereo_target is not None
    T = batch.T_stereo_target.clone()
    T[:, 0, 3] *= -1
    return replace(batch, frames=batch.frames.flip(1), inputs=batch.inputs.flip(1), T_stereo_target=T)


def mirrored(batch: Batch) -> Batch:
    drawn = draw_augmentation(len(batch.frames), torch.Generator().manual_seed(0))
    flip, jitter = torch.ones_like(drawn.flip), torch.zeros_like(drawn.jitter)
    return apply(batch, replace(drawn, flip=flip, jitter=jitter))


def seen_by(learner: LeftRightDepth, batch: Batch) -> Tensor:
    """The images that the network reads in a training step."""
    seen: list[Tensor] = []
    handle = learner.depth_net.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    learner(batch)
    handle.remove()
    (images,) = seen
    return images


def test_the_network_reads_the_left_image_whichever_is_the_target_and_mirroring_exchanges_the_views(
    learner: LeftRightDepth,
) -> None:
    batch = pairs()
    left, right = batch.frames.unbind(1)
    assert torch.equal(seen_by(learner, batch), left)
    assert torch.equal(seen_by(learner, seen_from_the_right(batch)), left)
    assert torch.equal(seen_by(learner, mirrored(batch)), right.flip(-1))
    half = Batch(
        frames=torch.cat([batch.frames[:1], mirrored(batch).frames[1:]]),
        inputs=torch.cat([batch.inputs[:1], mirrored(batch).inputs[1:]]),
        K=batch.K,
        offsets=(),
        T_stereo_target=torch.cat([batch.T_stereo_target[:1], mirrored(batch).T_stereo_target[1:]]),  # type: ignore[index]
    )
    assert torch.equal(seen_by(learner, half), torch.stack([left[0], right[1].flip(-1)]))


def test_the_loss_does_not_depend_on_which_view_is_the_target_and_the_disparity_is_the_targets(
    learner: LeftRightDepth,
) -> None:
    batch = pairs()
    from_left, from_right = learner(batch), learner(seen_from_the_right(batch))
    assert from_left.loss.item() == pytest.approx(from_right.loss.item(), rel=1e-6)
    with torch.no_grad():
        both, _ = learner.depth_net.decode(learner.depth_net.encoder(batch.frames[:, 0]))
    assert torch.allclose(from_left.disparity, both[0][:, :1], atol=1e-5)
    assert torch.allclose(from_right.disparity, both[0][:, 1:], atol=1e-5)
    assert not torch.allclose(from_left.disparity, from_right.disparity, atol=1e-3)


def test_in_validation_the_disparity_is_that_of_a_prediction_from_the_target_alone(learner: LeftRightDepth) -> None:
    batch = seen_from_the_right(pairs())
    learner.eval()
    with torch.no_grad():
        output = learner(batch)
        assert torch.equal(output.disparity, learner.depth_net(batch.inputs[:, 0])[0])
        alone = replace(batch, frames=batch.frames[:, :1], inputs=batch.inputs[:, :1], T_stereo_target=None)
        assert torch.equal(output.disparity, learner.predict_disparity(alone))


def test_depth_is_focal_length_times_baseline_over_disparity_in_pixels(learner: LeftRightDepth) -> None:
    batch = pairs()
    output = learner(batch)
    pixels = MAX_DISPARITY * output.disparity * 64
    assert torch.allclose(output.depth, 0.6 * 64 * BASELINE_M / pixels)
    assert torch.allclose(output.depth, DepthRange.of_pair(0.6 * BASELINE_M).depth(output.disparity))
    assert output.loss.requires_grad and not output.depth.requires_grad
    assert bool((output.automask == 1).all())


def test_the_loss_is_the_sum_of_the_scales_and_the_terms_of_the_finest_are_logged(learner: LeftRightDepth) -> None:
    output = learner(pairs())
    terms = output.terms
    assert output.loss.item() == pytest.approx(sum(float(terms[f"loss/scale_{s}"]) for s in range(4)), rel=1e-6)
    finest = terms["loss/appearance"] + 0.1 * terms["loss/smoothness"] + terms["loss/consistency"]
    assert float(finest) == pytest.approx(float(terms["loss/scale_0"]), rel=1e-6)


def test_every_weight_has_a_gradient(learner: LeftRightDepth) -> None:
    learner(pairs()).loss.backward()
    assert all(weight.grad is not None and bool(weight.grad.any()) for weight in learner.depth_net.decoder.parameters())
