"""A small model with random weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.geometry.camera import Camera
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.networks.depth import DepthNet
from selfdepth.weights.files import WeightsMeta, save_weights

WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Images this small are slower on several threads, far slower where other work shares the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def model_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {f"depth_net.{name}": tensor for name, tensor in DepthNet("resnet18").state_dict().items()}


@pytest.fixture(scope="session")
def meta() -> WeightsMeta:
    config = TrainConfig(width=WIDTH, height=HEIGHT, data="street.mp4", encoder=EncoderConfig(pretrained=True))
    camera = Camera(fx=80.0, fy=81.0, cx=47.0, cy=30.0, width=WIDTH, height=HEIGHT)
    return WeightsMeta(config=config, camera=camera, scale="relative", step=7)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, model_state: dict[str, torch.Tensor], meta: WeightsMeta) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_weights(folder, model_state, meta)
    return folder


@pytest.fixture(scope="session")
def moving_model(tmp_path_factory: pytest.TempPathFactory, meta: WeightsMeta) -> Path:
    """A model with a pose network too, whose motions are as large as on a street."""
    torch.manual_seed(1)
    encoder = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
    config = dataclasses.replace(meta.config, encoder=encoder)
    learner = SelfSupervisedDepth(config)
    with torch.no_grad():
        learner.pose_net.decoder.output.weight *= 30
        learner.pose_net.decoder.output.bias[5] = -30
    folder = tmp_path_factory.mktemp("moving")
    save_weights(folder, learner.state_dict(), dataclasses.replace(meta, config=config))
    return folder
