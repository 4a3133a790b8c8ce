"""The methods to learn depth by: the training step that the configuration's `method` names."""

from __future__ import annotations

import torch

from selfdepth.config import Method, TrainConfig
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.left_right import LeftRightDepth

Learner = SelfSupervisedDepth | LeftRightDepth
"""A training step: `forward(batch)` gives a `StepOutput`, `predict_disparity(batch)` the disparity of the targets."""

LEARNERS: dict[Method, type[SelfSupervisedDepth] | type[LeftRightDepth]] = {
    "monodepth2": SelfSupervisedDepth,
    "monodepth-v1": LeftRightDepth,
}
"""By the configuration's `method`."""


def build_learner(config: TrainConfig, *, network_dtype: torch.dtype = torch.float32) -> Learner:
    """The training step of a run, with its networks.

    Args:
        network_dtype: arithmetic of the networks; geometry and loss stay in float32.

    Raises:
        ConfigError: for an encoder that does not exist, does not fit, or whose pretrained weights are out of reach.
    """
    return LEARNERS[config.method](config, network_dtype=network_dtype)
