"""The methods to learn depth by: the training step that the configuration's `method` names."""

from __future__ import annotations

import torch

from selfdepth.config import TrainConfig
from selfdepth.learners.frozen import FrozenDepth
from selfdepth.learners.left_right import LeftRightDepth
from selfdepth.learners.self_supervised import SelfSupervisedDepth

Learner = SelfSupervisedDepth | LeftRightDepth
"""A training step: `forward(batch)` gives a `StepOutput`, `predict_disparity(batch)` the disparity of the targets."""


def build_learner(
    config: TrainConfig, *, network_dtype: torch.dtype = torch.float32, anchor: FrozenDepth | None = None
) -> Learner:
    """The training step of a run, with its networks.

    Args:
        network_dtype: arithmetic of the networks; geometry and loss stay in float32.
        anchor: network near whose depth the run stays. Monodepth v1 has no such option.

    Raises:
        ConfigError: for an encoder that does not exist, does not fit, or whose pretrained weights are out of reach.
    """
    if config.method == "monodepth-v1":
        return LeftRightDepth(config, network_dtype=network_dtype)
    return SelfSupervisedDepth(config, network_dtype=network_dtype, anchor=anchor)
