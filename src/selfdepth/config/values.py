"""Configurations as JSON values, and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from selfdepth.checks import check_kinds
from selfdepth.config.augment import AugmentConfig
from selfdepth.config.encoder import EncoderConfig
from selfdepth.config.loss import LossConfig
from selfdepth.config.teacher import TeacherConfig
from selfdepth.config.train import TrainConfig
from selfdepth.errors import ConfigError


def to_json(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON values. `from_json` restores it unchanged."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


def from_json(values: dict[str, Any], *, where: str | Path) -> TrainConfig:
    """Build a TrainConfig from JSON values.

    Args:
        where: the file, for errors.

    Raises:
        ConfigError: for an unknown field, a value of the wrong type, or one out of range.
    """
    check_kinds(values, TrainConfig, where)
    try:
        values = dict(values)
        if values.get("keep") == 1:  # of an older version, which kept no second checkpoint
            values["keep"] = 2
        parts = (
            ("encoder", EncoderConfig),
            ("loss", LossConfig),
            ("teacher", TeacherConfig),
            ("augment", AugmentConfig),
        )
        for name, kind in parts:
            if name in values:
                values[name] = kind(**_with_tuples(values[name]))
        return TrainConfig(**_with_tuples(values))
    except (TypeError, AttributeError) as error:
        raise ConfigError(
            "the configuration cannot be used",
            where=where,
            got=str(error).replace("__init__() got an ", ""),
            fix="use the config.json of a run of this version",
        ) from error


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """The values with tuples for JSON's lists: a list would be unequal to the tuple of the same configuration."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
