"""What an exported network says of itself: one JSON text, inside the file or beside it."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from selfdepth.checks import LARGEST
from selfdepth.errors import CheckpointError, SelfDepthError, printable
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.structs import MetricScale
from selfdepth.texts import parse_json

METADATA_KEY = "selfdepth"
"""The entry of an ONNX file's metadata, and of OpenVINO's rt_info, that holds the text."""
FORMAT = "selfdepth-export"
VERSION = 1
IMAGE, DISPARITY = "image", "disparity"
"""Input and output of an exported depth network."""
FIRST, SECOND, MOTION = "first", "second", "T_second_first"
"""Inputs and output of an exported pose network."""
LONGEST_TEXT = 500
"""Characters of a text that is printed: a licence is a name and an address, not its pages."""

Kind = Literal["depth", "pose"]
ExportPrecision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or an output of an exported network.

    Attributes:
        what: what the numbers are.
        unit: of the numbers.
        layout: the axes in their order, and which lengths they may have.
        range: the values that it takes or gives.
    """

    what: str
    unit: str
    layout: str
    range: str


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """What an exported network needs to be used, besides its graph.

    Attributes:
        kind: "depth": `image` gives `disparity`. "pose": `first` and `second`, in temporal order, give
            `T_second_first`, 4x4, which maps points in the frame of the first camera to that of the second.
        width, height: size of the training images in pixels.
        near, far: the depths that it can predict, in the unit of its output; far may be infinite.
        scale: "metric" if that unit is the metre, else "relative"; of a calibrated model `MetricScale.word`.
        metric: the witness of the metres of a calibrated model. Its factor is inside the graph already.
        metres_per_unit: metres in one unit of the output: 1 if it is in metres; None if unknown.
        depth_is: "z", along the camera's axis, or "ray", the distance along the ray.
        camera: intrinsics of the training frames at their original size, before crop and resize; None if unknown.
        crop: cut off the training frames before they were resized.
        rectify: whether frames of a camera with a lens are rectified before the network sees them.
        spacing: of a pose network, frames between `first` and `second` at training; None if unknown, or for depth.
        precision: of the weights, and in int8 of the activations too.
        inputs, outputs: by name.
        licence: of the data that the model learned from, as it was given; None if it was not.
        selfdepth: the version that wrote it.
    """

    kind: Kind
    width: int
    height: int
    near: float
    far: float
    scale: str
    metric: MetricScale | None
    metres_per_unit: float | None
    depth_is: DepthIs
    camera: Camera | None
    crop: Crop = NO_CROP
    rectify: bool
    spacing: int | None = None
    precision: ExportPrecision
    inputs: dict[str, Port]
    outputs: dict[str, Port]
    licence: str | None = None
    selfdepth: str

    @property
    def depth_range(self) -> DepthRange:
        """The depths that it can predict, in the unit of its output."""
        return DepthRange(self.near, self.far)

    def to_json(self) -> str:
        """One JSON object, which `from_json` reads back. An infinite far is null."""
        values: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        values |= {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        values["far"] = self.far if math.isfinite(self.far) else None
        values["metric"] = None if self.metric is None else self.metric.to_json()
        values["camera"] = None if self.camera is None else self.camera.to_json()
        values["crop"] = str(self.crop)
        for name in ("inputs", "outputs"):
            values[name] = {port: dataclasses.asdict(each) for port, each in values[name].items()}
        return json.dumps(values, indent=2, allow_nan=False)

    @staticmethod
    def from_json(text: str, *, where: str | Path) -> ExportedModel:
        """The inverse of `to_json`, for text from anybody.

        Args:
            where: the file, for the sentence.

        Raises:
            CheckpointError: for any other text, and for a field that is missing, unknown, or no such value.
        """
        what = "the exported model's description cannot be read"
        values = parse_json(text, what=what, where=where, fix=_EXPORT_AGAIN, error=CheckpointError)
        try:
            return _model_from(values)
        except KeyError as error:
            got = f"no {error.args[0]!r} in it"
        except (SelfDepthError, TypeError, AttributeError, ValueError, OverflowError) as error:
            got = str(error)
        raise CheckpointError(what, where=where, got=got, fix=_EXPORT_AGAIN)


_EXPORT_AGAIN = "export the model again with this version of selfdepth"


def _object(values: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = values[name]
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} {printable(str(value))[:20]!r}, which is no object")
    return value


def _model_from(values: dict[str, Any]) -> ExportedModel:
    if values.pop("format", None) != FORMAT:
        raise TypeError(f'no "format": "{FORMAT}" in it')
    if (version := values.pop("version", None)) != VERSION:
        raise TypeError(f"version {str(version)[:20]}, and this selfdepth reads {VERSION}")
    known = {each.name for each in dataclasses.fields(ExportedModel)}
    if unknown := sorted(values.keys() - known):
        raise TypeError(f"the unknown field {printable(unknown[0])[:60]!r}")
    kind = _one_of(values, "kind", get_args(Kind))
    camera, metric = (_object(values, name) for name in ("camera", "metric"))
    spacing, licence = values["spacing"], values["licence"]
    near, far = _number(values, "near"), math.inf if values["far"] is None else _number(values, "far")
    DepthRange(near, far)  # refuses those that are out of order
    ports = {FIRST, SECOND} if kind == "pose" else {IMAGE}, {MOTION} if kind == "pose" else {DISPARITY}
    return ExportedModel(
        kind=kind,
        width=_whole(values, "width"),
        height=_whole(values, "height"),
        near=near,
        far=far,
        scale=_text(values, "scale"),
        metric=None if metric is None else MetricScale.from_json(metric),
        metres_per_unit=None if values["metres_per_unit"] is None else _positive(values, "metres_per_unit"),
        depth_is=_one_of(values, "depth_is", ("z", "ray")),
        camera=None if camera is None else Camera.from_json(camera),
        crop=Crop.parse(_text(values, "crop")),
        rectify=_one_of(values, "rectify", (True, False)),
        spacing=None if spacing is None else _whole(values, "spacing"),
        precision=_one_of(values, "precision", get_args(ExportPrecision)),
        inputs=_ports(values, "inputs", ports[0]),
        outputs=_ports(values, "outputs", ports[1]),
        licence=None if licence is None else _text(values, "licence"),
        selfdepth=_text(values, "selfdepth"),
    )


def _one_of(values: dict[str, Any], name: str, choices: tuple[Any, ...]) -> Any:
    value = values[name]
    for choice in choices:  # 1 is not true here, nor a list an error of hashing
        if type(value) is type(choice) and value == choice:
            return choice
    raise TypeError(f"{name} {str(value)[:20]!r}, and not {' or '.join(str(each).lower() for each in choices)}")


def _number(values: dict[str, Any], name: str) -> float:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"{name} {str(value)[:20]!r}, which is no number")
    return float(value)


def _positive(values: dict[str, Any], name: str) -> float:
    number = _number(values, name)
    if number <= 0:
        raise TypeError(f"{name} {number:g}, which is not above 0")
    return number


def _whole(values: dict[str, Any], name: str) -> int:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
        raise TypeError(f"{name} {str(value)[:20]!r}, which is no count")
    return value


def _text(values: dict[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} {str(value)[:20]!r}, which is no text")
    return printable(" ".join(value.split()))[:LONGEST_TEXT]


def _ports(values: dict[str, Any], name: str, wanted: set[str]) -> dict[str, Port]:
    ports = values[name]
    if not isinstance(ports, dict) or ports.keys() != wanted:
        raise TypeError(f"other {name} than {', '.join(sorted(wanted))}")
    fields = [each.name for each in dataclasses.fields(Port)]
    for port in ports.values():
        if not isinstance(port, dict) or port.keys() != set(fields):
            raise TypeError(f"{name} that do not state {', '.join(fields)}")
    return {key: Port(**{each: _text(port, each) for each in fields}) for key, port in ports.items()}
