"""The models of a comparison, opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfdepth.comparison.result import short_names
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.onnx_model import parameters_of
from selfdepth.places import path_of
from selfdepth.weights.files import LoadedWeights
from selfdepth.weights.locate import CONFIG_FILE, files_of_model, find_model
from selfdepth.weights.models import DepthModel, StatedModel, load_model
from selfdepth.weights.onnx_weights import OnnxWeights, open_network

Kind = Literal["run", "published", "hub", "export", "ONNX"]

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model that takes part.

    Attributes:
        name: short, and different from the others'.
        model: as the user named it.
        weights: as they were read.
        predictor: ready, in float32.
        place: its folder or file.
    """

    name: str
    model: str
    weights: DepthModel
    predictor: Predictor
    place: Path

    @property
    def kind(self) -> Kind:
        """What it is."""
        if isinstance(self.weights, OnnxWeights):
            return "ONNX" if self.weights.exported is None else "export"
        if not (self.place / CONFIG_FILE).is_file():
            return "published"
        return "run" if path_of(self.model).exists() else "hub"

    @property
    def bytes(self) -> int:
        """Of the files with its weights."""
        return sum(file.stat().st_size for name, file in files_of_model(self.place).items() if name != CONFIG_FILE)

    @property
    def parameters(self) -> int | None:
        """Of its depth network; None if unknown."""
        if not isinstance(self.weights, LoadedWeights):
            return parameters_of(self.place)
        tensors = self.weights.state.items()
        return sum(
            tensor.numel()
            for name, tensor in tensors
            if name.startswith("depth_net.") and not name.endswith(_STATISTICS)
        )

    def trained_on(self, data: Path) -> bool:
        """Whether it was trained on this very data."""
        if not isinstance(self.weights, LoadedWeights) or self.weights.config.data is None:
            return False
        return path_of(self.weights.config.data).resolve() == data.resolve()


def open_candidates(models: Sequence[str], predictions_are: Sequence[Quantity], device: str) -> list[Candidate]:
    """Open models.

    Args:
        predictions_are: what the ONNX models of other people give: one word for all, or one for each, in their order.

    Raises:
        SelfDepthError: for a model that cannot be used or is named twice, or another number of words.
    """
    twice = next((model for i, model in enumerate(models) if model in models[:i]), None)
    if twice is not None:
        raise ConfigError("a model is named twice", where="MODEL", got=twice, fix="leave one of them out")
    places = [find_model(model) for model in models]
    said = _said(models, places, predictions_are)
    candidates = []
    for name, model, place in zip(short_names(models), models, places, strict=True):
        weights = load_model(StatedModel(model, said.get(model)))
        predictor = Predictor(weights, device=device, precision="fp32", aligned_later=True)
        candidates.append(Candidate(name=name, model=model, weights=weights, predictor=predictor, place=place))
    return candidates


def _said(models: Sequence[str], places: Sequence[Path], words: Sequence[Quantity]) -> dict[str, Quantity]:
    """What each ONNX model of other people gives."""
    unsaid = [
        model for model, place in zip(models, places, strict=True) if place.is_file() and open_network(place)[1] is None
    ]
    if not words or (len(words) in (1, len(unsaid)) and unsaid):
        return dict(zip(unsaid, words if len(words) == len(unsaid) else [*words] * len(unsaid), strict=False))
    raise ConfigError(
        "--predictions-are is for the ONNX models that selfdepth export did not write",
        expected=f"one word, or one for each: {', '.join(unsaid)}" if unsaid else "none: there is no such model here",
        got=" ".join(words),
        fix=None if unsaid else "leave it out",
    )
