"""The training step: both networks and the objective, as one module with one forward (paper, section 3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.config import TrainConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import DepthFeatures
from selfdepth.networks.pose_variants import POSE_INPUTS, pose_network
from selfdepth.structs import Batch, StepOutput


class SelfSupervisedDepth(nn.Module):
    """Depth and pose network trained together by view synthesis; from stereo pairs alone, no pose network is needed.

    Args:
        config: encoders, offsets and the objective's switches.
        network_dtype: what the networks compute in; geometry and loss stay in float32.
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
        """One training step up to the loss: see, move, rebuild, compare."""
        disparities, masks, seen = self._see(batch)
        T_source_target = self._move(batch, seen)
        if masks is not None:  # the partner's is the last; a clip without one does without it
            masks = tuple(mask[:, : T_source_target.shape[1]] for mask in masks)

        objective = self_supervised_loss(disparities, T_source_target, batch.frames, batch.K, self.loss_config, masks)
        scales = self.depth_net.decoder.scales
        terms = {f"loss/scale_{s}": loss.detach() for s, loss in zip(scales, objective.per_scale, strict=True)}
        return StepOutput(
            loss=objective.loss,
            terms=terms,
            depth=objective.depth.detach(),
            disparity=disparities[0].detach(),
            T_source_target=T_source_target.detach(),
            keep=objective.keep[0],
        )

    def see(self, batch: Batch) -> Float[Tensor, "b 1 _h _w"]:
        """The finest disparity of the targets alone, which need no sources for it."""
        with self._network_precision(batch):
            finest: Tensor = self.depth_net(batch.inputs[:, 0])[0]
        return finest

    def relative_transforms(self, batch: Batch) -> Float[Tensor, "b s 4 4"]:
        """T_source_target of every source: learned for other times, given for the stereo partner."""
        return self._move(batch, self._see(batch)[2] if self.pose_net.uses_depth else None)

    def _see(self, batch: Batch) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...] | None, DepthFeatures]:
        n_images = self.pose_net.n_encoded(1 + len(batch.offsets))
        with self._network_precision(batch):
            features = self.depth_net.encode(batch.inputs[:, :n_images])
            disparities, masks = self.depth_net.decode([level[:, 0] for level in features])
        inverse_depth = self.loss_config.depth_range.disparity(disparities[0])
        return (
            disparities,
            masks,
            DepthFeatures(features=features[-1], mean_inverse_depth=inverse_depth.mean((1, 2, 3))),
        )

    def _move(self, batch: Batch, seen: DepthFeatures | None) -> Float[Tensor, "b s 4 4"]:
        views = self.pose_net.views(batch.inputs[:, : 1 + len(batch.offsets)], seen)
        transforms: list[Tensor] = []
        for look in self.pose_passes(batch.offsets):
            with self._network_precision(batch):
                axis_angle, translation = self.pose_net(views[:, look.order])
            T = transform_from_axis_angle(axis_angle, self.pose_net.scaled(translation, seen))[:, : look.n_motions]
            transforms.append(invert(T) if look.inverted else T)
        if batch.T_stereo_target is not None:
            transforms.append(batch.T_stereo_target.unsqueeze(1))
        return torch.cat(transforms, dim=1)

    def _network_precision(self, batch: Batch) -> torch.autocast:
        # Around the networks alone: the products of rotations are geometry, and bf16 would round them to three digits.
        low = self.network_dtype != torch.float32
        return torch.autocast(batch.frames.device.type, dtype=self.network_dtype, enabled=low)
