"""Read the configuration in a run folder, without torch: `selfdepth train --resume --help` shows it, and is fast."""

from __future__ import annotations

from pathlib import Path

from selfdepth.config import TrainConfig, from_json
from selfdepth.errors import CheckpointError
from selfdepth.texts import read_json

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"


def read_run_config(folder: Path) -> TrainConfig:
    """The configuration of a run.

    Args:
        folder: a run folder, or its config.json.

    Raises:
        CheckpointError: if there is no such file, or it is not JSON.
        ConfigError: if it is not a valid configuration.
    """
    path = folder / CONFIG_FILE if folder.is_dir() else folder
    values = read_json(path, what="the run's configuration cannot be read", error=CheckpointError)
    return from_json(values, where=path)
