"""The networks give the reference outputs for reference weights, and have the published shapes."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from selfdepth.interop.monodepth2 import published_depth_key, published_pose_key
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import PoseNet


def reference_tensor(variant: str, file: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight that the reference outputs were made with: a function of its published name."""
    name = f"{variant}/{file}/{key}"
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = key.rsplit(".", 1)[-1]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if kind == "running_var":
        return rng.uniform(0.5, 1.5, shape)
    if kind == "running_mean":
        return 0.1 * rng.standard_normal(shape)
    if len(shape) >= 2:
        return rng.standard_normal(shape) * np.sqrt(1 / math.prod(shape[1:]))
    return rng.uniform(0.5, 1.5, shape) if kind == "weight" else 0.1 * rng.standard_normal(shape)


def load_reference(network: nn.Module, variant: str, rename: Callable[[str], tuple[str, str]]) -> nn.Module:
    state = {
        key: torch.from_numpy(np.asarray(reference_tensor(variant, *rename(key), tuple(tensor.shape))))
        for key, tensor in network.state_dict().items()
    }
    network.double().load_state_dict(state)
    return network.eval()


@pytest.fixture(scope="module")
def outputs(golden: Path) -> dict[str, np.ndarray]:
    return dict(np.load(golden / "networks_and_metrics" / "networks.npz"))


def close(got: torch.Tensor, wanted: np.ndarray) -> bool:
    return bool(np.linalg.norm(got.numpy() - wanted) < 1e-9 * np.linalg.norm(wanted))


@pytest.mark.parametrize("variant", ["resnet18", "resnet50"])
@torch.inference_mode()
def test_disparities_match_the_reference_to_1e_9(outputs: dict[str, np.ndarray], variant: str) -> None:
    network = load_reference(DepthNet(variant), variant, published_depth_key)
    images = torch.from_numpy(outputs["images"])[:2]
    for scale, disparity in enumerate(network(images)):
        assert close(disparity, outputs[f"{variant}/disp/{scale}"]), scale


@pytest.mark.parametrize("variant", ["resnet18", "resnet50"])
def test_motions_match_the_reference_to_1e_9(outputs: dict[str, np.ndarray], variant: str) -> None:
    network = load_reference(PoseNet(variant), variant, published_pose_key)
    pair = torch.from_numpy(outputs["images"])[None, :2]
    with torch.inference_mode():
        axis_angle, translation = network(pair)
    assert close(axis_angle.unsqueeze(2), outputs[f"{variant}/axisangle"])
    assert close(translation.unsqueeze(2), outputs[f"{variant}/translation"])


def test_every_published_tensor_has_its_place_and_shape(golden: Path) -> None:
    published = json.loads((golden / "networks_and_metrics" / "network_keys.json").read_text())["resnet18"]
    ours: dict[str, dict[str, list[int]]] = {}
    for network, rename in ((DepthNet(), published_depth_key), (PoseNet(), published_pose_key)):
        for key, tensor in network.state_dict().items():
            file, name = rename(key)
            ours.setdefault(file, {})[name] = list(tensor.shape)
    for file, keys in published.items():
        used = {name: list(shape) for name, shape in keys.items() if ".fc." not in name}
        assert ours[file] == used, file
