"""Every pose network gives the reference motions, and looks at the images that its configuration names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from helpers.reference import close, load_reference
from selfdepth.config import EncoderConfig, PoseNetworkName
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.pose import DepthFeatures, PoseNet, PoseNetwork, SharedPoseNet
from selfdepth.networks.pose_variants import PosePass, all_at_once, pairs, pose_network
from selfdepth.networks.posecnn import PoseCNN
from selfdepth.weights.published_names import published_depth_key, published_pose_key

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
    seen = None
    if network.uses_depth:
        depth_net = load_reference(DepthNet(), "resnet18", published_depth_key)
        # A mean inverse depth of one: the reference is PoseCNN's output as it is.
        seen = DepthFeatures(
            features=depth_net.encode(images)[-1], mean_inverse_depth=torch.ones(1, dtype=torch.float64)
        )
    axis_angle, translation = network(network.views(images, seen))
    assert close(axis_angle.unsqueeze(2), outputs[f"{variant}/axisangle"])
    assert close(network.scaled(translation, seen).unsqueeze(2), outputs[f"{variant}/translation"])


def test_every_reference_output_is_compared(outputs: dict[str, np.ndarray]) -> None:
    assert {name.split("/")[0] for name in outputs} - {"images"} == {*POSE_NETWORKS}


def test_pairs_are_looked_at_one_by_one_the_earlier_image_first() -> None:
    assert pairs((-1, 2)) == (
        PosePass(order=(1, 0), n_motions=1, inverted=True),
        PosePass(order=(0, 2), n_motions=1, inverted=False),
    )


def test_a_whole_clip_is_looked_at_in_one_pass_with_a_motion_for_each_source() -> None:
    assert all_at_once((-1, 1, 2)) == (PosePass(order=(0, 1, 2, 3), n_motions=3, inverted=False),)


@pytest.mark.parametrize(
    ("named", "kind", "n_motions"),
    [
        ({"pose_name": "test_resnet"}, PoseNet, 2),
        ({"pose_name": "test_resnet", "pose_input": "all"}, PoseNet, 2),
        ({"pose_network": "shared"}, SharedPoseNet, 1),
        ({"pose_network": "shared", "pose_input": "all"}, SharedPoseNet, 2),
        ({"pose_network": "posecnn"}, PoseCNN, 1),
        ({"pose_network": "posecnn", "pose_input": "all"}, PoseCNN, 2),
    ],
    ids=str,
)
def test_the_network_that_is_named_is_built_for_the_images_of_a_pass(
    named: dict[str, str], kind: type[PoseNetwork], n_motions: int
) -> None:
    config = EncoderConfig(pretrained=False, **named)  # type: ignore[arg-type]
    network = pose_network(config, (-1, 1), channels=8)
    assert type(network) is kind
    output = getattr(network, "decoder", network).output
    assert output.out_channels == 6 * n_motions


@pytest.mark.parametrize("pose_input", ["pairs", "all"])
def test_without_neighbours_in_time_there_is_no_pass_and_no_weight(pose_input: str) -> None:
    config = EncoderConfig(pretrained=False, pose_input=pose_input)  # type: ignore[arg-type]
    assert list(pose_network(config, (), channels=8).parameters()) == []
    assert pairs(()) == all_at_once(()) == ()


@pytest.mark.parametrize("name", ["separate", "shared", "posecnn"])
def test_an_untrained_network_can_start_with_longer_motions_and_the_same_rotations(name: PoseNetworkName) -> None:
    def motions(factor: float) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(0)
        encoder = "test_resnet" if name == "separate" else None
        config = EncoderConfig(name="test_resnet", pose_name=encoder, pose_network=name, pretrained=False)
        network = pose_network(config, (-1, 1), channels=8).eval()
        network.start_larger(factor)
        views = torch.rand(2, 2, *((8, 2, 2) if name == "shared" else (3, 64, 64)))
        axis_angle, translation = network(views)
        depth = DepthFeatures(features=torch.zeros(2, 2, 8, 2, 2), mean_inverse_depth=torch.full((2,), 1 / factor))
        return axis_angle, network.scaled(translation, depth)

    (rotation, plain), (same, longer) = motions(1.0), motions(25.0)
    torch.testing.assert_close(same, rotation)
    torch.testing.assert_close(longer, 25 * plain)
