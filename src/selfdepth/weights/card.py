"""The model card of a shared model: README.md with the hub's front matter, written from what the run knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selfdepth import __version__
from selfdepth.weights.files import LoadedWeights
from selfdepth.weights.licences import PUBLISHED_LICENCE, Licence

CARD_FILE = "README.md"
LIBRARY = "selfdepth"
_METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")
_PATENT = (
    "The method (Monodepth2, arXiv:1806.01260) is said to be covered by US patent 11,991,342; neither the licence of "
    "the weights nor that of selfdepth gives any rights to a patent that others hold."
)


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Errors of depth, and how they were measured.

    Attributes:
        values: by the names of the metrics.
        protocol: in words: frames, scaling, crop and range.
    """

    values: Mapping[str, float]
    protocol: str


def model_card(
    weights: LoadedWeights, *, repository: str, rows: Mapping[str, str], licence: Licence | None, errors: list[Errors]
) -> str:
    """The text of README.md.

    Args:
        weights: without anything of the machine, as `shareable` gives them.
        repository: "owner/name", by which others load the model.
        rows: what `selfdepth info` says of these weights.
    """
    parts = [
        _front_matter(weights, licence),
        f"# {repository.split('/')[1]}",
        "Depth from a single image, learned from video alone with [selfdepth](https://arxiv.org/abs/1806.01260), an "
        "independent implementation of Monodepth2.",
        "## Use",
        f"```bash\npip install selfdepth\nselfdepth predict {repository} street.jpg --out depth\n```",
        f'```python\nimport selfdepth\n\npredictor = selfdepth.load("{repository}")\n'
        'prediction = predictor.predict("street.jpg")\nprint(prediction.depth.shape, prediction.scale)\n```',
        "## The model",
        _table({"property": "value"}, rows),
        "## Errors",
        *(map(_errors, errors) if errors else ["None were measured: the run had no ground truth."]),
        "## Limits",
        "\n".join(f"- {each}" for each in _limits(weights)),
        "## Licence",
        _licence(licence),
        _PATENT,
        f"Written by selfdepth {__version__}. The files are safetensors and JSON; nothing in them runs.",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(weights: LoadedWeights, licence: Licence | None) -> str:
    tags = [LIBRARY, "depth-estimation", "monocular-depth", "self-supervised", weights.config.method]
    lines = [f"library_name: {LIBRARY}", "pipeline_tag: depth-estimation"]
    # JSON strings are YAML too, so that no name can break out of its line.
    lines += [f"{key}: {json.dumps(value)}" for key, value in (licence.front_matter if licence else {}).items()]
    return "\n".join(["---", *lines, "tags:", *(f"- {tag}" for tag in tags), "---"])


def _table(head: Mapping[str, str], rows: Mapping[str, str]) -> str:
    lines = [f"| {key} | {value} |\n|---|---|" for key, value in head.items()]
    return "\n".join([*lines, *(f"| {key} | {plain(value)} |" for key, value in rows.items())])


def plain(text: str) -> str:
    """A text on one line, in which nothing is markup: it may come from a stranger's file."""
    one_line = " ".join(text.split())
    for mark in "\\`|<>[]*_":
        one_line = one_line.replace(mark, f"\\{mark}")
    return one_line


def _errors(errors: Errors) -> str:
    names = [name for name in (*_METRICS, *errors.values) if name in errors.values]
    names = list(dict.fromkeys(names))
    head, rule = " | ".join(map(plain, names)), "|".join(["---"] * len(names))
    row = " | ".join(f"{errors.values[name]:.3f}" for name in names)
    return f"| {head} |\n|{rule}|\n| {row} |\n\n{plain(errors.protocol)}."


def _limits(weights: LoadedWeights) -> list[str]:
    if weights.metric is not None:
        scale = f"Metres come from a witness ({plain(weights.metric.witness)}) and hold for its camera and mounting."
    elif weights.scale == "metric":
        scale = "Depth is in metres for the camera that the model was trained with; another one may change its scale."
    else:
        scale = (
            "Depth is relative: known up to one factor, which may differ from scene to scene. It is not metres; "
            "`selfdepth calibrate` finds the factor for a camera whose height, speed or distances are known."
        )
    return [
        scale,
        "The training assumes a moving camera in a scene that stands still: objects that move with the camera may be "
        "predicted far too far away, and glass, mirrors and darkness mislead it.",
        "Other cameras, mountings and places than those of the training data are not covered by the errors above.",
        "It was not made, and must not be trusted, for decisions on which safety depends.",
    ]


def _licence(licence: Licence | None) -> str:
    if licence is None:
        return "No licence was stated: ask the owner before you use the model."
    source = f", inherited from {plain(licence.inherited_from)}" if licence.inherited_from else ""
    text = f"{plain(licence.name)}{source}."
    if licence.name == PUBLISHED_LICENCE:
        text += (
            " This model started with, or learned from, weights that the authors of the paper published. Those are "
            "for non-commercial use only, and so is this model."
        )
    elif licence.is_non_commercial:
        text += " For non-commercial use only."
    return text


def measured(values: Mapping[str, Any], protocol: str) -> Errors | None:
    """The errors among these values, if there are any."""
    found = {name: float(values[name]) for name in _METRICS if isinstance(values.get(name), int | float)}
    return Errors(values=found, protocol=protocol) if found else None
