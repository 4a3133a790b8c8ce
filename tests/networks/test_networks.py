"""The networks' shapes and ranges, any encoder with five levels, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from selfdepth.errors import ConfigError
from selfdepth.networks import encoder as encoder_module
from selfdepth.networks.depth import DepthNet
from selfdepth.networks.encoder import ImageEncoder, stack_images, weights_name
from selfdepth.networks.pose import PoseNet

H, W = 64, 64


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, 3, H, W, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100", "test_resnet", "test_efficientnet"])
def test_any_encoder_with_five_levels_gives_disparities_at_four_scales(name: str) -> None:
    torch.manual_seed(0)
    network = DepthNet(name)
    disparities = network(images(2))
    assert [tuple(d.shape) for d in disparities] == [(2, 1, H >> s, W >> s) for s in range(4)]
    for disparity in disparities:
        assert 0 < float(disparity.detach().min()) < float(disparity.detach().max()) < 1


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_100"])
def test_the_features_halve_the_image_five_times(name: str) -> None:
    network = ImageEncoder(name, n_images=2)
    features = network(stack_images(images(1, 2)))
    assert [tuple(f.shape[-2:]) for f in features] == [(H >> i, W >> i) for i in range(1, 6)]
    assert [f.shape[1] for f in features] == network.channels


def test_the_resnet_has_the_published_number_of_channels() -> None:
    assert ImageEncoder("resnet18").channels == [64, 64, 128, 256, 512]
    assert ImageEncoder("resnet50").channels == [64, 256, 512, 1024, 2048]


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


def test_without_masks_the_mask_output_is_none_and_with_them_one_map_a_source() -> None:
    without = DepthNet("test_resnet")
    assert without.decode(without.encoder(images(1)))[1] is None
    network = DepthNet("test_resnet", n_mask_sources=3)
    disparities, masks = network.decode(network.encoder(images(1)))
    assert masks is not None
    assert [tuple(m.shape) for m in masks] == [(1, 3, H >> s, W >> s) for s in range(4)]
    for alone, beside in zip(network(images(1)), disparities, strict=True):
        assert alone.shape == beside.shape


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet81", "no such encoder.*resnet18"),
        ("", "no such encoder"),
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
def test_the_pretrained_first_kernel_is_repeated_and_divided_by_the_number_of_images(
    n_images: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    source: nn.Module = timm.create_model("resnet18")
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    create = timm.create_model

    def create_from_file(*args: Any, **options: Any) -> nn.Module:
        overlay = {"file": str(tmp_path / "weights.pth")}
        return create(*args, **options, pretrained_cfg_overlay=overlay)  # type: ignore[no-any-return]

    monkeypatch.setattr(encoder_module.timm, "create_model", create_from_file)
    monkeypatch.setattr(encoder_module, "require_weights", lambda tagged: None)
    network = ImageEncoder("resnet18", n_images=n_images, pretrained=True)
    wanted = source.get_parameter("conv1.weight")
    torch.testing.assert_close(
        network.backbone.get_parameter("conv1.weight"), wanted.repeat(1, n_images, 1, 1) / n_images
    )
    # So n equal images give the very features that one gives.
    one = ImageEncoder("resnet18", n_images=1, pretrained=True).eval()
    same = images(1).repeat(1, n_images, 1, 1)
    torch.testing.assert_close(network.eval()(same)[-1], one(images(1))[-1], rtol=1e-3, atol=1e-4)


def test_the_depth_network_can_be_exported() -> None:
    torch.manual_seed(0)
    network = DepthNet("test_resnet").eval()
    exported = torch.export.export(network, (images(1),)).module()
    for got, wanted in zip(exported(images(1)), network(images(1)), strict=True):
        torch.testing.assert_close(got, wanted)
