"""The training step of self-teaching: the student's depth and confidence against the depth of a frozen teacher."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import TrainConfig
from selfdepth.learners.frozen import FrozenDepth
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.self_teaching import confidence_of, self_teaching_loss
from selfdepth.structs import Batch, StepOutput


class SelfTaughtDepth(SelfSupervisedDepth):
    """A student of a model of this method (Poggi et al., CVPR 2020, "Self"): it learns depth and confidence from it.

    The images teach it nothing, so motion is not learned: its pose network is to be the teacher's, which fits the
    student's depth too, as that is in the same unit. Whoever builds a student loads it.

    Args:
        config: as of `SelfSupervisedDepth`, with `self_teacher`.
        teacher: predicts the depth to learn, in the same range of depths. Its weights are not part of the state.
        network_dtype: as of `SelfSupervisedDepth`.

    Raises:
        ConfigError: as `SelfSupervisedDepth`.
    """

    def __init__(
        self, config: TrainConfig, teacher: FrozenDepth, *, network_dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(config, network_dtype=network_dtype)
        self.teacher = teacher
        self.pose_net.requires_grad_(False)

    def forward(self, batch: Batch) -> StepOutput:
        """One training step up to the loss: predict depth and sigma, ask the teacher, compare. Sources are not read."""
        with self._network_precision(batch):
            disparities, log_sigmas = self.depth_net.forward_with_log_sigma(batch.inputs[:, 0])
        # The teacher sees the clean colours: it is as good as it can be, and the student learns to see through the
        # jitter.
        taught = self.teacher.disparity(batch.frames[:, 0])
        depth_range = self.loss_config.depth_range
        losses = self_teaching_loss(disparities, log_sigmas, taught, depth_range)
        terms = {
            f"loss/scale_{s}": loss.detach() for s, loss in zip(self.depth_net.decoder.scales, losses, strict=True)
        }
        with torch.no_grad():
            finest = depth_range.disparity(_resized(disparities[0], taught))
            terms["deviation"] = (finest.log() - taught.log()).abs().mean()
            confidence = confidence_of(log_sigmas[0], depth_range.disparity(disparities[0]))
        return StepOutput(
            loss=torch.stack(losses).mean(),
            terms=terms | {"confidence": confidence.mean()},
            depth=1 / finest,
            disparity=disparities[0].detach(),
            T_source_target=batch.frames.new_zeros(len(taught), 0, 4, 4),
            automask=torch.ones_like(taught[:, 0]),
            confidence=confidence,
        )


def _resized(maps: Float[Tensor, "b 1 _h _w"], like: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    return F.interpolate(maps, like.shape[-2:], mode="bilinear", align_corners=False)
