"""The pose networks with an encoder: small motions, of images in their order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from helpers.models import random_images as images
from selfdepth.networks.pose import OUTPUT_SCALE, DepthFeatures, PoseDecoder, PoseNet, SharedPoseNet, split_motions


@pytest.mark.parametrize(("n_images", "n_motions"), [(2, 2), (3, 2), (2, 1)])
def test_the_pose_network_gives_small_motions(n_images: int, n_motions: int) -> None:
    torch.manual_seed(0)
    network = PoseNet("test_resnet", n_images=n_images, n_motions=n_motions)
    axis_angle, translation = network(images(2, n_images))
    assert axis_angle.shape == translation.shape == (2, n_motions, 3)
    assert 0 < float(axis_angle.detach().abs().max()) < 0.1, "a large first motion would leave the image"
    assert float(translation.detach().abs().max()) < 0.1


def test_the_pose_network_tells_the_order_of_its_images() -> None:
    torch.manual_seed(0)
    network = PoseNet("test_resnet").eval()
    pair = images(1, 2)
    forwards, backwards = network(pair)[1], network(pair.flip(1))[1]
    assert not torch.allclose(forwards, backwards)


def test_motions_are_the_last_convolutions_mean_over_the_image_a_hundredth_of_it() -> None:
    torch.manual_seed(0)
    output, features = nn.Conv2d(5, 12, 1), torch.rand(2, 5, 3, 4)
    axis_angle, translation = split_motions(output, features, 2)
    mean = OUTPUT_SCALE * output(features.mean((2, 3), keepdim=True))[:, :, 0, 0]
    torch.testing.assert_close(torch.cat([axis_angle, translation], dim=2).flatten(1), mean)
    assert OUTPUT_SCALE == 0.01


def test_motions_are_exact_where_the_network_runs_in_bf16() -> None:
    torch.manual_seed(0)
    output, features = nn.Conv2d(5, 6, 1), torch.rand(1, 5, 3, 4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = split_motions(output, features, 1)
    for got, wanted in zip(low, split_motions(output, features.float(), 1), strict=True):
        assert got.dtype == torch.float32
        assert torch.equal(got, wanted)


def test_the_decoder_sees_the_features_in_their_order_each_squeezed_alike() -> None:
    torch.manual_seed(0)
    decoder = PoseDecoder(8, n_motions=1, n_features=2)
    pair = torch.rand(1, 2, 8, 4, 4)
    assert not torch.allclose(decoder(pair)[1], decoder(pair.flip(1))[1])
    squeezed = torch.cat([decoder.squeeze(pair[:, i]) for i in range(2)], dim=1).relu()
    for layer in decoder.hidden:
        squeezed = layer(squeezed).relu()
    torch.testing.assert_close(decoder(pair), split_motions(decoder.output, squeezed, 1))


def test_the_shared_network_looks_at_the_depth_encoders_features_and_not_at_the_images() -> None:
    network = SharedPoseNet(8, n_images=3)
    features = torch.rand(2, 3, 8, 2, 2)
    seen = DepthFeatures(features=features, mean_inverse_depth=torch.ones(2))
    assert network.uses_depth and network.n_encoded(3) == 3
    assert network.views(images(2, 3), seen) is features
    assert [motion.shape for motion in network(features)] == [(2, 2, 3), (2, 2, 3)]
