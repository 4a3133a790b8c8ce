"""The training step: both networks and the objective, as one module with one forward (paper, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from selfdepth.config import LossConfig, TrainConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.learners.camera import LearnedCamera, held_in_image
from selfdepth.learners.frozen import FrozenDepth
from selfdepth.learners.lens import LearnedLens, seen_through
from selfdepth.losses.alignment import align, alignment_loss
from selfdepth.losses.anchor import anchor_loss
from selfdepth.losses.consistency import consistency_loss
from selfdepth.losses.distillation import distillation_loss
from selfdepth.losses.hard_targets import hard_target_loss
from selfdepth.losses.height import height_loss
from selfdepth.losses.motion_first import motion_loss, unmasked_loss
from selfdepth.losses.objective import self_supervised_loss, upsample
from selfdepth.losses.speed import speed_loss
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import DepthFeatures
from selfdepth.networks.pose_variants import POSE_INPUTS, pose_network
from selfdepth.structs import Batch, StepOutput

Stage = Literal["motion", "unmasked", "full"]
"""What a training step learns from: see `engine/motion_first.py`."""


class _Predicted(NamedTuple):
    """What the depth network says of the clips.

    Attributes:
        disparities: sigmoids of the target, finest first.
        masks: predictive masks, likewise; None without them.
        depth_features: for the pose network.
        source_disparities: finest sigmoids of the sources in time; None if nothing asks for their depth.
        hard_disparities: as `disparities`, of the batch's hard targets; None without them.
    """

    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...]
    masks: tuple[Float[Tensor, "b s _h _w"], ...] | None
    depth_features: DepthFeatures
    source_disparities: Float[Tensor, "b n 1 _h _w"] | None
    hard_disparities: tuple[Float[Tensor, "k 1 _h _w"], ...] | None


class SelfSupervisedDepth(nn.Module):
    """The depth and the pose network, trained together by view synthesis. Stereo pairs alone need no pose network.

    One module with one forward, so that it can be compiled and wrapped as a whole.

    Args:
        config: encoders, offsets and the switches of the objective.
        network_dtype: arithmetic of the networks; geometry and loss stay in float32.
        anchor: the model near whose depth a refinement stays (`config.anchor`); None: nothing holds the depth.

    Raises:
        ConfigError: for an encoder that does not exist, does not fit, or whose pretrained weights are out of reach.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        network_dtype: torch.dtype = torch.float32,
        anchor: FrozenDepth | None = None,
    ) -> None:
        super().__init__()
        self.anchor, self.anchor_weight = anchor, config.anchor or 0.0
        self.freeze_batch_norm = config.freeze_batch_norm
        self.loss_config = config.loss
        self.camera_height = config.camera_height
        self.teacher_weight = config.teacher.weight
        self.weather_weight = config.augment.weather_weight
        self.network_dtype = network_dtype
        self.depth_net = DepthNet(
            config.encoder.name,
            pretrained=config.encoder.pretrained,
            n_mask_sources=config.n_sources if config.loss.predictive_mask else 0,
            scales=config.encoder.scales,
            confidence=config.has_confidence,
        )
        if config.loss.start_depth is not None:
            self.depth_net.decoder.start_at(config.loss.depth_range.sigmoid(config.loss.start_depth))
        self.pose_net = pose_network(config.encoder, config.offsets, channels=self.depth_net.encoder.channels[-1])
        if config.knows_scale:
            self.pose_net.start_larger(config.loss.untrained_depth / LossConfig().untrained_depth)
        self.pose_passes = POSE_INPUTS[config.encoder.pose_input]
        self.camera: LearnedCamera | None = None
        """The camera to learn; None: that of the data is known. Set by `learn_camera`."""
        self.lens: LearnedLens | None = None
        """The distortion to learn with the camera; None: that of the data is known."""
        self.stage: Stage = "full"
        """Of training; the training loop sets it."""
        self.train()  # as modules begin, but with the statistics that are to stay

    def train(self, mode: bool = True) -> SelfSupervisedDepth:
        """Set training or evaluation mode. Frozen batch normalisations stay in evaluation mode: their statistics are
        used and not measured. Their factors and offsets are weights, and learn."""
        super().train(mode)
        if self.freeze_batch_norm:
            for norm in _batch_norms(self):
                norm.eval()
        return self

    def forward(self, batch: Batch) -> StepOutput:
        """One training step up to the loss: predict depth, predict motion, rebuild the target, compare."""
        batch = self.through_camera(batch)
        if self.training and self.stage == "motion":
            return self._learn_motion(batch)
        # Section 3.1: depth from the target alone, so that one image is enough for prediction later; motion from the
        # target and its sources.
        predicted = self._predict_disparities(batch)
        disparities, masks = predicted.disparities, predicted.masks
        T_source_target = self._predict_transforms(batch, predicted.depth_features)
        if masks is not None:
            # One mask per source, the stereo partner's last. Clips without a partner leave it unused.
            masks = tuple(mask[:, : T_source_target.shape[1]] for mask in masks)

        # Section 3.2: rebuild the target and compare (equations 1 to 5). With the clean frames, not the jittered
        # inputs: the jitter makes the networks robust, and must not count as an error.
        compare = unmasked_loss if self.training and self.stage == "unmasked" else self_supervised_loss
        compared, misaligned = self._aligned(batch, disparities[0], T_source_target)
        # Where the lens is learned as well, the warp holds the motions.
        held = compared if self.camera is None or self.lens is not None else held_in_image(compared, batch.K)
        objective = compare(disparities, held, batch.frames, batch.K, self.loss_config, masks, batch.lenses, batch.part)

        scales = self.depth_net.decoder.scales
        terms = {f"loss/scale_{s}": loss.detach() for s, loss in zip(scales, objective.per_scale, strict=True)}
        loss = objective.loss
        # Only the images tell of a learned camera; a wrong height or speed would bend it.
        added = self._added_terms(_as_known(batch), predicted, compared)
        if batch.driven is not None:  # of the network's own motion; its sources in time come first
            own = T_source_target[:, : len(batch.offsets)]
            added["speed"] = (self.loss_config.speed, speed_loss(own, batch.driven))
        if misaligned is not None:
            added["alignment"] = (1.0, misaligned)
        if self.camera is not None:
            added["camera"] = (1.0, self.camera.prior())
        if self.lens is not None:
            added["lens"] = (1.0, self.lens.prior())
        for name, (weight, term) in added.items():
            terms[f"loss/{name}"] = term.detach()
            loss = loss + weight * term
        return StepOutput(
            loss=loss,
            terms=terms,
            depth=objective.depth.detach(),
            disparity=disparities[0].detach(),
            T_source_target=T_source_target.detach(),
            automask=objective.automask[0],
            seen=None if batch.lenses is None else batch.lenses.seen,
        )

    def through_camera(self, batch: Batch) -> Batch:
        """The batch with the camera as learned up to now; the same if it is known."""
        return batch if self.camera is None else seen_through(batch, self.camera, self.lens)

    def _learn_motion(self, batch: Batch) -> StepOutput:
        """A step that learns the motion at the depth of the untrained network, everywhere the same."""
        T_source_target = self.relative_transforms(batch)
        depth_range, untrained = self.loss_config.depth_range, self.loss_config.untrained_depth
        depth = torch.full_like(batch.frames[:, 0, :1], untrained)
        # At a depth that is the same everywhere, any camera is the right one.
        batch = _as_known(batch)
        loss, explained = motion_loss(untrained, T_source_target, batch.frames, batch.K, self.loss_config, batch.lenses)
        return StepOutput(
            loss=loss,
            terms={},
            depth=depth,
            disparity=torch.full_like(depth, depth_range.sigmoid(untrained)),
            T_source_target=T_source_target.detach(),
            automask=explained,
            seen=None if batch.lenses is None else batch.lenses.seen,
        )

    def predict_disparity(self, batch: Batch) -> Float[Tensor, "b 1 _h _w"]:
        """The finest sigmoid disparity of the targets, in (0, 1). The sources of the batch are not read."""
        with self._network_precision(batch):
            finest: Tensor = self.depth_net(batch.inputs[:, 0])[0]
        return finest

    def relative_transforms(self, batch: Batch) -> Float[Tensor, "b s 4 4"]:
        """T_source_target of every source: predicted for other times, calibrated for the stereo partner."""
        depth_features = self._predict_disparities(batch).depth_features if self.pose_net.uses_depth else None
        return self._predict_transforms(batch, depth_features)

    def _predict_disparities(self, batch: Batch) -> _Predicted:
        n_images = 1 + len(batch.offsets)
        n_encoded = self.pose_net.n_encoded(n_images)
        compare_depths = self.loss_config.consistency > 0
        with self._network_precision(batch):
            features, hard_features = self._encode(batch, n_images if compare_depths else n_encoded)
            disparities, masks = self.depth_net.decode([level[:, 0] for level in features])
            sources, hard = None, None
            if compare_depths:
                finest: Tensor = self.depth_net.decoder([level[:, 1:].flatten(0, 1) for level in features])[0]
                sources = torch.unflatten(finest, 0, (-1, n_images - 1))
            if hard_features is not None:
                hard = self.depth_net.decoder(hard_features)
        # For PoseCNN, whose translation is relative to the depth of the scene.
        inverse_depth = self.loss_config.depth_range.disparity(disparities[0])
        mean = _mean_per_clip(inverse_depth, batch.seen((inverse_depth.shape[-2], inverse_depth.shape[-1])))
        depth_features = DepthFeatures(features=features[-1][:, :n_encoded], mean_inverse_depth=mean)
        return _Predicted(disparities, masks, depth_features, sources, hard)

    def _encode(
        self, batch: Batch, n_images: int
    ) -> tuple[list[Float[Tensor, "b n _c _h _w"]], list[Float[Tensor, "k _c _h _w"]] | None]:
        """Features of the first n images of every clip, and of its hard targets, if there are any."""
        # All in one pass, so that BatchNorm normalises them by the same statistics. In passes of their own, the depths
        # of two images would differ by the chance of these statistics, and the loss would punish that.
        features = self.depth_net.encode(batch.inputs[:, :n_images])
        if batch.hard_targets is None:
            return features, None
        # Night or glare beside clear images would move the statistics by which these are normalised. So bad conditions
        # are seen as in prediction, by the statistics of the clear images, and do not count in them.
        with running_statistics(self.depth_net):
            hard = self.depth_net.encode(batch.hard_targets.images.unsqueeze(1))
        return features, [level.squeeze(1) for level in hard]

    def _added_terms(
        self, batch: Batch, predicted: _Predicted, T_source_target: Float[Tensor, "b s 4 4"]
    ) -> dict[str, tuple[float, Float[Tensor, ""]]]:
        """Weights and values of the terms that are not the paper's, by name. By default there are none."""
        terms: dict[str, tuple[float, Tensor]] = {}
        depths = self.loss_config.depth_range
        sources = predicted.source_disparities
        if sources is not None:
            # At full size, where K is known, and for the sources in time alone: the scale of the stereo pair is given.
            b, n = sources.shape[:2]
            every = torch.cat([predicted.disparities[0], sources.flatten(0, 1)])
            depth = depths.depth(upsample(every, (batch.frames.shape[-2], batch.frames.shape[-1])))
            of_sources = torch.unflatten(depth[b:], 0, (b, n))
            consistency = consistency_loss(depth[:b], of_sources, T_source_target[:, :n], batch.K, batch.lenses)
            terms["consistency"] = (self.loss_config.consistency, consistency)
        if batch.hard_targets is not None and predicted.hard_disparities is not None:
            clear = tuple(level.index_select(0, batch.hard_targets.clips) for level in predicted.disparities)
            weather = hard_target_loss(predicted.hard_disparities, clear, depths)
            weight = batch.hard_targets.weight
            terms["weather"] = (self.weather_weight, weather if weight is None else weight * weather)
        if batch.teacher is not None:  # in shape alone, free of scale and shift
            teacher = batch.teacher if batch.lenses is None else batch.teacher * batch.lenses.seen
            terms["teacher"] = (self.teacher_weight, distillation_loss(predicted.disparities[0], teacher))
        # The loss of validation shows how well the images are explained, with a known height or without.
        if self.camera_height is not None and self.training:
            depth = depths.depth(upsample(predicted.disparities[0], (batch.frames.shape[-2], batch.frames.shape[-1])))
            terms["height"] = (self.loss_config.height, height_loss(depth, batch.K, self.camera_height, batch.lenses))
        if self.anchor is not None:
            # Of the clean colours, too: the start must not be judged by the jitter.
            start = self.anchor.disparity(batch.frames[:, 0])
            terms["anchor"] = (self.anchor_weight, anchor_loss(predicted.disparities, start, depths))
        return terms

    def _aligned(
        self, batch: Batch, disparity: Float[Tensor, "b 1 _h _w"], T_source_target: Float[Tensor, "b s 4 4"]
    ) -> tuple[Float[Tensor, "b s 4 4"], Float[Tensor, ""] | None]:
        """The motions to compare by, and how far the pose network's are from them; these themselves if unaligned."""
        n = len(batch.offsets)  # a stereo partner's motion is known
        # What is validated must be what is predicted: the network's own motion.
        if not (self.loss_config.align_motion and self.training and n):
            return T_source_target, None
        size = (batch.frames.shape[-2], batch.frames.shape[-1])
        depth = self.loss_config.depth_range.depth(upsample(disparity.detach(), size))
        T = T_source_target[:, :n]
        T_aligned = align(T.detach(), depth, batch.frames, batch.K, batch.lenses)
        # The correction is a constant: the gradient passes to the pose network.
        corrected = T + (T_aligned - T.detach())
        return torch.cat([corrected, T_source_target[:, n:]], dim=1), alignment_loss(T, T_aligned)

    def _predict_transforms(self, batch: Batch, depth_features: DepthFeatures | None) -> Float[Tensor, "b s 4 4"]:
        """T_source_target of every source, in the order of the views."""
        views = self.pose_net.views(batch.inputs[:, : 1 + len(batch.offsets)], depth_features)
        transforms: list[Tensor] = []
        for pose_pass in self.pose_passes(batch.offsets):
            with self._network_precision(batch):
                axis_angle, translation = self.pose_net(views[:, pose_pass.order])
            T = transform_from_axis_angle(axis_angle, self.pose_net.scaled(translation, depth_features))
            T = T[:, : pose_pass.n_motions]
            # A source in the past: the pair was (source, target) in temporal order, which gives T_target_source.
            transforms.append(invert(T) if pose_pass.inverted else T)
        if batch.T_stereo_target is not None:
            transforms.append(batch.T_stereo_target.unsqueeze(1))  # calibrated, not learned
        return torch.cat(transforms, dim=1)

    def _network_precision(self, batch: Batch) -> torch.autocast:
        # Around the networks alone: the products of rotations are geometry, and bf16 would round them to three digits.
        low = self.network_dtype != torch.float32
        return torch.autocast(batch.frames.device.type, dtype=self.network_dtype, enabled=low)


def _as_known(batch: Batch) -> Batch:
    """The batch with a learned camera as a constant."""
    return replace(batch, K=batch.K.detach(), lenses=None if batch.lenses is None else batch.lenses.detached())


def _mean_per_clip(maps: Float[Tensor, "b 1 h w"], seen: Bool[Tensor, "b 1 h w"] | None) -> Float[Tensor, " b"]:
    if seen is None:
        return maps.mean((1, 2, 3))
    return torch.where(seen, maps, torch.zeros_like(maps)).sum((1, 2, 3)) / seen.sum((1, 2, 3)).clamp(min=1)


@contextmanager
def running_statistics(network: nn.Module) -> Iterator[None]:
    """Within the block, batch normalisations use their running statistics and do not measure any."""
    measuring = [norm for norm in _batch_norms(network) if norm.training]
    for norm in measuring:
        norm.eval()
    try:
        yield
    finally:
        for norm in measuring:
            norm.train()


def _batch_norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
