"""Models on disk: a folder with `model.safetensors` and `config.json`. Nothing in it is read with pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from selfdepth.config import ResolvedConfig, TrainConfig, from_json, to_json
from selfdepth.errors import CheckpointError, SelfDepthError
from selfdepth.files import checksum, whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.networks.depth import DepthNet
from selfdepth.structs import MetricScale
from selfdepth.texts import read_json, reason
from selfdepth.weights.hub import FORMAT
from selfdepth.weights.locate import CALIBRATION_FILES, CONFIG_FILE, WEIGHTS_FILE, find_weights
from selfdepth.weights.published import Entries, is_published, read_published
from selfdepth.weights.tensors import COPY_AGAIN, read_tensors, require_modest, unreadable

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
        metric: the factor to metres that a witness gave for these very weights; None if there was none.
        depth_is: "z", along the camera's axis, or "ray", the distance along the ray, of a model that learned through a
            lens.
    """

    config: TrainConfig
    camera: Camera | None
    scale: Scale
    step: int | None = None
    focal_baseline: float | None = None
    metric: MetricScale | None = None
    depth_is: DepthIs = "z"


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """A model as read from disk.

    Attributes:
        state: tensors by name, `depth_net.*` and `pose_net.*`, on the CPU.
        config, camera, scale, step, focal_baseline, metric, depth_is: as in WeightsMeta. In the model's unit.
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
    depth_is: DepthIs = "z"
    unused_entries: Entries = field(default_factory=dict)
    metric: MetricScale | None = None

    @property
    def metres_per_unit(self) -> float | None:
        """Factor from the network's depth to metres, of a witness or of training with stereo pairs; None if unknown."""
        return self.config.metres_per_unit if self.metric is None else self.metric.factor

    @property
    def depth_range(self) -> DepthRange:
        """The depths that the network can predict, with their conversion from its sigmoid."""
        return depth_range_of(self.config, self.focal_baseline)

    @property
    def fit(self) -> CropResize:
        """The crop and the resize that turn a frame into the networks' input, as at training.

        Networks that learned from the frames of pinhole cameras take those of a lens rectified.
        """
        config = self.config
        return CropResize(width=config.width, height=config.height, crop=config.crop_px, rectify=config.rectify != "no")


