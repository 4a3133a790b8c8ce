"""The training step: both networks and the objective, as one module with one forward (paper, section 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.config import TrainConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.losses.consistency import consistency_loss
from selfdepth.losses.objective import self_supervised_loss, upsample
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import DepthFeatures
from selfdepth.networks.pose_variants import POSE_INPUTS, pose_network
from selfdepth.structs import Batch, StepOutput


class _Predicted(NamedTuple):
    """What the depth network says of the clips.

    Attributes:
        disparities: sigmoids of the target, finest first.
        masks: predictive masks, likewise; None without them.
        depth_features: for the pose network.
        source_disparities: finest sigmoids of the sources in time; None if nothing asks for their depth.
    """

    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...]
    masks: tuple[Float[Tensor, "b s _h _w"], ...] | None
    depth_features: DepthFeatures
    source_disparities: Float[Tensor, "b n 1 _h _w"] | None


class SelfSupervisedDepth(nn.Module):
    """The depth and the pose network, trained together by view synthesis. Stereo pairs alone need no pose network.

    One module with one forward, so that it can be compiled and wrapped as a whole.

    Args:
        config: encoders, offsets and the switches of the objective.
        network_dtype: arithmetic of the networks; geometry and loss stay in float32.

    Raises:
        ConfigError: for an encoder that does not exist, does not fit, or whose pretrained weights are out of reach.
    """

    def __init__(self, config: TrainConfig, *, network_dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.loss_config = config.loss
        self.network_dtype = network_dtype
        self.depth_net = DepthNet(
            config.encoder.name,
            pretrained=config.encoder.pretrained,
            n_mask_sources=config.n_sources if config.loss.predictive_mask else 0,
            scales=config.encoder.scales,
        )
        if config.loss.start_depth is not None:
            self.depth_net.decoder.start_at(config.loss.depth_range.sigmoid(config.loss.start_depth))
        self.pose_net = pose_network(config.encoder, config.offsets, channels=self.depth_net.encoder.channels[-1])
        self.pose_passes = POSE_INPUTS[config.encoder.pose_input]

    def forward(self, batch: Batch) -> StepOutput:
        """One training step up to the loss: predict depth, predict motion, rebuild the target, compare."""
        # Section 3.1: depth from the target alone, so that one image is enough for prediction later; motion from the
        # target and its sources.
        disparities, masks, depth_features, source_disparities = self._predict_disparities(batch)
        T_source_target = self._predict_transforms(batch, depth_features)
        if masks is not None:
            # One mask per source, the stereo partner's last. Clips without a partner leave it unused.
            masks = tuple(mask[:, : T_source_target.shape[1]] for mask in masks)

        # Section 3.2: rebuild the target and compare (equations 1 to 5). With the clean frames, not the jittered
        # inputs: the jitter makes the networks robust, and must not count as an error.
        objective = self_supervised_loss(disparities, T_source_target, batch.frames, batch.K, self.loss_config, masks)

        scales = self.depth_net.decoder.scales
        terms = {f"loss/scale_{s}": loss.detach() for s, loss in zip(scales, objective.per_scale, strict=True)}
        loss = objective.loss
        if source_disparities is not None:
            size = (batch.frames.shape[-2], batch.frames.shape[-1])
            consistency = self._consistency(disparities[0], source_disparities, T_source_target, batch.K, size)
            terms["loss/consistency"] = consistency.detach()
            loss = loss + self.loss_config.consistency * consistency
        return StepOutput(
            loss=loss,
            terms=terms,
            depth=objective.depth.detach(),
            disparity=disparities[0].detach(),
            T_source_target=T_source_target.detach(),
            automask=objective.automask[0],
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
            # Target and sources in one pass, so that BatchNorm normalises them by the same statistics. In two passes
            # their depths would differ in scale by the chance of these statistics, and the loss would punish that.
            features = self.depth_net.encode(batch.inputs[:, : n_images if compare_depths else n_encoded])
            disparities, masks = self.depth_net.decode([level[:, 0] for level in features])
            sources = None
            if compare_depths:
                finest: Tensor = self.depth_net.decoder([level[:, 1:].flatten(0, 1) for level in features])[0]
                sources = torch.unflatten(finest, 0, (-1, n_images - 1))
        # For PoseCNN, whose translation is relative to the depth of the scene.
        inverse_depth = self.loss_config.depth_range.disparity(disparities[0])
        depth_features = DepthFeatures(
            features=features[-1][:, :n_encoded], mean_inverse_depth=inverse_depth.mean((1, 2, 3))
        )
        return _Predicted(disparities, masks, depth_features, sources)

    def _consistency(
        self,
        target: Float[Tensor, "b 1 _h _w"],
        sources: Float[Tensor, "b n 1 _h _w"],
        T_source_target: Float[Tensor, "b s 4 4"],
        K: Float[Tensor, "b 3 3"],
        size: tuple[int, int],
    ) -> Float[Tensor, ""]:
        """The consistency of the finest depths of the target and its sources in time. The partner's scale is given."""
        depth = self.loss_config.depth_range.depth
        n = sources.shape[1]
        depths = torch.unflatten(depth(upsample(sources.flatten(0, 1), size)), 0, (-1, n))
        return consistency_loss(depth(upsample(target, size)), depths, T_source_target[:, :n], K)

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
