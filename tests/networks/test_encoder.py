"""Image encoders: five feature levels of any timm model that has them, and what is refused."""

from __future__ import annotations

import copy

import pytest
import torch

from helpers.models import random_images as images
from selfdepth.config import LITE0
from selfdepth.errors import ConfigError
from selfdepth.networks.encoder import ImageEncoder, stack_images, weights_name

H, W = 64, 64


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100"])
def test_the_features_halve_the_image_five_times(name: str) -> None:
    network = ImageEncoder(name, n_images=2)
    features = network(stack_images(images(1, 2)))
    assert [tuple(f.shape[-2:]) for f in features] == [(H >> i, W >> i) for i in range(1, 6)]
    assert [f.shape[1] for f in features] == network.channels


def test_the_resnet_has_the_published_number_of_channels() -> None:
    assert ImageEncoder("resnet18").channels == [64, 64, 128, 256, 512]
    assert ImageEncoder("resnet50").channels == [64, 256, 512, 1024, 2048]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet81", "no such encoder.*resnet18"),
        ("", "no such encoder"),
        ("hf-hub:timm/resnet18.a1_in1k", "no such encoder"),  # a stranger's config.json must not fetch anything
        ("local-dir:/etc", "no such encoder"),
        ("vit_tiny_patch16_224", "cannot be used"),
        ("convnext_tiny", "1/4"),
        ("vgg11", "1/1"),
    ],
)
def test_an_encoder_that_is_unknown_or_lacks_the_five_levels_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        ImageEncoder(name)
    assert refused.value.where == "--encoder.name"
    assert name in str(refused.value)


def test_bare_resnet_names_mean_the_papers_weights_and_others_are_left_alone() -> None:
    assert weights_name("resnet18") == "resnet18.tv_in1k"
    assert weights_name("resnet50") == "resnet50.tv_in1k"
    assert weights_name("resnet18.a1_in1k") == "resnet18.a1_in1k"
    assert weights_name("mobilenetv3_small_100") == "mobilenetv3_small_100"


@pytest.mark.parametrize("n_images", [1, 2, 3])
def test_the_pretrained_first_kernel_is_repeated_and_divided_by_the_number_of_images(n_images: int) -> None:
    one = ImageEncoder(LITE0, n_images=1, pretrained=True).eval()
    network = ImageEncoder(LITE0, n_images=n_images, pretrained=True).eval()
    wanted = one.backbone.get_parameter("conv_stem.weight")
    torch.testing.assert_close(
        network.backbone.get_parameter("conv_stem.weight"), wanted.repeat(1, n_images, 1, 1) / n_images
    )
    # So n equal images give the very features that one gives.
    same = images(1).repeat(1, n_images, 1, 1)
    torch.testing.assert_close(network(same)[-1], one(images(1))[-1], rtol=1e-3, atol=1e-3)


def test_weights_converted_for_prediction_are_used_as_they_are() -> None:
    torch.manual_seed(0)
    network = ImageEncoder("mobilenetv3_small_050").eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = network(x)[-1]
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network.to(torch.bfloat16)(x)[-1]
    assert rounded.dtype == torch.bfloat16
    assert float((rounded.float() - expected).norm() / expected.norm()) < 0.1


def test_depthwise_convolutions_on_a_cpu_compute_in_float32_under_bf16() -> None:
    torch.manual_seed(0)
    network = ImageEncoder(LITE0)
    depthwise = network.backbone.get_submodule("blocks.0.0.conv_dw")
    x = torch.rand(2, depthwise.weight.shape[0], 8, 8)  # type: ignore[union-attr, index]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = depthwise(x.bfloat16())
    assert rounded.dtype == torch.bfloat16, "what follows must stay in bf16"
    torch.testing.assert_close(rounded, depthwise(x.bfloat16().float()).bfloat16(), rtol=0, atol=0)


def test_a_copied_encoder_computes_with_its_own_weights() -> None:
    network = ImageEncoder(LITE0).eval()
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert network(images(1))[-1].abs().max() > 0
    assert twin(images(1))[0].abs().max() == 0


def test_images_are_stacked_along_the_channels_in_their_order() -> None:
    pair = images(1, 2)
    assert torch.equal(stack_images(pair), torch.cat([pair[:, 0], pair[:, 1]], dim=1))


def test_a_pose_encoder_is_refused_by_its_own_option() -> None:
    with pytest.raises(ConfigError) as refused:
        ImageEncoder("resnet81", n_images=2)
    assert refused.value.where == "--encoder.pose-name"
