"""Which networks a published checkpoint is of is read from names and shapes alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from selfdepth.config import TrainConfig
from selfdepth.errors import CheckpointError
from selfdepth.weights.published_networks import config_of, is_resnet

Keys = dict[str, dict[str, dict[str, list[int]]]]
Entries = dict[str, dict[str, Any]]
SCALES = (0, 1, 2, 3)


@pytest.fixture
def files(published_keys: Keys) -> Entries:
    """The paper's main model, in shapes without numbers."""
    return shapes(published_keys["resnet18"])


def shapes(keys: dict[str, dict[str, list[int]]], *, stereo: bool = False) -> Entries:
    files: Entries = {
        file: {name: torch.empty(shape, device="meta") for name, shape in names.items()} for file, names in keys.items()
    }
    if "encoder.pth" in files:
        files["encoder.pth"] |= {"height": 64, "width": 96, "use_stereo": stereo}
    return files


def depth_files(files: Entries) -> Entries:
    return {file: files[file] for file in ("encoder.pth", "depth.pth")}


def at_scales(files: Entries, scales: tuple[int, ...]) -> Entries:
    """The same with outputs at some scales only."""
    depth = {key: tensor for key, tensor in files["depth.pth"].items() if int(key.split(".")[1]) < 10}
    for place, scale in enumerate(scales):
        depth[f"decoder.{10 + place}.conv.weight"] = files["depth.pth"][f"decoder.{10 + scale}.conv.weight"]
    return {**files, "depth.pth": depth}


def with_mask(files: Entries, n_sources: int) -> Entries:
    def widened(key: str, tensor: Tensor) -> Tensor:
        return torch.empty((n_sources, *tensor.shape[1:]), device="meta") if "decoder.1" in key[:9] else tensor

    return {**files, "predictive_mask.pth": {key: widened(key, t) for key, t in files["depth.pth"].items()}}


@pytest.mark.parametrize(
    ("variant", "network", "seen"),
    [
        ("resnet18", "separate", "pairs"),
        ("resnet18_all", "separate", "all"),
        ("shared", "shared", "pairs"),
        ("posecnn", "posecnn", "pairs"),
    ],
)
def test_the_pose_network_is_known_by_its_first_and_last_layers(
    published_keys: Keys, files: Entries, variant: str, network: str, seen: str
) -> None:
    config = config_of({**depth_files(files), **shapes(published_keys[variant])})
    assert (config.encoder.pose_network, config.encoder.pose_input) == (network, seen)
    assert config.encoder.pose_name == "resnet18"
    assert (config.width, config.height, config.offsets, config.stereo) == (96, 64, (-1, 1), "none")


def test_the_encoder_is_known_by_its_blocks(published_keys: Keys, files: Entries) -> None:
    config = config_of({**files, **depth_files(shapes(published_keys["resnet50"]))})
    assert (config.encoder.name, config.encoder.pose_name) == ("resnet50", "resnet18")
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet18.tv_in1k"):
        assert is_resnet(name)
    assert not any(is_resnet(name) for name in ("resnet10t", "wide_resnet50_2", "convnext_tiny"))


@pytest.mark.parametrize("scales", [(0,), (1, 3), SCALES], ids=str)
def test_scales_are_known_by_the_width_of_the_outputs(files: Entries, scales: tuple[int, ...]) -> None:
    assert config_of(at_scales(depth_files(files), scales)).encoder.scales == scales


def test_a_mask_stands_for_the_ablation_and_tells_the_number_of_sources(files: Entries) -> None:
    loss = config_of(with_mask(files, 2)).loss
    assert loss.predictive_mask and not loss.automask
    assert config_of(with_mask(files, 4)).offsets == (-2, -1, 1, 2)
    stereo = {**files, "encoder.pth": {**files["encoder.pth"], "use_stereo": True}}
    config = config_of(with_mask(stereo, 3))
    assert (config.offsets, config.n_sources) == ((-1, 1), 3), "the partner has a mask too"


def test_stereo_is_the_papers_nominal_baseline_and_alone_where_there_is_no_pose_file(files: Entries) -> None:
    def config(files: Entries) -> TrainConfig:
        return config_of({**files, "encoder.pth": {**files["encoder.pth"], "use_stereo": True}})

    assert (config(files).stereo, config(files).offsets, config(files).metres_per_unit) == ("nominal", (-1, 1), 5.4)
    assert config(depth_files(files)).offsets == ()
    assert config_of(depth_files(files)).offsets == (-1, 1), "a depth network alone may come from any run"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("width", True, "a width in encoder.pth that is no whole number"),
        ("height", 64.0, "a height in encoder.pth that is no whole number"),
        ("use_stereo", "yes", "a use_stereo in encoder.pth that is no truth value"),
        ("encoder.layer1.7.conv1.weight", torch.empty(1), r"no ResNet.*got blocks \(3, 2, 2, 2\)"),
    ],
)
def test_what_tells_of_no_network_of_ours_is_refused(files: Entries, name: str, value: object, sentence: str) -> None:
    files["encoder.pth"][name] = value
    with pytest.raises(CheckpointError, match=sentence):
        config_of(files)


def test_a_shared_pose_network_that_would_see_one_image_lacks_its_encoder(files: Entries) -> None:
    del files["pose_encoder.pth"]
    with pytest.raises(CheckpointError, match=r"needs a pose_encoder\.pth beside it"):
        config_of(files)
