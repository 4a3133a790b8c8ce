"""The options of a teacher: what goes together, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from selfdepth.config import TrainConfig, from_json, to_json
from selfdepth.config.teacher import TeacherConfig
from selfdepth.errors import ConfigError

ONNX = {"path": "teacher.onnx"}
NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({**ONNX, "weight": 0.0}, "--teacher.weight; expected a number of more than 0"),
        ({**ONNX, "weight": -1.0}, "--teacher.weight"),
        ({**ONNX, "weight": NAN}, "--teacher.weight"),
        ({**ONNX, "weight": float("inf")}, "--teacher.weight"),
        ({"weight": 0.5}, "there is no teacher: --teacher.weight; got 0.5; name the teacher with --teacher.path"),
        ({"gives": "depth"}, "there is no teacher: --teacher.gives"),
        ({"size": "64x64"}, "there is no teacher: --teacher.size"),
        ({"colours": "unit"}, "there is no teacher: --teacher.colours"),
        ({**ONNX, "size": "518"}, "--teacher.size; expected WIDTHxHEIGHT"),
        ({**ONNX, "size": "0x14"}, "--teacher.size"),
        ({**ONNX, "size": "-14x14"}, "--teacher.size"),
        ({"path": "maps", "size": "64x64"}, "only an ONNX model is fed by us: --teacher.size"),
        ({"path": "python:mine", "colours": "unit"}, "only an ONNX model is fed by us: --teacher.colours"),
        ({"path": ""}, "the teacher has no name"),
        ({"path": "python:"}, "the teacher has no name"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_their_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TeacherConfig(**changes)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("path", "is_python", "is_onnx"),
    [("a/b.onnx", False, True), ("B.ONNX", False, True), ("python:x.onnx", True, False), ("maps", False, False)],
)
def test_the_kind_follows_from_the_path(path: str, is_python: bool, is_onnx: bool) -> None:
    config = TeacherConfig(path=path)
    assert (config.is_python, config.is_onnx) == (is_python, is_onnx)


def test_a_size_is_width_and_height() -> None:
    assert TeacherConfig(path="a.onnx", size="518x140").size_px == (518, 140)
    assert TeacherConfig().size_px is None


def test_a_run_with_a_teacher_survives_json_and_one_that_was_written_before_there_were_any_has_none() -> None:
    teacher = TeacherConfig(path="a.onnx", weight=2.0, gives="depth", size="14x28", colours="symmetric")
    config = TrainConfig(teacher=teacher)
    assert from_json(json.loads(json.dumps(to_json(config))), where="config.json") == config
    before = {name: value for name, value in to_json(TrainConfig()).items() if name != "teacher"}
    assert from_json(before, where="config.json") == TrainConfig()