def save_weights(folder: Path, state: Mapping[str, Tensor], meta: WeightsMeta) -> None:
    """Write `model.safetensors` and `config.json`, which holds the checksum of the weights.

    The two cannot be renamed at once. So the configuration comes first, and knows the checksum and the step of the
    older weights too: after a power cut between the renames they are still the model that they were.

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
        "camera": None if meta.camera is None else meta.camera.to_json(),
        "scale": meta.scale,
        "step": meta.step,
    }
    if meta.focal_baseline is not None:
        values["focal_baseline"] = meta.focal_baseline
    if meta.metric is not None:
        values["metric"] = meta.metric.to_json()
    if meta.depth_is != "z":
        values["depth_is"] = meta.depth_is
    data = save(tensors)
    # One block for both: neither file is renamed to its final name before both are written.
    with (
        whole_file(folder / WEIGHTS_FILE, needs_bytes=len(data)) as weights_path,
        whole_file(folder / CONFIG_FILE) as config_path,
    ):
        values["weights"] = [{"sha256": hashlib.sha256(data).hexdigest(), "step": meta.step}, *_present(folder)]
        config_path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        weights_path.write_bytes(data)
    for name in CALIBRATION_FILES:  # measured with the older weights, which had another scale
        (folder / name).unlink(missing_ok=True)


def saved_step(folder: Path) -> int | None:
    """The step of the weights in a folder; None if there are none, or they are not what was written."""
    try:
        return _read_meta(folder).step
    except CheckpointError:
        return None


def _present(folder: Path) -> list[dict[str, Any]]:
    """Checksum and step of the weights that are there, if they are a model."""
    step = saved_step(folder)
    return [] if step is None else [{"sha256": checksum(folder / WEIGHTS_FILE), "step": step}]


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
    meta = _read_meta(folder)
    return LoadedWeights(
        state=read_tensors(folder / WEIGHTS_FILE),
        config=ResolvedConfig.of(meta.config),
        camera=meta.camera,
        scale=meta.scale,
        step=meta.step,
        folder=folder,
        focal_baseline=meta.focal_baseline,
        metric=meta.metric,
        depth_is=meta.depth_is,
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


def depth_network(weights: LoadedWeights) -> DepthNet:
    """The depth network with these weights, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: if the weights do not fit the encoder that the configuration names.
    """
    config = weights.config
    build = partial(
        DepthNet,
        config.encoder.name,
        n_views=config.n_views,
        n_mask_sources=config.n_sources if config.loss.predictive_mask else 0,
        scales=config.encoder.scales,
        confidence=config.has_confidence,
    )
    state = {
        name.removeprefix(_DEPTH_PREFIX): tensor
        for name, tensor in weights.state.items()
        if name.startswith(_DEPTH_PREFIX)
    }
    try:
        with torch.device("meta"):  # shapes without memory: an encoder that does not fit may be of any size
            _require_fit(state, build().state_dict(), weights)
        network = build()
    except CheckpointError:
        raise
    except SelfDepthError as error:
        raise unreadable(weights.folder / CONFIG_FILE, str(error)) from error
    network.load_state_dict(state)
    return network.eval()


def _read_meta(folder: Path) -> WeightsMeta:
    path = folder / CONFIG_FILE
    values = read_json(path, what="the model cannot be read", fix=COPY_AGAIN, error=CheckpointError)
    if values.get("format") != FORMAT:
        raise unreadable(path, f'no "format": "{FORMAT}" in it')
    if values.get("version") != VERSION:
        raise CheckpointError(
            "another version of selfdepth wrote the model",
            where=path,
            expected=f"version {VERSION}",
            got=f"version {str(values.get('version'))[:20]}",
            fix="update selfdepth, or train the model again",
        )
    try:
        meta = _meta_from(values, path)
        weights = values.get("weights")  # older versions wrote no checksum
        return meta if weights is None else dataclasses.replace(meta, step=_step_by_checksum(weights, folder))
    except KeyError as error:
        raise unreadable(path, f"no {error.args[0]!r} in it") from error
    except CheckpointError:
        raise
    except OSError as error:  # a read error of the disk, half-way through the weights
        raise unreadable(folder / WEIGHTS_FILE, reason(error)) from error
    except (SelfDepthError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise unreadable(path, str(error)) from error


def _step_by_checksum(weights: list[dict[str, Any]], folder: Path) -> int | None:
    """The step of the weights in a folder, by their checksum.

    Args:
        weights: checksum and step of the weights that may be there, as `save_weights` writes them.

    Raises:
        CheckpointError: if the weights are none of them.
    """
    path = folder / WEIGHTS_FILE
    require_modest(path)
    found = checksum(path)
    for each in weights:
        if each["sha256"] == found:
            return _checked_step(each["step"])
    raise CheckpointError(
        "the weights are not what was written: a copy was cut short, or the disk has changed them",
        where=path,
        expected=f"the checksum in {CONFIG_FILE}",
        got=f"{found[:12]}...",
        fix=f'copy the folder again; if you changed the weights yourself, delete "weights" from {CONFIG_FILE}',
    )


def _checked_step(step: object) -> int | None:
    if step is not None and (not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < 2**63):
        raise TypeError(f"step {str(step)[:20]}")
    return step


def _meta_from(values: dict[str, Any], path: Path) -> WeightsMeta:
    config = from_json(values["train"], where=path)
    camera, scale = values["camera"], values["scale"]
    if config.height is None:  # of a run whose data were never opened: such a configuration describes no model
        raise TypeError("no height")
    if scale not in ("relative", "metric"):
        raise TypeError(f"scale {scale!r}")
    metric = values.get("metric")
    focal_baseline = values.get("focal_baseline")
    if config.method == "monodepth-v1" and not (isinstance(focal_baseline, float) and 0 < focal_baseline < math.inf):
        raise TypeError(f"focal_baseline {focal_baseline!r}")
    depth_is = values.get("depth_is", "z")  # older versions knew nothing else
    if depth_is not in ("z", "ray"):
        raise TypeError(f"depth_is {depth_is!r}")
    return WeightsMeta(
        config=config,
        camera=None if camera is None else Camera.from_json(camera),
        scale=scale,
        step=_checked_step(values.get("step")),
        focal_baseline=focal_baseline if config.method == "monodepth-v1" else None,
        metric=None if metric is None else MetricScale.from_json(metric),
        depth_is=depth_is,
    )


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
