"""Any MODEL that can predict: the weights of a run, a published checkpoint, a download, or an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selfdepth.config.network_input import NetworkInput
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError
from selfdepth.weights.files import LoadedWeights, load_weights
from selfdepth.weights.locate import find_model
from selfdepth.weights.onnx_weights import OnnxWeights, open_onnx_weights

DepthModel = LoadedWeights | OnnxWeights
"""What `Predictor` takes."""


@dataclass(frozen=True)
class StatedModel:
    """A MODEL, and what the user says that it gives and takes, which only an ONNX file of other people needs."""

    model: str
    predictions_are: Quantity | None = None
    takes: NetworkInput | None = None

    def __str__(self) -> str:
        return self.model


ModelName = str | Path | StatedModel
"""A MODEL as the user names it."""


def load_model(model: ModelName) -> DepthModel:
    """Read a model.

    Args:
        model: any MODEL that `find_model` accepts.

    Raises:
        CheckpointError: if there is no such model, or its files are damaged.
        ConfigError: if what an ONNX model gives is not said, or is said of another model; or without onnxruntime.
        DataError: for an ONNX file that is no depth network.
    """
    stated = model if isinstance(model, StatedModel) else StatedModel(str(model))
    place = find_model(stated.model)
    if place.is_file():
        return open_onnx_weights(place, stated.predictions_are, stated.takes)
    if stated.takes is not None:
        raise ConfigError("--network-takes applies only to an ONNX model", got=str(model), fix="leave it out")
    if stated.predictions_are is not None:
        raise ConfigError(
            "--predictions-are applies only with --predictions, or to an ONNX model",
            got=f"{stated.predictions_are}, for {model}",
            fix="leave it out",
        )
    return load_weights(stated.model)


def has_confidence(weights: DepthModel) -> bool:
    """Whether a model predicts its confidence. An ONNX file gives one map: none does."""
    return isinstance(weights, LoadedWeights) and weights.config.has_confidence
