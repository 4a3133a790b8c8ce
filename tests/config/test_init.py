"""The configuration's parts are found in one place."""

from __future__ import annotations

import dataclasses

import selfdepth.config
from selfdepth.config import TrainConfig


def test_every_part_of_a_runs_configuration_can_be_imported_from_the_package() -> None:
    exported = {getattr(selfdepth.config, name) for name in selfdepth.config.__all__ if name.endswith("Config")}
    parts = {type(getattr(TrainConfig(), field.name)) for field in dataclasses.fields(TrainConfig)}
    assert {part for part in parts if dataclasses.is_dataclass(part)} <= exported
