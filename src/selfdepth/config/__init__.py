"""The configuration of a run, as plain values: its parts, the whole, and its JSON. Imports no torch."""

from selfdepth.config.augment import AugmentConfig
from selfdepth.config.encoder import LITE0, POSE_ENCODER, EncoderConfig, PoseInput, PoseNetworkName
from selfdepth.config.learned_camera import learning_of
from selfdepth.config.loss import LossConfig
from selfdepth.config.teacher import TeacherConfig
from selfdepth.config.train import (
    NOMINAL_BASELINE,
    NOMINAL_FACTOR,
    Method,
    Rectify,
    ResolvedConfig,
    Stereo,
    TrainConfig,
)
from selfdepth.config.values import from_json, to_json

__all__ = [
    "LITE0",
    "NOMINAL_BASELINE",
    "NOMINAL_FACTOR",
    "POSE_ENCODER",
    "AugmentConfig",
    "EncoderConfig",
    "LossConfig",
    "Method",
    "PoseInput",
    "PoseNetworkName",
    "Rectify",
    "ResolvedConfig",
    "Stereo",
    "TeacherConfig",
    "TrainConfig",
    "from_json",
    "learning_of",
    "to_json",
]
