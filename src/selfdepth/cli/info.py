"""`selfdepth info`: describe a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from selfdepth.cli.printing import say

if TYPE_CHECKING:
    from selfdepth.geometry.camera import Camera
    from selfdepth.geometry.crop_resize import CropResize
    from selfdepth.weights.files import LoadedWeights


@dataclass(frozen=True, kw_only=True)
class InfoArgs:
    """Describe a model: networks, size, scale, camera, and the data that it was trained on."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name (mono_640x192), Hugging Face hub name, or ONNX file."""


def info(args: InfoArgs) -> None:
    """Run the verb: print one line per property.

    Raises:
        CheckpointError: for a model that cannot be read.
    """
    rows = describe(args.model)
    width = max(map(len, rows))
    for name, value in rows.items():
        say(f"{name:<{width}}  {' '.join(value.split())}")  # a line for each, whatever a stranger's file says


def describe(model: str) -> dict[str, str]:
    """Properties of a model by name, in the order in which `info` prints them.

    Raises:
        CheckpointError: for a model that cannot be read.
        DataError: if the record of its run is there and cannot be read; or for an ONNX file that is no depth network.
    """
    from selfdepth.weights.files import load_weights
    from selfdepth.weights.locate import find_model

    place = find_model(model)
    return _of_onnx(place) if place.is_file() else describe_weights(load_weights(model))


def describe_weights(weights: LoadedWeights) -> dict[str, str]:
    """The same of weights that have been read.

    Raises:
        CheckpointError: for weights that do not fit their network.
        DataError: if the record of its run is there and cannot be read.
    """
    from selfdepth.engine.health import collapse
    from selfdepth.engine.tracking import read_metrics
    from selfdepth.geometry.ray_depth import describe_depth_is
    from selfdepth.weights.files import depth_network
    from selfdepth.weights.metres import describe_unit

    ills = []
    if weights.folder.name in ("best", "last") and not weights.config.has_confidence:  # a student is as its teacher is
        ills = collapse(read_metrics(weights.folder.parent), automask=weights.config.loss.automask)
    config, camera = weights.config, weights.camera
    # Counted in the network, which has no unused entries; the pose network is not built, so its tensors are counted.
    depth_parameters = sum(parameter.numel() for parameter in depth_network(weights).parameters())
    pose_parameters = sum(
        tensor.numel()
        for name, tensor in weights.state.items()
        if name.startswith("pose_net.") and not name.endswith(_STATISTICS)
    )
    return {
        "model": str(weights.folder),
        "method": config.method,
        "encoder": config.encoder.name,
        "parameters": f"depth {_millions(depth_parameters)}, "
        + (f"pose {_millions(pose_parameters)}" if pose_parameters else "no pose network"),
        "size": f"{config.width}x{config.height} pixels",
        "depth": describe_unit(weights.scale, config.metres_per_unit, weights.metric),
        "depth is": describe_depth_is(weights.depth_is),
        "depth range": _depth_range(weights),
        "confidence": f"learned from {config.self_teacher}" if config.has_confidence else "none",
        "camera": "unknown" if camera is None else _camera(camera),
        **({} if camera is None or camera.is_pinhole else {"frames": _frames(weights.fit, camera)}),
        **_learned_camera(weights),
        "trained on": config.data or "unknown",
        "split": config.split or "none",
        "steps": "unknown" if weights.step is None else str(weights.step),
        **({"warning": "; ".join(ills)} if ills else {}),
    }


def _of_onnx(path: Path) -> dict[str, str]:
    """What an ONNX file says of itself: all, if our export wrote it, and else little."""
    from selfdepth.geometry.ray_depth import describe_depth_is
    from selfdepth.networks.onnx_model import parameters_of
    from selfdepth.weights.metres import describe_unit
    from selfdepth.weights.onnx_weights import open_network

    network, about = open_network(path)
    parameters = parameters_of(path)
    rows = {
        "model": str(path),
        "parameters": "unknown without the package onnx" if parameters is None else f"depth {_millions(parameters)}",
        "size": "any" if network.size is None else f"{network.size[0]}x{network.size[1]} pixels",
    }
    if about is None:
        said = "not said by the file: --predictions-are says it to the other verbs, --network-takes the rest"
        return {**rows, "method": "unknown", "colours": network.colours, "depth": said}
    return {
        **rows,
        "method": f"exported by selfdepth {about.selfdepth}, {about.precision}",
        "depth": describe_unit(about.scale, about.metres_per_unit, about.metric),
        "depth is": describe_depth_is(about.depth_is),
        "depth range": str(about.depth_range),
        "camera": "unknown" if about.camera is None else _camera(about.camera),
        "licence of the data": about.licence or "not given",
    }


def _frames(fit: CropResize, camera: Camera) -> str:
    """What the networks see of frames of a camera with a lens."""
    return (fit.describe_lenses([camera]) or "").partition(": the frames ")[2]


def _learned_camera(weights: LoadedWeights) -> dict[str, str]:
    """How the camera was learned, and how well it is known; nothing of a camera that was given."""
    from selfdepth.engine.camera_report import describe, read_distortions, read_verdicts

    if not weights.config.learns_camera:
        return {}
    verdicts = read_verdicts(weights.folder.parent) if weights.folder.name in ("best", "last") else ()
    if not verdicts:
        return {"camera learned": "how well it is known is found at the end of the run, and not known here"}
    distortions = [str(each) for each in read_distortions(weights.folder.parent) if each is not None]
    rows = {"camera learned": "; ".join(describe(*each) for each in verdicts)}
    return {**rows, "lens learned": "; ".join(distortions)} if distortions else rows


def _camera(camera: Camera) -> str:
    """Intrinsics, size, lens and field of view."""
    from selfdepth.geometry.field_of_view import horizontal_fov_deg
    from selfdepth.geometry.lens import NAMES

    lens = camera.lens
    named = [f"{name} {c:g}" for name, c in zip(NAMES[lens.model], lens.coefficients, strict=True) if c != 0]
    return (
        f"fx {camera.fx:.2f} fy {camera.fy:.2f} cx {camera.cx:.2f} cy {camera.cy:.2f}"
        f" for frames of {camera.width}x{camera.height}"
        + ("" if lens.is_pinhole else f", lens {lens.model}" + "".join(f" {each}" for each in named))
        + f", {horizontal_fov_deg(camera):.0f} degrees wide"
    )


def _depth_range(weights: LoadedWeights) -> str:
    """The depths that the network can predict: in its own unit, and in metres if it is calibrated."""
    own = weights.depth_range
    if weights.metric is None:
        return str(own)
    factor = weights.metric.factor
    return f"{own.near * factor:.4g} to {own.far * factor:.4g} m, {own} of the network's own unit times {factor:.4g}"


_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Statistics of batch normalisation, which are stored with the weights but are not parameters."""


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} million"
