"""The configuration in a run folder. Reading it imports no torch: `selfdepth train --resume --help` shows it."""

from __future__ import annotations

import json
from pathlib import Path

from selfdepth.config import TrainConfig, from_json
from selfdepth.errors import CheckpointError

CONFIG_FILE = "config.json"


def read_run_config(folder: Path) -> TrainConfig:
    """The configuration of a run folder. Raises ConfigError or CheckpointError if it holds none."""
    path = folder / CONFIG_FILE if folder.is_dir() else folder
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "there is no configuration to read",
            where=path,
            expected="the config.json of a run",
            got=getattr(error, "strerror", None) or str(error),
        ) from error
    return from_json(values, where=path)
