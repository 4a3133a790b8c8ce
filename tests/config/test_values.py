"""Configurations survive being written down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig, from_json, to_json
from selfdepth.errors import ConfigError
from selfdepth.presets import PRESETS

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


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"width": 64000}, "--width; expected at most 8192"),
        ({"width": 10**400}, "--width"),
        ({"seed": 2**64}, "--seed"),
        ({"steps": 10**30}, "--steps"),
        ({"offsets": [-1, 10**30]}, "--offsets"),
        ({"every": "9" * 5000}, "--every"),
        ({"crop": "9" * 5000 + ",0,0,0"}, "--crop"),
        ({"data": "a\0b"}, "zero byte: --data"),
        ({"init": "x" * 300}, "too long: --init"),
        ({"data": "\ud800"}, "half a character: --data"),
        ({"encoder": {"scales": [0, 10**30]}}, "--encoder.scales"),
        ({"teacher": {"path": "\0"}}, "--teacher.path"),
        ({"batch_size": True}, "batch_size"),
    ],
)
def test_a_strangers_values_beyond_all_use_are_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refusal:
        from_json(values, where="config.json")
    assert len(str(refusal.value)) < 1500
