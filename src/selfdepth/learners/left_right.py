"""The training step of Monodepth v1: both disparities of a stereo pair from one of its images (arXiv 1609.03677)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from selfdepth.config import TrainConfig
from selfdepth.geometry.depth_range import MAX_DISPARITY
from selfdepth.losses.left_right import LeftRightScale, left_right_terms
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import PoseNetwork
from selfdepth.structs import Batch, StepOutput


class LeftRightDepth(nn.Module):
    """A depth network that learns the disparities of both views of a rectified stereo pair from the left one.

    It has the interface of `SelfSupervisedDepth`: one forward, and `predict_disparity` of a single image.

    Args:
        config: the encoder, the scales and the weights of the objective.
        network_dtype: arithmetic of the network; the loss stays in float32.

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
            n_views=config.n_views,
            scales=config.encoder.scales,
        )
        self.pose_net = PoseNetwork()  # without weights: the cameras of a pair are known

    def forward(self, batch: Batch) -> StepOutput:
        """One training step up to the loss: predict both disparities, rebuild each view from the other, compare.

        Args:
            batch: pairs; `T_stereo_target` is set, and there are no sources in time.
        """
        T_stereo_target = batch.T_stereo_target
        assert T_stereo_target is not None, "Monodepth v1 learns from pairs alone"
        # The network reads left images only. A target may be of either camera, and mirroring a pair exchanges its
        # views: so the translation decides which is which. A point's x is smaller in the right camera's frame.
        target_is_left = T_stereo_target[:, 0, 3] < 0
        inputs = _left_first(batch.inputs, target_is_left)
        with self._network_precision(batch):
            features = self.depth_net.encode(inputs[:, :1])
            sigmoids, _ = self.depth_net.decode([level[:, 0] for level in features])

        # With the clean frames, not the jittered inputs: the jitter must not count as an error.
        scales = left_right_terms(
            tuple(MAX_DISPARITY * sigmoid for sigmoid in sigmoids),
            _left_first(batch.frames, target_is_left),
            self.loss_config,
        )
        losses = [scale.loss(self.loss_config) for scale in scales]
        disparity = self._target_disparity(batch, sigmoids[0].detach(), target_is_left)
        return StepOutput(
            loss=torch.stack(losses).sum(),  # a sum, as in the paper, not the mean over the scales
            terms=_terms(scales, losses),
            depth=_depth(disparity, batch.K, T_stereo_target, width=batch.frames.shape[-1]),
            disparity=disparity,
            T_source_target=T_stereo_target.unsqueeze(1),
            automask=torch.ones_like(disparity[:, 0]),  # every pixel counts
        )

    def predict_disparity(self, batch: Batch) -> Float[Tensor, "b 1 _h _w"]:
        """The finest sigmoid disparity of the targets, in (0, 1), each taken for a left image as in prediction."""
        with self._network_precision(batch):
            finest: Tensor = self.depth_net(batch.inputs[:, 0])[0]
        return finest

    def _target_disparity(
        self, batch: Batch, sigmoids: Float[Tensor, "b 2 _h _w"], target_is_left: Bool[Tensor, " b"]
    ) -> Float[Tensor, "b 1 _h _w"]:
        """The sigmoid disparity aligned with the target: the left or the right one of the pair."""
        if not self.training:
            # What is validated must be what is predicted: the disparity of the target, from the target alone.
            return self.predict_disparity(batch).detach()
        return torch.where(target_is_left[:, None, None, None], sigmoids[:, :1], sigmoids[:, 1:])

    def _network_precision(self, batch: Batch) -> torch.autocast:
        low = self.network_dtype != torch.float32
        return torch.autocast(batch.frames.device.type, dtype=self.network_dtype, enabled=low)


def _left_first(pairs: Float[Tensor, "b 2 3 h w"], target_is_left: Bool[Tensor, " b"]) -> Float[Tensor, "b 2 3 h w"]:
    """The left view, then the right one, of targets with their partners."""
    return torch.where(target_is_left[:, None, None, None, None], pairs, pairs.flip(1))


def _depth(
    sigmoid: Float[Tensor, "b 1 h w"], K: Float[Tensor, "b 3 3"], T_stereo_target: Float[Tensor, "b 4 4"], *, width: int
) -> Float[Tensor, "b 1 h w"]:
    """Depth = focal length * baseline / (d * width), with each clip's own camera; in the unit of the translation."""
    focal_baseline = K[:, 0, 0] * T_stereo_target[:, 0, 3].abs() / width
    return focal_baseline[:, None, None, None] / (MAX_DISPARITY * sigmoid)


def _terms(scales: tuple[LeftRightScale, ...], losses: list[Tensor]) -> dict[str, Float[Tensor, ""]]:
    """Scalars for the log: the loss of every scale, and the terms of the finest one."""
    terms = {f"loss/scale_{scale.scale}": loss.detach() for scale, loss in zip(scales, losses, strict=True)}
    for name in ("appearance", "smoothness", "consistency"):
        terms[f"loss/{name}"] = getattr(scales[0], name).detach()
    return terms
