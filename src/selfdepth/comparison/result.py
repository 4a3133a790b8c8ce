"""What a comparison of models found, and the one sentence that concludes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.evaluation.depth.metrics import DepthErrors

CONSTANT, ROWS, UNMOVED = "the best constant depth", "the mean depth of each row", "the neighbouring frame as it is"
"""Names of the baselines."""
SHOWN = 4
"""Frames with pictures, at most."""
_SURE = 2.0
"""Standard errors of the mean difference over the frames, within which two models are too close to call."""


@dataclass(frozen=True, kw_only=True)
class Errors:
    """The errors of a model or a baseline on the frames.

    Attributes:
        mean: the number by which models are compared: abs_rel, or the photometric error.
        frames: the same for each frame, in their order.
        depth: all errors against ground truth; None where there is none.
        in_metres: abs_rel without any scaling, of a model that says metres; None for others.
    """

    mean: float
    frames: Float[ndarray, "n"]
    depth: DepthErrors | None = None
    in_metres: float | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model in the comparison.

    Attributes:
        name: short, and different from the others'.
        model: as the user named it.
        kind: "run", "published", "hub", "export" or "ONNX".
        trained_here: whether it was trained on this very data.
        size: (width, height) of its input in pixels.
        unit: "relative", "metric" and so on.
        ms: median time of a frame, in milliseconds.
        bytes: of its files.
        parameters: of its depth network; None if unknown.
        has_shift: whether its disparity is known up to a shift, beside a factor.
    """

    name: str
    model: str
    kind: str
    trained_here: bool
    size: tuple[int, int]
    unit: str
    errors: Errors
    ms: float
    bytes: int
    parameters: int | None
    has_shift: bool = False


@dataclass(frozen=True, kw_only=True)
class View:
    """A frame with its pictures.

    Attributes:
        name: of the frame.
        pictures: caption and pixels, in their order.
    """

    name: str
    pictures: tuple[tuple[str, UInt8[ndarray, "_h _w 3"]], ...]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The errors of all models and baselines on the same frames.

    Attributes:
        errors: of the models, in the user's order.
        baselines, measure, how, frames, views: as in Comparison.
    """

    errors: list[Errors]
    baselines: dict[str, Errors]
    measure: str
    how: tuple[str, ...]
    frames: str
    views: tuple[View, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Models and baselines on the same frames.

    Attributes:
        entries: the models, in the user's order.
        baselines: errors by the name of the baseline.
        measure: "abs_rel" or "photometric error".
        how: sentences on how the numbers came about.
        frames: "25 validation frames".
        data: as the user named it.
        views: some of the frames with pictures.
    """

    entries: tuple[Entry, ...]
    baselines: dict[str, Errors]
    measure: str
    how: tuple[str, ...]
    frames: str
    data: str
    views: tuple[View, ...]

    @property
    def ranked(self) -> list[Entry]:
        """The models, the best first."""
        return sorted(self.entries, key=lambda entry: entry.errors.mean)

    def number(self, errors: Errors) -> str:
        """The mean, with the digits that it deserves."""
        return f"{errors.mean:.{3 if self.measure == 'abs_rel' else 4}f}"

    def to_json(self) -> dict[str, Any]:
        """JSON values, without the pictures."""

        def values(errors: Errors) -> dict[str, Any]:
            found = {self.measure.replace(" ", "_"): errors.mean, "per_frame": errors.frames.tolist()}
            if errors.depth is not None:
                found["errors"] = {name: getattr(errors.depth, name) for name in DepthErrors.__dataclass_fields__}
            return found if errors.in_metres is None else {**found, "abs_rel_in_metres": errors.in_metres}

        models = [
            {
                **{
                    name: getattr(each, name) for name in ("name", "model", "kind", "trained_here", "unit", "has_shift")
                },
                "size": list(each.size),
                "ms_per_frame": each.ms,
                "bytes": each.bytes,
                "parameters": each.parameters,
                **values(each.errors),
            }
            for each in self.entries
        ]
        return {
            "models": models,
            "baselines": {name: values(errors) for name, errors in self.baselines.items()},
            "measure": self.measure,
            "data": self.data,
            "frames": self.frames,
            "how": list(self.how),
            "conclusion": conclusion(self),
        }


def too_close(a: Errors, b: Errors) -> bool:
    """Whether the frames do not tell which of two is better: the mean difference is within its own uncertainty."""
    differences = a.frames - b.frames
    if len(differences) < 2:
        return True
    return bool(abs(differences.mean()) <= _SURE * differences.std(ddof=1) / np.sqrt(len(differences)))


def conclusion(done: Comparison) -> str:
    """The answer, in one sentence: which model is best, whether it beats the baselines, and whether training paid."""
    best = done.ranked[0]
    name, floor = min(done.baselines.items(), key=lambda each: each[1].mean)
    if best.errors.mean >= floor.mean or too_close(best.errors, floor):
        return (
            f"Train: no model here is better than {name} ({done.measure} {done.number(floor)}) on these frames; the "
            f"nearest, {best.name}, has {done.number(best.errors)}."
        )
    gain = 1 - best.errors.mean / floor.mean
    first = (
        f"{best.name} is the best here, with {done.measure} {done.number(best.errors)}, {gain:.0%} less than {name} "
        f"({done.number(floor)})"
    )
    return f"{first}; {_about_training(done)}."


def _about_training(done: Comparison) -> str:
    here = [entry for entry in done.ranked if entry.trained_here]
    others = [entry for entry in done.ranked if not entry.trained_here]
    if not here:
        return "none of these models was trained on this data, so train if that is not good enough, and compare again"
    if not others:
        return "all of these models were trained on this data, so compare a published one, too, to see what that gained"
    own, other = here[0], others[0]
    numbers = f"{own.name} has {done.number(own.errors)}, {other.name} has {done.number(other.errors)}"
    if too_close(own.errors, other.errors):
        return f"training on this data gained nothing that these frames can tell ({numbers})"
    if own.errors.mean < other.errors.mean:
        return f"training on this data paid ({numbers})"
    return f"training on this data has not paid ({numbers})"


_GENERIC = ("best", "last", "run", "model", "model.onnx")
"""Names of folders and files that say nothing of the model."""


def short_names(models: Sequence[str]) -> list[str]:
    """A short name for each model: the end of its path, as much of it as makes it different from all others."""
    parts = [[part for part in model.replace("\\", "/").split("/") if part] or [model] for model in models]
    names = []
    for i, own in enumerate(parts):
        length = 2 if own[-1] in _GENERIC and len(own) > 1 else 1
        others = parts[:i] + parts[i + 1 :]
        while length < len(own) and any(other[-length:] == own[-length:] for other in others):
            length += 1
        names.append("/".join(own[-length:]))
    return names
