"""The training step: both networks and the objective, as one module with one forward (paper, section 3)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.config import TrainConfig
from selfdepth.frozen import FrozenDepth
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.losses.anchor import anchor_loss
from selfdepth.losses.distillation import distillation_loss
from selfdepth.losses.motion_first import motion_loss, unmasked_loss
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import DepthFeatures
from selfdepth.networks.pose_variants import POSE_INPUTS, pose_network
from selfdepth.structs import Batch, StepOutput

Stage = Literal["motion", "unmasked", "full"]
"""What a training step learns from: see `engine/motion_first.py`."""


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
        self.teacher_weight = config.teacher.weight
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
        self.pose_passes = POSE_INPUTS[config.encoder.pose_input]
        self.stage: Stage = "full"
        """Of training; the training loop sets it."""
        self.train()  # as modules begin, but with the statistics that are to stay

    def train(self, mode: bool = True) -> SelfSupervisedDepth:
        """Set training or evaluation mode. Frozen batch normalisations stay in evaluation mode: their statistics are
        used and not measured. Their factors and offsets are weights, and learn."""
        super().train(mode)
        if self.freeze_batch_norm:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, batch: Batch) -> StepOutput:
        """One training step up to the loss: predict depth, predict motion, rebuild the target, compare."""
        if self.training and self.stage == "motion":
            return self._learn_motion(batch)
        # Section 3.1: depth from the target alone, so that one image is enough for prediction later; motion from the
        # target and its sources.
        disparities, masks, depth_features = self._predict_disparities(batch)
        T_source_target = self._predict_transforms(batch, depth_features)
        if masks is not None:
            # One mask per source, the stereo partner's last. Clips without a partner leave it unused.
            masks = tuple(mask[:, : T_source_target.shape[1]] for mask in masks)

        # Section 3.2: rebuild the target and compare (equations 1 to 5). With the clean frames, not the jittered
        # inputs: the jitter makes the networks robust, and must not count as an error.
        compare = unmasked_loss if self.training and self.stage == "unmasked" else self_supervised_loss
        objective = compare(disparities, T_source_target, batch.frames, batch.K, self.loss_config, masks)

        scales = self.depth_net.decoder.scales
        terms = {f"loss/scale_{s}": loss.detach() for s, loss in zip(scales, objective.per_scale, strict=True)}
        loss = objective.loss
        for name, (weight, term) in self._later_terms(disparities, batch).items():
            loss, terms[f"loss/{name}"] = loss + weight * term, term.detach()
        return StepOutput(
            loss=loss,
            terms=terms,
            depth=objective.depth.detach(),
            disparity=disparities[0].detach(),
            T_source_target=T_source_target.detach(),
            automask=objective.automask[0],
        )

    def _later_terms(
        self, disparities: tuple[Float[Tensor, "b 1 _h _w"], ...], batch: Batch
    ) -> dict[str, tuple[float, Float[Tensor, ""]]]:
        """Weight and value of each part of the objective that came after the paper, by name; all are options."""
        terms: dict[str, tuple[float, Tensor]] = {}
        if batch.teacher is not None:  # in shape alone, free of scale and shift
            terms["teacher"] = self.teacher_weight, distillation_loss(disparities[0], batch.teacher)
        if self.anchor is not None:
            # Of the clean colours, too: the start must not be judged by the jitter.
            start = self.anchor.disparity(batch.frames[:, 0])
            terms["anchor"] = self.anchor_weight, anchor_loss(disparities, start, self.loss_config.depth_range)
        return terms

    def _learn_motion(self, batch: Batch) -> StepOutput:
        """A step that learns the motion at the depth of the untrained network, everywhere the same."""
        T_source_target = self.relative_transforms(batch)
        depth_range, untrained = self.loss_config.depth_range, self.loss_config.untrained_depth
        depth = torch.full_like(batch.frames[:, 0, :1], untrained)
        loss, explained = motion_loss(untrained, T_source_target, batch.frames, batch.K, self.loss_config)
        return StepOutput(
            loss=loss,
            terms={},
            depth=depth,
            disparity=torch.full_like(depth, depth_range.sigmoid(untrained)),
            T_source_target=T_source_target.detach(),
            automask=explained,
        )

    def predict_disparity(self, batch: Batch) -> Float[Tensor, "b 1 _h _w"]:
        """The finest sigmoid disparity of the targets, in (0, 1). The sources of the batch are not read."""
        with self._network_precision(batch):
            finest: Tensor = self.depth_net(batch.inputs[:, 0])[0]
        return finest

    def relative_transforms(self, batch: Batch) -> Float[Tensor, "b s 4 4"]:
        """T_source_target of every source: predicted for other times, calibrated for the stereo partner."""
        depth_features = self._predict_disparities(batch)[2] if self.pose_net.uses_depth else None
        return self._predict_transforms(batch, depth_features)

    def _predict_disparities(
        self, batch: Batch
    ) -> tuple[tuple[Float[Tensor, "b 1 _h _w"], ...], tuple[Float[Tensor, "b s _h _w"], ...] | None, DepthFeatures]:
        """Sigmoid disparities of the target and predictive masks, both finest first; features for the pose network."""
        n_images = self.pose_net.n_encoded(1 + len(batch.offsets))
        with self._network_precision(batch):
            features = self.depth_net.encode(batch.inputs[:, :n_images])
            disparities, masks = self.depth_net.decode([level[:, 0] for level in features])
        # For PoseCNN, whose translation is relative to the depth of the scene.
        inverse_depth = self.loss_config.depth_range.disparity(disparities[0])
        depth_features = DepthFeatures(features=features[-1], mean_inverse_depth=inverse_depth.mean((1, 2, 3)))
        return disparities, masks, depth_features

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
