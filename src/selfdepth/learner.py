"""The training step: both networks and the objective, as one module with one forward (paper, section 3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.config import TrainConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.geometry.warp import disparity_from_depth
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import PoseNet
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
        )
        if config.loss.start_depth is not None:
            near, far = config.loss.near, config.loss.far
            self.depth_net.decoder.start_at(disparity_from_depth(config.loss.start_depth, near, far))
        self.pose_net: PoseNet | None = None
        if config.offsets:
            self.pose_net = PoseNet(config.encoder.pose_name, pretrained=config.encoder.pretrained)

    def forward(self, batch: Batch) -> StepOutput:
        """One training step up to the loss: see, move, rebuild, compare."""
        with self._network_precision(batch):
            disparities, masks = self.depth_net.with_masks(batch.inputs[:, 0])
        T_source_target = self.relative_transforms(batch)
        if masks is not None:  # the partner's is the last; a clip without one does without it
            masks = tuple(mask[:, : T_source_target.shape[1]] for mask in masks)

        objective = self_supervised_loss(disparities, T_source_target, batch.frames, batch.K, self.loss_config, masks)
        terms = {f"loss/scale_{s}": loss.detach() for s, loss in enumerate(objective.per_scale)}
        return StepOutput(
            loss=objective.loss,
            terms=terms,
            depth=objective.depth.detach(),
            disparity=disparities[0].detach(),
            T_source_target=T_source_target.detach(),
            keep=objective.keep[0],
        )

    def see(self, batch: Batch) -> Float[Tensor, "b 1 h w"]:
        """The finest disparity of the targets alone, which need no sources for it."""
        with self._network_precision(batch):
            finest: Tensor = self.depth_net(batch.inputs[:, 0])[0]
        return finest

    def relative_transforms(self, batch: Batch) -> Float[Tensor, "b s 4 4"]:
        """T_source_target of every source: learned for other times, given for the stereo partner."""
        transforms = [self._motion(batch, view, offset) for view, offset in enumerate(batch.offsets, start=1)]
        if batch.T_stereo_target is not None:
            transforms.append(batch.T_stereo_target)
        return torch.stack(transforms, dim=1)

    def _motion(self, batch: Batch, view: int, offset: int) -> Float[Tensor, "b 4 4"]:
        # The network always sees the earlier image first and gives T_later_earlier: one direction to learn, not two.
        # Each pair passes on its own, so that BatchNorm sees one direction of time at once.
        assert self.pose_net is not None, "batches have the offsets that the learner was built for"
        order = [view, 0] if offset < 0 else [0, view]
        with self._network_precision(batch):
            axis_angle, translation = self.pose_net(batch.inputs[:, order])
        T_later_earlier = transform_from_axis_angle(axis_angle[:, 0], translation[:, 0])
        return invert(T_later_earlier) if offset < 0 else T_later_earlier

    def _network_precision(self, batch: Batch) -> torch.autocast:
        # Around the networks alone: the products of rotations are geometry, and bf16 would round them to three digits.
        low = self.network_dtype != torch.float32
        return torch.autocast(batch.frames.device.type, dtype=self.network_dtype, enabled=low)
