"""What of a model is shared: its weights, and its configuration without anything of the machine that trained it."""

from __future__ import annotations

import dataclasses
import getpass
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfdepth.config import to_json
from selfdepth.errors import CheckpointError, SelfDepthError
from selfdepth.files import checksum
from selfdepth.texts import read_json
from selfdepth.weights.files import LoadedWeights
from selfdepth.weights.hub_names import SCHEME, hub_name
from selfdepth.weights.licences import PUBLISHED_LICENCE, Licence
from selfdepth.weights.locate import CALIBRATION_FILES, CONFIG_FILE, WEIGHTS_FILE
from selfdepth.weights.published import is_published
from selfdepth.weights.published_models import PUBLISHED_NAMES

_PATHS = ("data", "split", "store", "speed", "init", "self_teacher")
_LEARNED = re.compile(r"learn(\+distortion)?:")
_UNNAMED = "unnamed"
_DEEPEST = 20
"""Models that a model came from, one through the other: more would be a circle."""


@dataclass(frozen=True, kw_only=True)
class Shareable:
    """A model that may be shared.

    Attributes:
        weights: with a configuration that names data, models and files by their base names alone.
        files: what is shared, by name: bytes, or the file that holds them.
        inherited: the licence that the model brings along; None if it brings none.
    """

    weights: LoadedWeights
    files: dict[str, bytes | Path]
    inherited: Licence | None


def shareable(weights: LoadedWeights) -> Shareable:
    """Prepare a model for others.

    Raises:
        CheckpointError: for a model that the paper's authors published, which is not the user's to share, and for
            files of a model that cannot be read.
    """
    folder = weights.folder
    if not (folder / WEIGHTS_FILE).is_file():
        raise CheckpointError(
            "a published checkpoint is not shared: the weights of the paper's authors are theirs, and for "
            "non-commercial use only",
            where=folder,
            expected="a model that selfdepth trained: a run folder, or a folder with model.safetensors",
            fix="name the run; others load mono_640x192 and the like by their names",
        )
    inherited = _inherited(folder)
    metric = weights.metric and dataclasses.replace(weights.metric, witness=_cleaned(weights.metric.witness))
    without_machine = dataclasses.replace(weights, config=_without_machine(weights.config), metric=metric)
    values = read_json(folder / CONFIG_FILE, what="the model cannot be read", error=CheckpointError)
    values["train"] = to_json(without_machine.config)
    if metric is not None:
        values["metric"] = metric.to_json()
    # Only that of these weights: the others are of a power cut, and nobody else's business.
    values["weights"] = [{"sha256": checksum(folder / WEIGHTS_FILE), "step": weights.step}]
    files: dict[str, bytes | Path] = {WEIGHTS_FILE: folder / WEIGHTS_FILE, CONFIG_FILE: _text(values)}
    if weights.metric is not None:
        numbers, plot = CALIBRATION_FILES
        if (folder / numbers).is_file():
            found = read_json(folder / numbers, what="the calibration cannot be read", error=CheckpointError)
            files[numbers] = _text(_cleaned(found))
        if (folder / plot).is_file():
            files[plot] = folder / plot
    return Shareable(weights=without_machine, files=files, inherited=inherited)


def with_licence(config: bytes, licence: Licence | None) -> bytes:
    """A `config.json` that carries the model's licence, which models that come from this one inherit."""
    values = json.loads(config)
    values.pop("licence", None)
    return _text(values if licence is None else {**values, "licence": licence.name})


def base_name(word: str) -> str:
    """The last part of a path or an address, on whatever system it was written; nothing of the folders around it, and
    no name of a user."""
    name = re.split(r"[/\\]", word.rstrip("/\\"))[-1]
    return _UNNAMED if name in ("", ".", "..") or name.startswith("~") or name in _users() else name


def _users() -> set[str]:
    users = set()
    for ask in (getpass.getuser, lambda: Path.home().name):
        try:
            users.add(ask())
        except (OSError, KeyError, RuntimeError):  # a container may have a user without a name
            continue
    return users - {""}


def _without_machine(config: Any) -> Any:
    """A configuration without paths; presets, published names and numbers stay as they are."""
    changes: dict[str, Any] = {}
    for field in _PATHS:
        if (word := getattr(config, field)) and not word.startswith(SCHEME):
            changes[field] = base_name(word)
    if config.camera:
        start = _LEARNED.match(config.camera)
        kept = start[0] if start else ""
        changes["camera"] = kept + base_name(config.camera[len(kept) :]) if config.camera != kept else kept
    if config.teacher.path:
        changes["teacher"] = dataclasses.replace(config.teacher, path=base_name(config.teacher.path))
    return dataclasses.replace(config, **changes)


def _cleaned(value: Any) -> Any:
    """JSON values, in which absolute paths are replaced by their base names. A unit such as km/h is none."""
    if isinstance(value, dict):
        return {key: _cleaned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"(?<![\w.])(?:~|[A-Za-z]:)?[/\\][^\s,;'\"]+", lambda found: base_name(found[0]), value)
    return value


def _text(values: Any) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _inherited(folder: Path) -> Licence | None:
    """The licence of a model, or of those that it came from, as far as they can still be found here."""
    for _ in range(_DEEPEST):
        try:
            values = read_json(folder / CONFIG_FILE, what="the model cannot be read", error=CheckpointError)
        except SelfDepthError:
            return None
        if isinstance(stated := values.get("licence"), str):
            return Licence(stated)
        train = values.get("train")
        sources = [train.get("init"), train.get("self_teacher")] if isinstance(train, dict) else []
        named = [word for word in sources if isinstance(word, str)]
        for word in named:
            if base_name(word) in PUBLISHED_NAMES or is_published(Path(word)):
                return Licence(PUBLISHED_LICENCE, inherited_from=base_name(word))
        places = [place for word in named if (place := _folder_of(word)) is not None]
        if not places:
            return None
        folder = places[0]
    return None


def _folder_of(word: str) -> Path | None:
    """The folder of a model that another one came from, if it is on this machine; nothing is downloaded."""
    from huggingface_hub import try_to_load_from_cache

    for folder in (Path(word) / "best", Path(word) / "last", Path(word)):
        if (folder / WEIGHTS_FILE).is_file() and (folder / CONFIG_FILE).is_file():
            return folder
    name = hub_name(word)
    cached = name and try_to_load_from_cache(name.repository, CONFIG_FILE, revision=name.revision)
    return Path(cached).parent if isinstance(cached, str) else None
