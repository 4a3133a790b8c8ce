"""Models on disk: a folder with `model.safetensors` and `config.json`, nothing of it read through pickle."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from selfdepth.config import ResolvedConfig, TrainConfig, from_json, to_json
from selfdepth.errors import CheckpointError, SelfDepthError
from selfdepth.files import whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.networks.depth import DepthNet
from selfdepth.weights.locate import CONFIG_FILE, WEIGHTS_FILE, find_weights
from selfdepth.weights.published import Entries, is_published, read_published

FORMAT = "selfdepth-weights"
VERSION = 1
_DEPTH_PREFIX = "depth_net."

Scale = Literal["relative", "metric"]


@dataclass(frozen=True, kw_only=True)
class WeightsMeta:
    """What a model needs to be used again, beside its weights: the content of its `config.json`.

    Attributes:
        config: the training run, with width, height and frame spacing resolved.
        camera: of the frames that were trained on, at their original size, or None if not known.
        scale: whether the depth is in metres.
        step: optimiser steps behind the weights, or None if not known.
    """

    config: TrainConfig
    camera: Camera | None
    scale: Scale
    step: int | None = None


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """A model as read from disk.

    Attributes:
        state: tensors by name, `depth_net.*` and `pose_net.*`, on the CPU.
        config, camera, scale, step: as in WeightsMeta.
        folder: where it was read from.
        carried: of a published checkpoint, what our networks do not use, by file and name.
    """

    state: dict[str, Tensor]
    config: ResolvedConfig
    camera: Camera | None
    scale: Scale
    step: int | None
    folder: Path
    carried: Entries = field(default_factory=dict)

    @property
    def fit(self) -> CropResize:
        """How frames are brought to the networks: cropped and resized as at training."""
        return CropResize(width=self.config.width, height=self.config.height, crop=self.config.crop_px)


def save_weights(folder: Path, state: Mapping[str, Tensor], meta: WeightsMeta) -> None:
    """Write `model.safetensors` and `config.json`; files that were there stay whole until the new ones are.

    Args:
        state: tensors by name, on any device (`SelfSupervisedDepth.state_dict()`).

    Raises:
        OutputError: when the folder cannot be written to.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    values = {
        "format": FORMAT,
        "version": VERSION,
        "train": to_json(meta.config),
        "camera": None if meta.camera is None else dataclasses.asdict(meta.camera),
        "scale": meta.scale,
        "step": meta.step,
    }
    with (
        whole_file(folder / CONFIG_FILE) as config_path,
        whole_file(folder / WEIGHTS_FILE) as weights_path,
    ):
        config_path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        weights_path.write_bytes(save(tensors))


def load_weights(model: str | Path) -> LoadedWeights:
    """Read a model.

    Args:
        model: as `find_weights` takes it.

    Raises:
        CheckpointError: for whatever is not such a model or cannot be read, in one sentence.
    """
    folder = find_weights(model)
    if not (folder / WEIGHTS_FILE).is_file() and is_published(folder):
        return _load_published(folder)
    meta = _read_meta(folder / CONFIG_FILE)
    return LoadedWeights(
        state=_read_state(folder / WEIGHTS_FILE),
        config=ResolvedConfig.of(meta.config),
        camera=meta.camera,
        scale=meta.scale,
        step=meta.step,
        folder=folder,
    )


def _load_published(folder: Path) -> LoadedWeights:
    published = read_published(folder)
    return LoadedWeights(
        state=published.state,
        config=published.config,
        camera=None,
        scale="relative",
        step=None,
        folder=folder,
        carried=published.carried,
    )


def unit_in_words(scale: Scale, metres_per_unit: float | None) -> str:
    """What a model's depth is in."""
    if scale == "metric":
        return "metric, in metres"
    if metres_per_unit is None:
        return "relative: up to one unknown factor, not metres"
    return f"relative: times {metres_per_unit:g} it is in metres"


def depth_network(weights: LoadedWeights) -> DepthNet:
    """The depth network with these weights, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: when the weights do not fit the encoder that the configuration names.
    """
    config = weights.config
    try:
        network = DepthNet(
            config.encoder.name,
            n_mask_sources=config.n_sources if config.loss.predictive_mask else 0,
            scales=config.encoder.scales,
        )
    except SelfDepthError as error:
        raise _broken(weights.folder / CONFIG_FILE, str(error)) from error
    found = {
        name.removeprefix(_DEPTH_PREFIX): tensor
        for name, tensor in weights.state.items()
        if name.startswith(_DEPTH_PREFIX)
    }
    _check_fit(found, network.state_dict(), weights)
    network.load_state_dict(found)
    return network.eval()


def _read_meta(path: Path) -> WeightsMeta:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(path, str(error)) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise _broken(path, f'no \'"format": "{FORMAT}"\' in it')
    if values.get("version") != VERSION:
        raise CheckpointError(
            "the model is of another version of selfdepth",
            where=path,
            expected=f"version {VERSION}",
            got=f"version {values.get('version')}",
            fix="update selfdepth, or train again",
        )
    try:
        return _meta_from(values, path)
    except KeyError as error:
        raise _broken(path, f"no {error.args[0]!r} in it") from error
    except (SelfDepthError, TypeError, AttributeError) as error:
        raise _broken(path, str(error)) from error


def _meta_from(values: dict[str, Any], path: Path) -> WeightsMeta:
    config = from_json(values["train"], where=path)
    camera, scale = values["camera"], values["scale"]
    if config.height is None:
        raise TypeError("no height")
    if scale not in ("relative", "metric"):
        raise TypeError(f"scale {scale!r}")
    return WeightsMeta(
        config=config,
        camera=None if camera is None else Camera(**camera),
        scale=scale,
        step=values.get("step"),
    )


def _read_state(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _broken(path, str(error)) from error
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise _broken(path, f"numbers that are not finite in {name}")
    return state


def _check_fit(found: dict[str, Tensor], wanted: dict[str, Tensor], weights: LoadedWeights) -> None:
    got = misfits(found, wanted)
    if got:
        raise CheckpointError(
            "the weights do not fit the network",
            where=weights.folder / WEIGHTS_FILE,
            expected=f"a depth network with encoder {weights.config.encoder.name}",
            got=got,
            fix=f"use a {CONFIG_FILE} and a {WEIGHTS_FILE} that were written together",
        )


def misfits(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """How tensors differ from those that networks want, in names and shapes; empty if they fit."""
    missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    shapes = [name for name in wanted.keys() & found.keys() if wanted[name].shape != found[name].shape]
    examples = {"lacks": missing, "has too much": unknown, "of another shape": sorted(shapes)}
    return "; ".join(f"{len(names)} {kind}, e.g. {names[0]}" for kind, names in examples.items() if names)


def _broken(path: Path, got: str) -> CheckpointError:
    return CheckpointError(
        "the model cannot be read",
        where=path,
        expected=f"a {path.name} that selfdepth wrote",
        got=got,
        fix="copy the folder again, or use another checkpoint of the run",
    )
