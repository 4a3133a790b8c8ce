"""The models of a comparison, opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from selfdepth.comparison.result import short_names
from selfdepth.config.network_input import OPTION, NetworkInput
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.onnx_model import AS_MODEL, open_onnx, parameters_of
from selfdepth.places import path_of
from selfdepth.weights.exported import METADATA_KEY
from selfdepth.weights.files import LoadedWeights
from selfdepth.weights.locate import CONFIG_FILE, files_of_model, find_model
from selfdepth.weights.models import DepthModel, StatedModel, load_model
from selfdepth.weights.onnx_weights import OnnxWeights

Kind = Literal["run", "published", "hub", "export", "ONNX"]

Word = TypeVar("Word")

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


def open_candidates(
    models: Sequence[str], predictions_are: Sequence[Quantity], device: str, takes: Sequence[NetworkInput] = ()
) -> list[Candidate]:
    """Open models.

    Args:
        predictions_are: what the ONNX models of other people give: one word for all, or one for each, in their order.
        takes: the images that these take, in the same way.

    Raises:
        SelfDepthError: for a model that cannot be used or is named twice, or another number of words.
    """
    twice = next((model for i, model in enumerate(models) if model in models[:i]), None)
    if twice is not None:
        raise ConfigError("a model is named twice", where="MODEL", got=twice, fix="leave one of them out")
    places = [find_model(model) for model in models]
    foreign = [model for model, place in zip(models, places, strict=True) if _is_foreign(place)]
    gives, inputs = _said(foreign, predictions_are, "--predictions-are"), _said(foreign, takes, OPTION)
    candidates = []
    for name, model, place in zip(short_names(models), models, places, strict=True):
        weights = load_model(StatedModel(model, gives.get(model), inputs.get(model)))
        predictor = Predictor(weights, device=device, precision="fp32", aligned_later=True)
        candidates.append(Candidate(name=name, model=model, weights=weights, predictor=predictor, place=place))
    return candidates


def _is_foreign(place: Path) -> bool:
    return place.is_file() and METADATA_KEY not in open_onnx(place, use=AS_MODEL).about


def _said(unsaid: Sequence[str], words: Sequence[Word], option: str) -> dict[str, Word]:
    """What is said of each ONNX model of other people."""
    if not words or (len(words) in (1, len(unsaid)) and unsaid):
        return dict(zip(unsaid, words if len(words) == len(unsaid) else [*words] * len(unsaid), strict=False))
    raise ConfigError(
        f"{option} is for the ONNX models that selfdepth export did not write",
        expected=f"one word, or one for each: {', '.join(unsaid)}" if unsaid else "none: there is no such model here",
        got=" ".join(str(each) for each in words),
        fix=None if unsaid else "leave it out",
    )
