"""What an exported network says of itself: written, read back, and refused from strangers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from selfdepth.errors import CheckpointError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.structs import MetricScale
from selfdepth.weights.exported import ExportedModel, Port

PORT = Port(what="colours", unit="none", layout="(batch, 3, height, width)", range="[0, 1]")
DEPTH = ExportedModel(
    kind="depth",
    width=640,
    height=192,
    near=2.5,
    far=2500.0,
    scale="metric",
    metric=MetricScale(factor=25.0, spread=0.05, witness="height 1.65 m"),
    metres_per_unit=1.0,
    depth_is="z",
    camera=Camera.from_fov(60, width=1242, height=375),
    crop=Crop(top=3),
    rectify=True,
    precision="int8",
    inputs={"image": PORT},
    outputs={"disparity": PORT},
    licence="CC BY-NC-SA 3.0",
    selfdepth="0.2.0",
)
POSE = replace(
    DEPTH,
    kind="pose",
    spacing=2,
    inputs={"first": PORT, "second": PORT},
    outputs={"T_second_first": PORT},
    licence=None,
)


@pytest.mark.parametrize("model", [DEPTH, POSE, replace(DEPTH, far=math.inf, metric=None, camera=None)])
def test_a_description_is_read_back_as_it_was_written(model: ExportedModel) -> None:
    text = model.to_json()
    assert "Infinity" not in text  # no JSON, to most who read it
    assert ExportedModel.from_json(text, where="x.onnx") == model


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, 'no "format": "selfdepth-export"'),
        ({"version": 2}, "version 2, and this selfdepth reads 1"),
        ({"kind": "flow"}, "kind 'flow', and not depth or pose"),
        ({"kind": ["depth"]}, "kind \"\\['depth'\\]\""),
        ({"width": 0}, "width '0', which is no count"),
        ({"width": True}, "width 'True', which is no count"),
        ({"height": 10**12}, "height '1000000000000'"),
        ({"near": 0}, "0 < near < far"),
        ({"near": "1"}, "near '1', which is no number"),
        ({"far": 1.0}, "0 < near < far"),
        ({"metric": {"factor": -1.0, "spread": None, "witness": "x"}}, "a factor above 0"),
        ({"metric": {}}, "no 'factor'"),
        ({"metric": []}, "metric '\\[\\]', which is no object"),
        ({"metres_per_unit": -1}, "metres_per_unit -1, which is not above 0"),
        ({"depth_is": "y"}, "depth_is 'y', and not z or ray"),
        ({"camera": {"fx": 1}}, "missing"),
        ({"camera": 3}, "camera '3', which is no object"),
        ({"crop": "1,2"}, "top,bottom,left,right"),
        ({"rectify": 1}, "rectify '1', and not true or false"),
        ({"spacing": 1.5}, "spacing '1.5', which is no count"),
        ({"precision": "fp8"}, "precision 'fp8', and not fp32 or fp16 or int8"),
        ({"inputs": {}}, "other inputs than image"),
        ({"outputs": {"disparity": {"what": "x"}}}, "outputs that do not state what, unit, layout, range"),
        ({"licence": 3}, "licence '3', which is no text"),
        ({"colour": "red"}, "the unknown field 'colour'"),
    ],
)
def test_what_is_not_such_a_description_is_refused_by_its_field(changes: dict[str, Any], words: str) -> None:
    text = json.dumps({**json.loads(DEPTH.to_json()), **changes})
    with pytest.raises(CheckpointError, match=rf"description cannot be read: x\.onnx.*{words}.*export the model again"):
        ExportedModel.from_json(text, where="x.onnx")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format": "selfdepth-export"'])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match=r"description cannot be read: x\.onnx"):
        ExportedModel.from_json(text, where="x.onnx")


@pytest.mark.parametrize("name", sorted(json.loads(DEPTH.to_json())))
def test_every_field_is_required(name: str) -> None:
    values = json.loads(DEPTH.to_json())
    del values[name]
    with pytest.raises(CheckpointError, match=f"{name}|version None"):
        ExportedModel.from_json(json.dumps(values), where="x.onnx")


def test_a_strangers_text_is_one_line_without_controls_and_short() -> None:
    values = {**json.loads(DEPTH.to_json()), "licence": "free\n\x1b[2J" + "x" * 10_000}
    licence = ExportedModel.from_json(json.dumps(values), where="x.onnx").licence
    assert licence is not None
    assert licence.startswith("free \\x1b[2J") and len(licence) == 500
