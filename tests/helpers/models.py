"""Models for tests: small networks with random weights, as they lie on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.geometry.camera import Camera
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.weights.files import Scale, WeightsMeta, save_weights

WIDTH, HEIGHT = 96, 64

TINY = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
"""The smallest encoders that have the five levels."""

TINY_DEPTH = EncoderConfig(name="test_resnet", pretrained=False)
"""The same where no separate pose network is trained, which alone may name an encoder."""


def tiny_config(**changes: Any) -> TrainConfig:
    """A run with the smallest networks, at 96x64 pixels."""
    return TrainConfig(**{"width": WIDTH, "height": HEIGHT, "encoder": TINY, **changes})


def untrained(config: TrainConfig, *, seed: int = 0) -> SelfSupervisedDepth:
    """The networks of a run before its first step: the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SelfSupervisedDepth(config)


def depth_only(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the depth network alone."""
    return {name: tensor for name, tensor in state.items() if name.startswith("depth_net.")}


def write_model(
    folder: Path,
    config: TrainConfig,
    *,
    state: dict[str, Tensor] | None = None,
    camera: Camera | None = None,
    scale: Scale = "relative",
    step: int | None = None,
) -> Path:
    """Write a weights folder; `state` is that of the untrained networks if not given. Returns the folder."""
    weights = untrained(config).state_dict() if state is None else state
    save_weights(folder, weights, WeightsMeta(config=config, camera=camera, scale=scale, step=step))
    return folder


def random_images(*shape: int) -> Tensor:
    """Noise of 64x64 pixels, the same whenever it is asked for; `shape` is what comes before the channels."""
    return torch.rand(*shape, 3, 64, 64, generator=torch.Generator().manual_seed(0))
