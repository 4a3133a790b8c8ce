"""Which training step a configuration gives."""

from __future__ import annotations

import torch

from helpers.models import TINY_DEPTH, tiny_config
from selfdepth.config import LossConfig
from selfdepth.learners.left_right import LeftRightDepth
from selfdepth.learners.methods import build_learner
from selfdepth.learners.self_supervised import SelfSupervisedDepth

PLAIN = LossConfig(automask=False, reprojection="mean", multiscale="native")


def test_every_method_has_a_training_step_in_the_arithmetic_asked_for() -> None:
    assert isinstance(build_learner(tiny_config()), SelfSupervisedDepth)
    pair = {"offsets": (), "stereo": "calibrated", "encoder": TINY_DEPTH, "loss": PLAIN}
    built = build_learner(tiny_config(method="monodepth-v1", **pair), network_dtype=torch.bfloat16)
    assert isinstance(built, LeftRightDepth) and built.network_dtype == torch.bfloat16
    assert {name.split(".")[0] for name in built.state_dict()} == {"depth_net"}
