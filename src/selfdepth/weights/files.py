"""Models on disk: a folder with `model.safetensors` and `config.json`. Nothing in it is read with pickle."""

from __future__ import annotations

import dataclasses
import json
import math
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
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.networks.depth import DepthNet
from selfdepth.weights.locate import CONFIG_FILE, WEIGHTS_FILE, find_weights
from selfdepth.weights.published import Entries, is_published, read_published

FORMAT = "selfdepth-weights"
VERSION = 1
_DEPTH_PREFIX = "depth_net."

Scale = Literal["relative", "metric"]


@dataclass(frozen=True, kw_only=True)
class WeightsMeta:
    """What a model needs besides its weights: the content of its `config.json`.

    Attributes:
        config: the training run's configuration, with width, height and frame spacing resolved.
        camera: intrinsics of the training frames at their original size, before crop and resize; None if unknown.
        scale: "metric" if the depth is in metres, else "relative".
        step: number of optimiser steps taken; None if unknown.
        focal_baseline: of Monodepth v1, the focal length in image widths times the stereo baseline, which turn its
            disparity d, a share of the width, into depth: focal_baseline / d. None for Monodepth2.
    """

    config: TrainConfig
    camera: Camera | None
    scale: Scale
    step: int | None = None
    focal_baseline: float | None = None


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """A model as read from disk.

    Attributes:
        state: tensors by name, `depth_net.*` and `pose_net.*`, on the CPU.
        config, camera, scale, step, focal_baseline: as in WeightsMeta.
        folder: the folder that holds the files.
        unused_entries: entries of a published checkpoint that our networks do not use, by file and name. An export
            writes them back, so that a published checkpoint survives the round trip bit by bit.
    """

    state: dict[str, Tensor]
    config: ResolvedConfig
    camera: Camera | None
    scale: Scale
    step: int | None
    folder: Path
    focal_baseline: float | None = None
    unused_entries: Entries = field(default_factory=dict)

    @property
    def depth_range(self) -> DepthRange:
        """The depths that the network can predict, with their conversion from its sigmoid."""
        return depth_range_of(self.config, self.focal_baseline)

    @property
    def fit(self) -> CropResize:
        """The crop and the resize that turn a frame into the networks' input, as at training."""
        return CropResize(width=self.config.width, height=self.config.height, crop=self.config.crop_px)


def save_weights(folder: Path, state: Mapping[str, Tensor], meta: WeightsMeta) -> None:
    """Write `model.safetensors` and `config.json`. Older files of these names stay until both new ones are complete.

    Args:
        folder: created if it does not exist.
        state: tensors by name, on any device (`SelfSupervisedDepth.state_dict()`).

    Raises:
        OutputError: if the folder cannot be written to, or the disk is full.
    """
    from safetensors.torch import save

    # safetensors refuses tensors that share memory or are not contiguous, and the networks are in channels_last.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    values = {
        "format": FORMAT,
        "version": VERSION,
        "train": to_json(meta.config),
        "camera": None if meta.camera is None else dataclasses.asdict(meta.camera),
        "scale": meta.scale,
        "step": meta.step,
    }
    if meta.focal_baseline is not None:
        values["focal_baseline"] = meta.focal_baseline
    # One block for both: neither file is renamed to its final name before both are written.
    with (
        whole_file(folder / CONFIG_FILE) as config_path,
        whole_file(folder / WEIGHTS_FILE) as weights_path,
    ):
        config_path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        weights_path.write_bytes(save(tensors))


