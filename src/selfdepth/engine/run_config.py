"""Read the configuration in a run folder, without torch: `selfdepth train --resume --help` shows it, and is fast."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfdepth.config import TrainConfig, from_json
from selfdepth.errors import CheckpointError, SelfDepthError, SelfDepthWarning
from selfdepth.files import checksum, whole_file
from selfdepth.texts import read_json

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
CHECKPOINTS_FOLDER, MANIFEST_FILE = "checkpoints", "manifest.json"


def read_run_config(folder: Path) -> TrainConfig:
    """The configuration of a run; if its own file is lost or damaged, that of its newest checkpoint or model.

    Args:
        folder: a run folder, or a config.json: of a run, of a checkpoint or of a model.

    Raises:
        CheckpointError: if there is no such file, or it is not JSON.
        ConfigError: if it is not a valid configuration.
    """
    if not folder.is_dir():
        return _read(folder)
    try:
        return _read(folder / CONFIG_FILE)
    except SelfDepthError:
        spare = _spare_config(folder)
        if spare is None:
            raise
        return _read(spare)


def recorded_config(folder: Path) -> TrainConfig:
    """The configuration with which the newest checkpoint was trained, else that of the run. Errors as above."""
    found = next(_of_checkpoints(folder), None)
    return read_run_config(folder) if found is None else _read(found)


def restore_config(folder: Path) -> None:
    """Write the configuration of a run again if its file is lost or damaged, and a checkpoint or model has it.

    Warns:
        SelfDepthWarning: if it did.

    Raises:
        OutputError: if it cannot be written.
    """
    path = folder / CONFIG_FILE
    try:
        _read(path)
    except SelfDepthError as error:
        spare = _spare_config(folder)
        if spare is None:
            return  # whoever needs it will say so
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(_values(spare), indent=2) + "\n", encoding="utf-8")
        place = spare.relative_to(folder)
        warnings.warn(f"{error.what}: {path}; it is restored from {place}", SelfDepthWarning, stacklevel=2)


def _read(path: Path) -> TrainConfig:
    return from_json(_values(path), where=path)


def _values(path: Path) -> dict[str, Any]:
    """The fields of a configuration. In a model's config.json, they are one of its fields."""
    what, fix = "the run's configuration cannot be read", "bring the file back, or start a new run in another folder"
    values = read_json(path, what=what, fix=fix, error=CheckpointError)
    of_model = values.get("train")
    values = of_model if isinstance(of_model, dict) else values
    if not values:
        raise CheckpointError(what, where=path, expected="the options of a run", got="none", fix=fix)
    return values


def _spare_config(folder: Path) -> Path | None:
    """The best copy of a run's configuration outside its own file, if there is one that can be read."""
    for path in (*_of_checkpoints(folder), folder / "last" / CONFIG_FILE, folder / "best" / CONFIG_FILE):
        with contextlib.suppress(SelfDepthError):
            _read(path)
            return path
    return None


def _of_checkpoints(folder: Path) -> Iterator[Path]:
    """The configurations in the checkpoints of a run that are what was written, newest first."""
    # By length first: step_1000000 comes after step_999999.
    folders = sorted(folder.glob(f"{CHECKPOINTS_FOLDER}/step_*"), key=lambda path: (len(path.name), path.name))
    for place in reversed(folders):
        path = place / CONFIG_FILE
        with contextlib.suppress(SelfDepthError, OSError, KeyError, TypeError):  # another folder, or a damaged one
            manifest = read_json(place / MANIFEST_FILE, what="the manifest cannot be read")
            if manifest["sha256"][CONFIG_FILE] == checksum(path):
                yield path
