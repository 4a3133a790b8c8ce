"""PoseCNN: seven plain convolutions, whose translation is in units of the scene's depth."""

from __future__ import annotations

import pytest
import torch

from helpers.models import random_images as images
from selfdepth.networks.pose import DepthFeatures
from selfdepth.networks.posecnn import PoseCNN


@pytest.mark.parametrize("n_images", [2, 3])
def test_it_gives_a_small_motion_for_each_image_but_the_first(n_images: int) -> None:
    torch.manual_seed(0)
    axis_angle, translation = PoseCNN(n_images=n_images)(images(2, n_images))
    assert axis_angle.shape == translation.shape == (2, n_images - 1, 3)
    assert 0 < float(axis_angle.detach().abs().max()) < 0.1
    assert float(translation.detach().abs().max()) < 0.1


def test_it_has_seven_layers_of_stride_two_without_normalisation() -> None:
    network = PoseCNN()
    assert [tuple(layer.stride) for layer in network.layers] == [(2, 2)] * 7
    assert {type(module).__name__ for module in network.modules()} == {"PoseCNN", "ModuleList", "Conv2d"}


def test_the_translation_is_multiplied_by_each_clips_mean_inverse_depth_and_the_rotation_is_not() -> None:
    translation = torch.tensor([[[1.0, 2.0, 3.0]], [[1.0, 0.0, -1.0]]])
    seen = DepthFeatures(features=torch.zeros(2, 1, 1, 1, 1), mean_inverse_depth=torch.tensor([0.5, 2.0]))
    scaled = PoseCNN().scaled(translation, seen)
    assert scaled.tolist() == [[[0.5, 1.0, 1.5]], [[2.0, 0.0, -2.0]]]
