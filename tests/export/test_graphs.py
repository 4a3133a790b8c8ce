"""The networks as other software runs them: the same numbers as selfdepth's own, for every kind of model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from helpers.models import tiny_config, write_model
from selfdepth.config import EncoderConfig, LossConfig
from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.export.frames import as_input
from selfdepth.export.graphs import Network, network_to_export, static_padding
from selfdepth.export.parity import original_of
from selfdepth.learners.left_right import LeftRightDepth
from selfdepth.networks.encoder import ImageEncoder
from selfdepth.presets import MONODEPTH_V1, PRESETS
from selfdepth.weights.files import LoadedWeights, WeightsMeta, load_weights, save_weights

TINY: dict[str, Any] = {"name": "test_resnet", "pretrained": False}
IMAGES = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)


def outputs(weights: LoadedWeights, kind: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of selfdepth's own network, and of the one to export."""
    images = tuple(IMAGES[: 1 if kind == "depth" else 2])
    network = network_to_export(weights, kind)
    with torch.inference_mode():
        exported = network.module(*(torch.from_numpy(as_input(image)) for image in images))
    return original_of(weights, kind)(images), exported.numpy().squeeze()


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": EncoderConfig(**TINY)},
        {"encoder": EncoderConfig(**TINY, scales=(1, 2, 3))},
        {"encoder": EncoderConfig(**TINY, scales=(2,))},
        {"encoder": EncoderConfig(name="tf_efficientnet_lite0", pretrained=False, pose_network="posecnn")},
        {"loss": LossConfig(near=0.5, far=80.0, predictive_mask=True, automask=False)},
        {"self_teacher": "runs/teacher"},
    ],
    ids=["plain", "half size", "quarter size", "tensorflow's padding", "masks and range", "confidence"],
)
def test_depth_is_that_of_the_predictor(tmp_path: Path, changes: dict[str, Any]) -> None:
    weights = load_weights(write_model(tmp_path, tiny_config(**changes)))
    ours, exported = outputs(weights, "depth")
    np.testing.assert_allclose(exported, ours, rtol=1e-5)


def test_the_factor_to_metres_is_inside(calibrated: LoadedWeights) -> None:
    for kind in ("depth", "pose"):
        ours, exported = outputs(calibrated, kind)
        np.testing.assert_allclose(exported, ours, rtol=2e-4, atol=1e-6)
    about = network_to_export(calibrated, "depth").about
    assert (about.near, about.far) == (25 * calibrated.depth_range.near, 25 * calibrated.depth_range.far)
    assert about.outputs["disparity"].unit == "1 / metres"


def test_the_predecessors_disparity_reaches_to_infinity(tmp_path: Path) -> None:
    config = replace(PRESETS[MONODEPTH_V1], width=96, height=64, encoder=EncoderConfig(**TINY))
    meta = WeightsMeta(config=config, camera=None, scale="metric", focal_baseline=0.4)
    save_weights(tmp_path, LeftRightDepth(config).state_dict(), meta)
    ours, exported = outputs(load_weights(tmp_path), "depth")
    np.testing.assert_allclose(exported, ours, rtol=1e-5)
    assert network_to_export(load_weights(tmp_path), "depth").about.far == float("inf")


@pytest.mark.parametrize("pose_network", ["separate", "shared", "posecnn"])
def test_the_motion_is_that_of_the_motion_predictor(tmp_path: Path, pose_network: Any) -> None:
    config = tiny_config(encoder=EncoderConfig(**TINY, pose_network=pose_network))
    ours, exported = outputs(load_weights(write_model(tmp_path, config)), "pose")
    np.testing.assert_allclose(exported, ours, atol=1e-6)


def test_a_pose_network_of_whole_clips_is_refused(tmp_path: Path) -> None:
    config = tiny_config(encoder=EncoderConfig(**TINY, pose_input="all"))
    weights = load_weights(write_model(tmp_path, config))
    with pytest.raises(ConfigError, match=r"reads whole clips.*got --encoder\.pose-input all; export its depth"):
        network_to_export(weights, "pose")


def test_a_model_without_a_pose_network_is_refused(model: Path) -> None:
    with pytest.raises(CheckpointError, match="the model has no pose network"):
        network_to_export(load_weights(model), "pose")


def test_half_precision_keeps_the_heads_and_the_range_in_float(calibrated: LoadedWeights) -> None:
    module = network_to_export(calibrated, "depth", "fp16").module
    kinds = {name.split(".")[2]: each.dtype for name, each in module.named_parameters() if "decoder" in name}
    assert kinds == {"reduce": torch.float16, "fuse": torch.float16, "outputs": torch.float32}
    assert module(torch.zeros(1, 3, 64, 64)).dtype == torch.float32


@pytest.mark.parametrize("size", [(32, 64), (96, 32)])
def test_constant_padding_is_tensorflows_for_sizes_in_steps_of_32(size: tuple[int, int]) -> None:
    encoder = ImageEncoder("tf_efficientnet_lite0").eval()
    images = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = encoder(images)
        after = static_padding(encoder)(images)
    assert not any(type(module).__name__ == "Conv2dSame" for module in encoder.modules())
    assert any(isinstance(module, nn.ZeroPad2d) for module in encoder.modules())
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b)


def test_inputs_and_outputs_state_their_names_units_and_ranges(network: Network) -> None:
    about = network.about
    assert list(about.inputs) == ["image"] and list(about.outputs) == ["disparity"]
    assert about.inputs["image"].range == "[0, 1]"
    assert about.outputs["disparity"].range == f"[{1 / about.far:.6g}, {1 / about.near:.6g}]"
    assert about.licence == "CC BY 4.0" and about.camera is not None
