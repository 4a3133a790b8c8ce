"""What a configuration accepts and refuses, and that it survives being written down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig, from_json, to_json
from selfdepth.errors import ConfigError
from selfdepth.geometry.crop import Crop
from selfdepth.presets import PRESETS

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ssim_weight": 1.1}, "--loss.ssim-weight"),
        ({"ssim_weight": -0.1}, "--loss.ssim-weight"),
        ({"ssim_weight": NAN}, "--loss.ssim-weight"),
        ({"smoothness": -1e-3}, "--loss.smoothness"),
        ({"smoothness": NAN}, "--loss.smoothness"),
        ({"tie_break_noise": -1e-5}, "--loss.tie-break-noise"),
        ({"tie_break_noise": float("inf")}, "--loss.tie-break-noise"),
        ({"near": 0.0}, "--loss.near"),
        ({"near": 5.0, "far": 5.0}, "--loss.far"),
        ({"start_depth": 0.05}, "--loss.start-depth"),
        ({"start_depth": 100.0}, "--loss.start-depth"),
        ({"far": float("inf")}, "--loss.far"),
        ({"predictive_mask": True}, "--loss.no-automask"),
        (
            {"ssim": False, "ssim_weight": 0.3},
            "--loss.ssim-weight; expected --loss.ssim; got --loss.no-ssim",
        ),
        ({"automask": False, "tie_break_noise": 0.5}, "expected --loss.automask; got --loss.no-automask"),
    ],
)
def test_an_objective_out_of_range_is_refused_by_the_name_of_its_option(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        LossConfig(**changes)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"scales": ()}, "--encoder.scales"),
        ({"scales": (4,)}, "one or more of 0 1 2 3"),
        ({"scales": (-1, 0)}, "--encoder.scales"),
        ({"scales": (1, 0)}, "in this order"),
        ({"scales": (0, 0)}, "each once"),
        ({"pose_network": "shared", "pose_name": "resnet50"}, "shared pose network has no encoder of its own"),
        ({"pose_network": "posecnn", "pose_name": "resnet50"}, "--encoder.pose-name"),
    ],
)
def test_networks_that_do_not_go_together_are_refused_by_the_name_of_their_option(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        EncoderConfig(**changes)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"encoder": EncoderConfig(pose_input="all"), "offsets": (1,)}, "--encoder.pose-input"),
        ({"encoder": EncoderConfig(pose_input="all"), "offsets": (), "stereo": "nominal"}, "two --offsets"),
        ({"encoder": EncoderConfig(pose_network="posecnn"), "offsets": (), "stereo": "nominal"}, "no pose network"),
        (
            {"encoder": EncoderConfig(pose_name="resnet50"), "offsets": (), "stereo": "calibrated"},
            "no pose network to choose: --encoder.pose-name; got resnet50",
        ),
        ({"width": 0}, "--width"),
        ({"width": 32}, "at least 64"),
        ({"width": 100}, "try 96 or 128"),
        ({"width": -64}, "--width"),
        ({"height": 90}, "try 64 or 96"),
        ({"batch_size": 0}, "--batch-size"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": 1.0}, "--learning-rate"),
        ({"learning_rate": NAN}, "--learning-rate"),
        ({"save_every": 0}, "--save-every"),
        ({"keep": 0}, "--keep"),
        ({"offsets": ()}, "--offsets"),
        ({"offsets": (0, 1)}, "--offsets"),
        ({"offsets": (1, 1)}, "--offsets"),
        ({"offsets": (0,), "stereo": "calibrated"}, "--offsets"),
        ({"steps": 0}, "--steps"),
        ({"epochs": -1}, "--epochs"),
        ({"minutes": 0.0}, "--minutes"),
        ({"minutes": NAN}, "--minutes"),
        ({"steps": 5, "epochs": 1}, "--steps and --epochs"),
        ({"steps": 5, "minutes": 1.0}, "one budget"),
        ({"every": "0"}, "--every"),
        ({"every": "-2"}, "--every"),
        ({"every": "often"}, "auto or a whole number"),
        ({"crop": "1,2,3"}, "--crop"),
        ({"crop": "1,2,3,-4"}, "--crop"),
        ({"crop": "a,b,c,d"}, "top,bottom,left,right"),
        ({"anchor": 0.0, "init": "a"}, "--anchor"),
        ({"anchor": NAN, "init": "a"}, "--anchor"),
        ({"anchor": 0.1}, "--anchor; expected --init MODEL"),
        ({"freeze_batch_norm": True}, "--freeze-batch-norm; expected --init MODEL"),
        ({"self_teacher": "a", "anchor": 0.1, "init": "b"}, "--anchor and --self-teacher exclude"),
        ({"self_teacher": "a", "encoder": EncoderConfig(pose_network="shared")}, "--encoder.pose-network"),
        (
            {"self_teacher": "a", "loss": LossConfig(automask=False, predictive_mask=True)},
            "--loss.predictive-mask; got --self-teacher",
        ),
    ],
)
def test_a_run_out_of_range_is_refused_by_the_name_of_its_option(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TrainConfig(**changes)
    assert named in str(refused.value)


def test_spacing_and_crop_are_read_as_numbers() -> None:
    assert TrainConfig(every="3").spacing == 3
    assert TrainConfig(every="auto").spacing is None
    assert TrainConfig(crop=" 1, 2,3 ,4").crop_px == Crop(top=1, bottom=2, left=3, right=4)
    assert TrainConfig().crop_px == Crop()


FULL = TrainConfig(
    data="drive.mp4",
    camera="fov:70",
    every="auto",
    crop="0,20,0,0",
    width=96,
    height=64,
    offsets=(-2, -1, 1, 2),
    stereo="nominal",
    encoder=EncoderConfig(name="mobilenetv3_small_100", pretrained=False, pose_input="all", scales=(0, 2)),
    loss=LossConfig(automask=False, predictive_mask=True, reprojection="mean", multiscale="native"),
    minutes=2.5,
    compile=False,
)


def test_a_configuration_survives_json_unchanged() -> None:
    for config in (TrainConfig(), FULL, *PRESETS.values()):
        assert from_json(json.loads(json.dumps(to_json(config))), where="config.json") == config


def test_missing_fields_take_their_defaults() -> None:
    assert from_json({"width": 96, "loss": {"ssim": False}}, where="config.json") == TrainConfig(
        width=96, loss=LossConfig(ssim=False)
    )


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"widht": 640}, "widht"),
        ({"loss": {"ssim_wieght": 0.5}}, "ssim_wieght"),
        ({"encoder": {"size": 18}}, "size"),
        ({"loss": None}, "loss"),
        ({"loss": {"reprojection": "median"}}, "reprojection"),
        ({"loss": {"multiscale": "none"}}, "multiscale"),
        ({"encoder": {"pose_network": "seperate"}}, "pose_network"),
        ({"encoder": {"scales": 2}}, "scales"),
        ({"encoder": {"scales": [0.5]}}, "scales"),
        ({"loss": {"pixel_convention": "centre"}}, "pixel_convention"),
        ({"loss": {"ssim": "yes"}}, "ssim"),
        ({"loss": {"near": "0.1"}}, "near"),
        ({"encoder": {"name": 18}}, "name"),
        ({"precision": "fp16"}, "precision"),
        ({"stereo": "metres"}, "stereo"),
        ({"stereo": True}, "stereo"),
        ({"width": "640"}, "width"),
        ({"width": 640.0}, "width"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"steps": 10.5}, "steps"),
        ({"seed": None}, "seed"),
        ({"every": 3}, "every"),
        ({"offsets": 1}, "offsets"),
        ({"offsets": [-1, "1"]}, "offsets"),
        ({"offsets": [-1, 1.5]}, "offsets"),
        ({"data": None}, "data"),
        ({"compile": "yes"}, "compile"),
    ],
)
def test_a_configuration_file_with_an_unknown_field_or_a_wrong_kind_is_refused(
    values: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        from_json(values, where="runs/a/config.json")
    assert named in str(refused.value)
    assert "runs/a/config.json" in str(refused.value)


def test_a_whole_number_is_accepted_where_a_fraction_may_be() -> None:
    assert from_json({"minutes": 5, "loss": {"far": 80}}, where="config.json").minutes == 5


def test_depth_of_the_nominal_baseline_is_not_in_metres() -> None:
    assert TrainConfig(offsets=(), stereo="nominal").metres_per_unit == 5.4