def load_weights(model: str | Path) -> LoadedWeights:
    """Read a model.

    Args:
        model: any MODEL that `find_weights` accepts.

    Raises:
        CheckpointError: if there is no such model, or its files are damaged.
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
        focal_baseline=meta.focal_baseline,
    )


def depth_range_of(config: TrainConfig, focal_baseline: float | None) -> DepthRange:
    """The depths of a model's sigmoids: Monodepth v1's follow from the pair of cameras, Monodepth2's from the options.

    Args:
        focal_baseline: as in WeightsMeta.
    """
    return config.loss.depth_range if focal_baseline is None else DepthRange.of_pair(focal_baseline)


def _load_published(folder: Path) -> LoadedWeights:
    published = read_published(folder)
    return LoadedWeights(
        state=published.state,
        config=published.config,
        camera=None,
        scale="relative",
        step=None,
        folder=folder,
        unused_entries=published.unused_entries,
    )


def describe_unit(scale: Scale, metres_per_unit: float | None) -> str:
    """A phrase for the unit of a model's depth.

    Args:
        metres_per_unit: factor from the model's unit to metres; None if unknown.
    """
    if scale == "metric":
        return "metric, in metres"
    if metres_per_unit is None:
        return "relative: up to one unknown factor, not metres"
    return f"relative: times {metres_per_unit:g} it is in metres"


def depth_network(weights: LoadedWeights) -> DepthNet:
    """The depth network with these weights, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: if the weights do not fit the encoder that the configuration names.
    """
    config = weights.config
    try:
        network = DepthNet(
            config.encoder.name,
            n_views=config.n_views,
            n_mask_sources=config.n_sources if config.loss.predictive_mask else 0,
            scales=config.encoder.scales,
            confidence=config.has_confidence,
        )
    except SelfDepthError as error:
        raise _unreadable(weights.folder / CONFIG_FILE, str(error)) from error
    state = {
        name.removeprefix(_DEPTH_PREFIX): tensor
        for name, tensor in weights.state.items()
        if name.startswith(_DEPTH_PREFIX)
    }
    _require_fit(state, network.state_dict(), weights)
    network.load_state_dict(state)
    return network.eval()


def _read_meta(path: Path) -> WeightsMeta:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise _unreadable(path, f'no "format": "{FORMAT}" in it')
    if values.get("version") != VERSION:
        raise CheckpointError(
            "another version of selfdepth wrote the model",
            where=path,
            expected=f"version {VERSION}",
            got=f"version {values.get('version')}",
            fix="update selfdepth, or train the model again",
        )
    try:
        return _meta_from(values, path)
    except KeyError as error:
        raise _unreadable(path, f"no {error.args[0]!r} in it") from error
    except (SelfDepthError, TypeError, AttributeError) as error:
        raise _unreadable(path, str(error)) from error


def _meta_from(values: dict[str, Any], path: Path) -> WeightsMeta:
    config = from_json(values["train"], where=path)
    camera, scale = values["camera"], values["scale"]
    if config.height is None:  # of a run whose data were never opened: such a configuration describes no model
        raise TypeError("no height")
    if scale not in ("relative", "metric"):
        raise TypeError(f"scale {scale!r}")
    focal_baseline = values.get("focal_baseline")
    if config.method == "monodepth-v1" and not (isinstance(focal_baseline, float) and 0 < focal_baseline < math.inf):
        raise TypeError(f"focal_baseline {focal_baseline!r}")
    return WeightsMeta(
        config=config,
        camera=None if camera is None else Camera(**camera),
        scale=scale,
        step=values.get("step"),
        focal_baseline=focal_baseline if config.method == "monodepth-v1" else None,
    )


def _read_state(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    # A diverged run saves NaN, with which every prediction would be NaN and no error would say why.
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise _unreadable(path, f"numbers that are not finite in {name}")
    return state


def _require_fit(state: dict[str, Tensor], required: dict[str, Tensor], weights: LoadedWeights) -> None:
    mismatch = describe_mismatch(state, required)
    if mismatch:
        raise CheckpointError(
            "the weights do not fit the network",
            where=weights.folder / WEIGHTS_FILE,
            expected=f"a depth network with encoder {weights.config.encoder.name}",
            got=mismatch,
            fix=f"use a {CONFIG_FILE} and a {WEIGHTS_FILE} of the same model",
        )


def describe_mismatch(state: Mapping[str, Tensor], required: Mapping[str, Tensor]) -> str:
    """How the names and shapes of tensors differ from those that a network requires; empty if they fit.

    Each kind of mismatch is a number and one example: torch's own message lists every tensor, hundreds of lines for
    another encoder.
    """
    missing, unexpected = sorted(required.keys() - state.keys()), sorted(state.keys() - required.keys())
    shapes = [name for name in required.keys() & state.keys() if required[name].shape != state[name].shape]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": sorted(shapes)}
    counts = [f"{len(names)} {kind}, e.g. {names[0]}" for kind, names in kinds.items() if names]
    return f"tensors: {'; '.join(counts)}" if counts else ""


def _unreadable(path: Path, got: str) -> CheckpointError:
    return CheckpointError(
        "the model cannot be read",
        where=path,
        expected=f"a {path.name} that selfdepth wrote",
        got=got,
        fix="copy the folder again, or use another checkpoint of the run",
    )
