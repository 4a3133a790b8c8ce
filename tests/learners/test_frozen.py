"""A depth network that is only looked at."""

from __future__ import annotations

import torch

from helpers.models import random_images
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.learners.frozen import FrozenDepth
from selfdepth.networks.depth import DepthNet

RANGE = DepthRange(0.1, 100.0)


def test_its_disparity_is_that_of_the_network_and_has_no_gradient() -> None:
    torch.manual_seed(0)
    network = DepthNet("test_resnet").eval()
    got = FrozenDepth(network=network, depth_range=RANGE).disparity(random_images(2))
    assert not got.requires_grad
    torch.testing.assert_close(got, RANGE.disparity(network(random_images(2))[0]).detach())


def test_coarse_disparities_come_at_the_size_of_the_images() -> None:
    network = DepthNet("test_resnet", scales=(2, 3)).eval()
    assert FrozenDepth(network=network, depth_range=RANGE).disparity(random_images(1)).shape == (1, 1, 64, 64)


def test_looking_changes_nothing_in_the_network() -> None:
    network = DepthNet("test_resnet").eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    FrozenDepth(network=network, depth_range=RANGE).disparity(random_images(2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
