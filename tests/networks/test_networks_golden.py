"""The networks give the reference outputs for reference weights, and have the published shapes."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import nn

from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import DepthFeatures, PoseNet, PoseNetwork, SharedPoseNet
from selfdepth.networks.posecnn import PoseCNN
from selfdepth.weights.published_names import published_depth_key, published_pose_key


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


Network = TypeVar("Network", bound=nn.Module)


def load_reference(network: Network, variant: str, rename: Callable[[str], tuple[str, str]]) -> Network:
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


POSE_NETWORKS: dict[str, Callable[[], PoseNetwork]] = {
    "resnet18": PoseNet,
    "resnet50": lambda: PoseNet("resnet50"),
    "resnet18_all": lambda: PoseNet(n_images=3),
    "posecnn": PoseCNN,
    "shared": lambda: SharedPoseNet(512),
}


@pytest.mark.parametrize("variant", POSE_NETWORKS)
@torch.inference_mode()
def test_motions_match_the_reference_to_1e_9(outputs: dict[str, np.ndarray], variant: str) -> None:
    network = load_reference(POSE_NETWORKS[variant](), variant, published_pose_key)
    images = torch.from_numpy(outputs["images"])[None, : 3 if variant.endswith("_all") else 2]
    depth_features = None
    if network.uses_depth:
        depth_net = load_reference(DepthNet(), "resnet18", published_depth_key)
        # A mean inverse depth of one: the reference is PoseCNN's output as it is.
        depth_features = DepthFeatures(
            features=depth_net.encode(images)[-1], mean_inverse_depth=torch.ones(1, dtype=torch.float64)
        )
    axis_angle, translation = network(network.views(images, depth_features))
    assert close(axis_angle.unsqueeze(2), outputs[f"{variant}/axisangle"])
    assert close(network.scaled(translation, depth_features).unsqueeze(2), outputs[f"{variant}/translation"])


def test_every_reference_output_is_compared(outputs: dict[str, np.ndarray]) -> None:
    assert {name.split("/")[0] for name in outputs} - {"images"} == {*POSE_NETWORKS}


@pytest.mark.parametrize("variant", POSE_NETWORKS)
def test_every_published_tensor_has_its_place_and_shape(golden: Path, variant: str) -> None:
    published = json.loads((golden / "networks_and_metrics" / "network_keys.json").read_text())[variant]
    named = {published_pose_key(key): tensor for key, tensor in POSE_NETWORKS[variant]().state_dict().items()}
    if "depth.pth" in published:
        named |= {published_depth_key(key): tensor for key, tensor in DepthNet(variant).state_dict().items()}
    ours: dict[str, dict[str, list[int]]] = {}
    for (file, name), tensor in named.items():
        ours.setdefault(file, {})[name] = list(tensor.shape)
    used = {
        file: {name: list(shape) for name, shape in keys.items() if ".fc." not in name}
        for file, keys in published.items()
    }
    assert ours == used


@pytest.mark.parametrize("key", ["decoder.squeeze.0.0.weight", "encoder.conv1.weight", "T_source_target"])
def test_a_tensor_that_published_networks_do_not_have_is_no_pose_key(key: str) -> None:
    with pytest.raises(KeyError):
        published_pose_key(key)
