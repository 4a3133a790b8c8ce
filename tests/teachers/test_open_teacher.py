"""Which teacher an option means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.config.teacher import TeacherConfig
from selfdepth.errors import ConfigError
from selfdepth.teachers.folder import MapFolder
from selfdepth.teachers.open_teacher import open_teacher
from selfdepth.teachers.teacher import ImageTeacher


def brightness(image: np.ndarray) -> np.ndarray:
    return image.mean(-1)


def test_without_a_teacher_there_is_none() -> None:
    assert open_teacher(TeacherConfig()) is None


def test_a_folder_is_a_folder_of_maps_even_if_its_name_looks_like_a_model(tmp_path: Path) -> None:
    (tmp_path / "maps.onnx").mkdir()
    teacher = open_teacher(TeacherConfig(path=str(tmp_path / "maps.onnx"), gives="depth"))
    assert teacher == MapFolder(folder=tmp_path / "maps.onnx", gives="depth")


def test_a_function_is_known_by_its_name() -> None:
    teacher = open_teacher(TeacherConfig(path="python:brightness"), brightness)
    assert isinstance(teacher, ImageTeacher) and teacher.ask is brightness
    assert teacher.about["name"] == "python:brightness"
    unasked = open_teacher(TeacherConfig(path="python:brightness"))
    assert isinstance(unasked, ImageTeacher) and unasked.ask is None and unasked.about == teacher.about


@pytest.mark.parametrize("path", [None, "maps", "teacher.onnx"])
def test_a_function_without_a_name_is_refused(path: str | None) -> None:
    with pytest.raises(ConfigError, match=r'needs a name: teacher.path; expected python:NAME.*"python:NAME"'):
        open_teacher(TeacherConfig(path=path), brightness)


@pytest.mark.parametrize(
    ("name", "sentence"), [("gone.onnx", "no such teacher"), ("gone", "no such teacher"), ("map.png", "not a teacher")]
)
def test_what_is_neither_a_folder_nor_a_model_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "map.png").touch()
    with pytest.raises(ConfigError, match=f"{sentence}.*--teacher.path .*{name}; expected a folder of 16-bit PNGs"):
        open_teacher(TeacherConfig(path=str(tmp_path / name)))
