"""Which teacher a configuration means."""

from __future__ import annotations

from typing import Any

from selfdepth.config.teacher import ONNX, PYTHON, TeacherConfig
from selfdepth.errors import ConfigError
from selfdepth.networks.onnx_model import digest_of_files, open_onnx
from selfdepth.places import path_of
from selfdepth.teachers.folder import MapFolder
from selfdepth.teachers.teacher import Ask, ImageTeacher, Teacher


def open_teacher(config: TeacherConfig, function: Ask | None = None) -> Teacher | None:
    """The teacher of a run, or None if it has none.

    Args:
        function: the teacher itself, if it is given from Python: it takes an image (uint8, h w 3, RGB) and returns its
            disparity (floats, h w), or its depth if `config.gives` says so. `config.path` then is "python:NAME"; the
            name stands for the function in records, so give another function another name.

    Raises:
        ConfigError: for a teacher that does not exist, a function without a name, or a lack of onnxruntime.
        DataError: for a model that cannot be used.
    """
    if function is not None and not config.is_python:
        raise ConfigError(
            "a teacher that is a Python function needs a name",
            where="teacher.path",
            expected=f"{PYTHON}NAME",
            got=str(config.path),
            fix=f'configure it with TeacherConfig(path="{PYTHON}NAME")',
        )
    if config.path is None:
        return None
    if config.is_python:
        about = {"name": config.path, "kind": "function"}
        return ImageTeacher(ask=function, gives=config.gives, about=about)
    path = path_of(config.path)
    if path.is_dir():
        return MapFolder(folder=path, gives=config.gives)
    if not path.is_file() or not config.is_onnx:
        raise ConfigError(
            "there is no such teacher" if not path.exists() else "this file is not a teacher",
            where=f"--teacher.path {config.path}",
            expected=f"a folder of 16-bit PNGs, or a file that ends in {ONNX}",
        )
    model = open_onnx(path, config)
    about_model: dict[str, Any] = {
        "name": path.name,
        "kind": "onnx",
        "sha256": digest_of_files(path),
        "size": None if model.size is None else list(model.size),
        "colours": model.colours,
    }
    return ImageTeacher(ask=model, gives=config.gives, about=about_model, any_size=True)
