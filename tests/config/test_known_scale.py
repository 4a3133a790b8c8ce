"""What gives a run its metres."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from selfdepth.config import LossConfig, TrainConfig
from selfdepth.errors import ConfigError
from selfdepth.presets import PRESETS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clock_offset": 1.0}, "--clock-offset; expected --speed with it"),
        ({"loss": LossConfig(speed=0.5)}, "--loss.speed; expected --speed with it"),
        ({"loss": LossConfig(height=0.5)}, "--loss.height; expected --camera-height with it"),
        ({"speed": "a", "clock_offset": float("nan")}, "--clock-offset"),
        ({"camera_height": 0.0}, "--camera-height; expected metres above the road, from 0.01 to 30; got 0"),
        ({"camera_height": 165.0}, "from 0.01 to 30; got 165; give 1.65 if these are centimetres"),
        ({"camera_height": -1.65}, "--camera-height"),
        ({"camera_height": float("inf")}, "--camera-height"),
        ({"camera_height": float("nan")}, "--camera-height"),
        ({"speed": "a", "stereo": "calibrated"}, "stereo pair gives the scale already"),
        ({"camera_height": 1.65, "stereo": "nominal"}, "stereo pair gives the scale already"),
        ({"speed": "a\0b"}, "--speed"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(data="x", **options)
    assert words in str(caught.value)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["speed", "height"])
def test_weights_that_switch_off_or_break_the_loss_are_refused(name: str, weight: float) -> None:
    with pytest.raises(ConfigError, match=f"--loss.{name}"):
        LossConfig(**{name: weight})


@pytest.mark.parametrize("options", [{"speed": "a.csv"}, {"camera_height": 1.65}])
def test_a_known_scale_is_metres_and_depth_starts_where_metres_are(options: dict[str, Any]) -> None:
    config = TrainConfig(data="x", **options)
    assert config.metres_per_unit == 1
    loss = config.with_metric_start().loss
    assert (loss.near, loss.start_depth) == (0.5, 5.0)
    assert config.with_metric_start().with_metric_start() == config.with_metric_start()


def test_of_every_preset_without_a_stereo_pair_depth_starts_where_metres_are() -> None:
    for name, config in PRESETS.items():
        if config.stereo == "none":
            loss = replace(config, camera_height=1.65).with_metric_start().loss
            assert (loss.near, loss.start_depth) == (0.5, 5.0), name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"speed": "a", "loss": LossConfig(near=0.2)},
        {"speed": "a", "loss": LossConfig(start_depth=3.0)},
        {"speed": "a", "init": "model"},
        {"speed": "a", "self_teacher": "model"},
    ],
)
def test_a_range_that_was_chosen_or_learned_stays(options: dict[str, Any]) -> None:
    config = TrainConfig(data="x", **options)
    assert config.with_metric_start() is config
