"""Every tensor of a published checkpoint has its place and shape in our networks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import PoseNet, SharedPoseNet
from selfdepth.networks.posecnn import PoseCNN
from selfdepth.weights.published_names import FILES, published_depth_key, published_key, published_pose_key

Keys = dict[str, dict[str, dict[str, list[int]]]]

POSE_NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": PoseNet,
    "resnet50": lambda: PoseNet("resnet50"),
    "resnet18_all": lambda: PoseNet(n_images=3),
    "posecnn": PoseCNN,
    "shared": lambda: SharedPoseNet(512),
}


@pytest.mark.parametrize("variant", POSE_NETWORKS)
def test_every_published_tensor_has_its_place_and_shape(published_keys: Keys, variant: str) -> None:
    with torch.device("meta"):
        named = {published_pose_key(key): tensor for key, tensor in POSE_NETWORKS[variant]().state_dict().items()}
        if "depth.pth" in published_keys[variant]:
            named |= {published_depth_key(key): tensor for key, tensor in DepthNet(variant).state_dict().items()}
    ours: dict[str, dict[str, list[int]]] = {}
    for (file, name), tensor in named.items():
        ours.setdefault(file, {})[name] = list(tensor.shape)
    used = {
        file: {name: list(shape) for name, shape in keys.items() if ".fc." not in name}
        for file, keys in published_keys[variant].items()
    }
    assert ours == used


def test_every_tensor_of_a_learner_has_a_place_of_its_own() -> None:
    config = TrainConfig(loss=LossConfig(predictive_mask=True, automask=False), encoder=EncoderConfig(pretrained=False))
    with torch.device("meta"):
        names = list(SelfSupervisedDepth(config).state_dict())
    places = [published_key(name) for name in names]
    assert len(set(places)) == len(names)
    assert {file for file, _ in places} == set(FILES)


@pytest.mark.parametrize(
    "name", ["pose_net.decoder.squeeze.0.0.weight", "pose_net.T_source_target", "depth_net.decoder.x", "other.weight"]
)
def test_a_tensor_that_published_networks_do_not_have_has_no_place(name: str) -> None:
    with pytest.raises(KeyError):
        published_key(name)
