"""The depth network: disparities at four scales, as the reference has them, from any encoder with five levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.models import random_images as images
from helpers.reference import close, load_reference
from selfdepth.networks.depth import DepthNet
from selfdepth.weights.published_names import published_depth_key

H, W = 64, 64


@pytest.mark.parametrize("variant", ["resnet18", "resnet50"])
@torch.inference_mode()
def test_disparities_match_the_reference_to_1e_9(outputs: dict[str, np.ndarray], variant: str) -> None:
    network = load_reference(DepthNet(variant), variant, published_depth_key)
    images = torch.from_numpy(outputs["images"])[:2]
    for scale, disparity in enumerate(network(images)):
        assert close(disparity, outputs[f"{variant}/disp/{scale}"]), scale


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "test_resnet", "test_efficientnet"])
def test_any_encoder_with_five_levels_gives_disparities_at_four_scales(name: str) -> None:
    torch.manual_seed(0)
    network = DepthNet(name)
    disparities = network(images(2))
    assert [tuple(d.shape) for d in disparities] == [(2, 1, H >> s, W >> s) for s in range(4)]
    for disparity in disparities:
        assert 0 < float(disparity.detach().min()) < float(disparity.detach().max()) < 1


def test_without_masks_the_mask_output_is_none_and_with_them_one_map_a_source() -> None:
    without = DepthNet("test_resnet")
    assert without.decode(without.encoder(images(1)))[1] is None
    network = DepthNet("test_resnet", n_mask_sources=3)
    disparities, masks = network.decode(network.encoder(images(1)))
    assert masks is not None
    assert [tuple(m.shape) for m in masks] == [(1, 3, H >> s, W >> s) for s in range(4)]
    for alone, beside in zip(network(images(1)), disparities, strict=True):
        assert alone.shape == beside.shape


def test_the_depth_network_can_be_exported() -> None:
    torch.manual_seed(0)
    network = DepthNet("test_resnet").eval()
    exported = torch.export.export(network, (images(1),)).module()
    for got, wanted in zip(exported(images(1)), network(images(1)), strict=True):
        torch.testing.assert_close(got, wanted)


def test_images_of_a_clip_are_encoded_in_one_pass_each_as_if_alone() -> None:
    torch.manual_seed(0)
    network = DepthNet("test_resnet").eval()
    clip = images(2, 3)
    for together, alone in zip(network.encode(clip), network.encoder(clip[1, 2:3]), strict=True):
        torch.testing.assert_close(together[1, 2], alone[0], rtol=1e-4, atol=1e-5)


def test_the_untrained_outputs_lie_around_the_value_that_is_asked_for() -> None:
    torch.manual_seed(0)
    network = DepthNet("test_resnet").eval()
    network.decoder.start_at(0.03)
    for disparity in network(images(1)):
        assert float(disparity.detach().median()) == pytest.approx(0.03, rel=0.3)


@pytest.mark.parametrize(("scales", "frozen"), [((0, 1, 2, 3), 0), ((1, 3), 1), ((2,), 2)])
def test_levels_that_no_output_reaches_are_not_trained(scales: tuple[int, ...], frozen: int) -> None:
    network = DepthNet("test_resnet", scales=scales)
    disparities = network(images(2))
    assert [tuple(d.shape[-2:]) for d in disparities] == [(H >> s, W >> s) for s in scales]
    sum(disparity.sum() for disparity in disparities).backward()
    for name, parameter in network.decoder.named_parameters():
        level = int(name.split(".")[1])
        idle = not name.startswith("outputs") and level < frozen
        assert parameter.requires_grad != idle, name
        assert (parameter.grad is None) == idle, name


def test_for_two_views_a_finer_scale_reads_the_maps_of_the_coarser_ones() -> None:
    torch.manual_seed(0)
    network = DepthNet("test_resnet", n_views=2).eval()
    features = network.encoder(images(1))
    before = network.decoder(features)
    torch.nn.init.constant_(network.decoder.outputs[3].bias, 3.0)  # of the coarsest scale alone
    after = network.decoder(features)
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    one = DepthNet("test_resnet").eval()
    features = one.encoder(images(1))
    before = one.decoder(features)
    torch.nn.init.constant_(one.decoder.outputs[3].bias, 3.0)
    after = one.decoder(features)
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, True, False]


@pytest.mark.parametrize("scales", [(0,), (1, 2), (0, 2, 3), (2,)])
def test_two_views_at_any_scales(scales: tuple[int, ...]) -> None:
    network = DepthNet("test_resnet", n_views=2, scales=scales)
    assert [tuple(d.shape) for d in network.decoder(network.encoder(images(1)))] == [
        (1, 2, H >> s, W >> s) for s in scales
    ]
