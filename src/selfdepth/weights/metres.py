"""Metres of a model: the phrase for its unit, and the factor that `selfdepth calibrate` writes into it.

A factor belongs to the very weights that it was measured with: `save_weights` writes it only if it is given one.
"""

from __future__ import annotations

import json
from pathlib import Path

from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.files import checksum, whole_file
from selfdepth.places import path_of
from selfdepth.structs import MetricScale
from selfdepth.texts import read_json
from selfdepth.weights.files import LoadedWeights, WeightsMeta, save_weights
from selfdepth.weights.locate import CONFIG_FILE, WEIGHTS_FILE, find_weights


def describe_unit(scale: str, metres_per_unit: float | None, metric: MetricScale | None = None) -> str:
    """A phrase for the unit of a model's depth.

    Args:
        metres_per_unit: factor from the model's unit to metres; None if unknown.
        metric: of a calibrated model.
    """
    if metric is not None:
        return str(metric)
    if scale == "metric":
        return "metric, in metres"
    if metres_per_unit is None:
        return "relative: up to one unknown factor, not metres"
    return f"relative: times {metres_per_unit:g} it is in metres"


def require_own(model: str) -> None:
    """Refuse to write a factor into a model that is not the user's: one that others published, or a download.

    Raises:
        CheckpointError: if there is no such model.
        ConfigError: for a model that is not a folder of selfdepth.
    """
    folder = find_weights(model)
    if path_of(model, "MODEL", error=CheckpointError).is_dir() and (folder / CONFIG_FILE).is_file():
        return
    raise ConfigError(
        "the factor is not written into a published model or a download",
        where=model,
        expected="--out FOLDER for a calibrated copy",
        got="none",
        fix="add it, or --dry-run to print the numbers alone",
    )


def write_metric(folder: Path, metric: MetricScale, *, measured_with: str) -> None:
    """Write the factor into a model's `config.json`, in place of an older one.

    Args:
        folder: of the weights.
        measured_with: checksum of the weights with which the factor was measured.

    Raises:
        CheckpointError: if other weights are there now, as after more training.
        OutputError: if the file cannot be written.
    """
    if checksum(folder / WEIGHTS_FILE) != measured_with:
        raise CheckpointError(
            "the model has changed while its factor was measured, so that it does not fit any more",
            where=folder / WEIGHTS_FILE,
            fix="calibrate again when the training has ended",
        )
    values = read_json(folder / CONFIG_FILE, what="the model cannot be read", error=CheckpointError)
    values["metric"] = metric.to_json()
    with whole_file(folder / CONFIG_FILE) as path:
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def write_copy(folder: Path, weights: LoadedWeights, metric: MetricScale) -> None:
    """Write a model again, with a factor to metres.

    Args:
        folder: created if it does not exist.

    Raises:
        OutputError: if it cannot be written to.
    """
    meta = WeightsMeta(
        config=weights.config,
        camera=weights.camera,
        scale=weights.scale,
        step=weights.step,
        focal_baseline=weights.focal_baseline,
        metric=metric,
    )
    save_weights(folder, weights.state, meta)
