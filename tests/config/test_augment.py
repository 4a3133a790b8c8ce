"""What the options of augmentation accept and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from selfdepth.config import TrainConfig, from_json, to_json
from selfdepth.config.augment import AugmentConfig
from selfdepth.errors import ConfigError

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"zoom": 0.9}, "--augment.zoom; expected a number from 1 to 4; got 0.9"),
        ({"zoom": 4.5}, "--augment.zoom"),
        ({"zoom": NAN}, "--augment.zoom"),
        ({"stretch": 0.5}, "--augment.stretch"),
        ({"stretch": float("inf")}, "--augment.stretch"),
        ({"weather": -0.1}, "--augment.weather"),
        ({"weather": 1.1}, "--augment.weather; expected a number from 0 to 1"),
        ({"weather": NAN}, "--augment.weather"),
        ({"weather": 0.5, "weather_weight": 0.0}, "--augment.weather-weight"),
        ({"weather": 0.5, "weather_weight": NAN}, "--augment.weather-weight"),
        ({"weather_weight": 0.5}, "--augment.weather-weight; expected --augment.weather above 0"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_name_of_its_option(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        AugmentConfig(**changes)
    assert named in str(refused.value)


def test_everything_is_off_by_default_and_the_limits_are_accepted() -> None:
    assert not AugmentConfig().zooms and AugmentConfig().weather == 0
    assert AugmentConfig(zoom=4.0, stretch=4.0, weather=1.0, weather_weight=2.0).zooms
    assert AugmentConfig(zoom=1.5).zooms and AugmentConfig(stretch=1.5).zooms


def test_a_configuration_written_before_there_were_these_options_still_loads() -> None:
    config = TrainConfig(augment=AugmentConfig(zoom=1.5, stretch=2.0, weather=0.3, weather_weight=0.2))
    assert from_json(to_json(config), where="config.json") == config
    old = to_json(TrainConfig())
    del old["augment"], old["loss"]["consistency"]
    assert from_json(old, where="config.json") == TrainConfig()


def test_a_file_with_an_unknown_kind_of_augmentation_is_refused() -> None:
    values = to_json(TrainConfig())
    values["augment"]["snow"] = 1.0
    with pytest.raises(ConfigError, match="snow"):
        from_json(values, where="config.json")
