"""Basalt's calibration.json: its cameras by number, or a refusal that names the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfdepth.data.readers.camera_files import read_camera_file
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens

PLANE = {"fx": 300.0, "fy": 301.0, "cx": 319.5, "cy": 239.5}
POSE = {"px": 0.04, "py": -0.07, "pz": -0.04, "qx": 0.0, "qy": 0.7, "qz": 0.7, "qw": 0.0}
RATIONAL = {"k1": 0.5, "k2": 0.1, "p1": 0.001, "p2": 0.002, "k3": 0.01, "k4": 0.8, "k5": 0.2, "k6": 0.02, "rpmax": 2.7}


def _file(folder: Path, *cameras: tuple[str, dict[str, Any]], size: Any = (640, 480)) -> Path:
    path = folder / "calibration.json"
    values = {
        "T_imu_cam": [POSE for _ in cameras],
        "intrinsics": [{"camera_type": model, "intrinsics": values} for model, values in cameras],
        "resolution": [size for _ in cameras],
        "vignette": [],
        "imu_update_rate": 200.0,
    }
    path.write_text(json.dumps({"value0": values}, indent=4))
    return path


@pytest.mark.parametrize(
    ("model", "coefficients", "lens"),
    [
        ("pinhole", {}, Lens()),
        ("pinhole-radtan8", RATIONAL, Lens("brown", (0.5, 0.1, 0.001, 0.002, 0.01, 0.8, 0.2, 0.02))),
        ("pinhole-radtan8", dict.fromkeys(RATIONAL, 0), Lens()),
        ("kb4", {"k1": 0.01, "k2": -0.001, "k3": 0, "k4": 0.1}, Lens("kannala-brandt", (0.01, -0.001, 0, 0.1))),
        ("eucm", {"alpha": 0.6, "beta": 1.1}, Lens("eucm", (0.6, 1.1))),
    ],
)
def test_the_lens_is_that_of_the_model(tmp_path: Path, model: str, coefficients: dict[str, Any], lens: Lens) -> None:
    path = _file(tmp_path, (model, {**PLANE, **coefficients}))
    assert read_camera_file(path).camera == Camera(**PLANE, width=640, height=480, lens=lens)


def test_of_several_cameras_only_the_chosen_one_need_be_known(tmp_path: Path) -> None:
    path = _file(tmp_path, ("ds", {**PLANE, "xi": -0.2, "alpha": 0.6}), ("pinhole", PLANE))
    assert read_camera_file(path, "cam1").camera.fx == 300
    with pytest.raises(DataError, match=r"several cameras.*got cam0, cam1"):
        read_camera_file(path)


@pytest.mark.parametrize(
    ("camera", "size", "words"),
    [
        (("ds", {**PLANE, "xi": -0.2, "alpha": 0.6}), (640, 480), "lens model is not known.*cam0.*got ds; .*kb4"),
        (("kb4", PLANE), (640, 480), "a finite number for k1; got none"),
        (("pinhole", {**PLANE, "fx": "300"}), (640, 480), "a finite number for fx"),
        (("pinhole", {**PLANE, "fx": float("nan")}), (640, 480), "a finite number for fx"),
        (("pinhole", {**PLANE, "fx": True}), (640, 480), "a finite number for fx"),
        (("pinhole", {**PLANE, "fx": -1.0}), (640, 480), "focal"),
        (("pinhole", PLANE), (640,), "resolution of .width, height."),
        (("pinhole", PLANE), (640, 0), "resolution of .width, height."),
        (("pinhole", PLANE), "640x480", "resolution of .width, height."),
        (("eucm", {**PLANE, "alpha": 2, "beta": 1}), (640, 480), "eucm"),
    ],
)
def test_what_is_not_valid_is_refused_by_name(
    tmp_path: Path, camera: tuple[str, dict[str, Any]], size: Any, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read_camera_file(_file(tmp_path, camera, size=size))


@pytest.mark.parametrize(
    "values", [{}, {"intrinsics": []}, {"intrinsics": [{"camera_type": 1}]}, {"intrinsics": 3}, []]
)
def test_other_entries_are_refused(tmp_path: Path, values: Any) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({"value0": values, "intrinsics": "", "camera_type": ""}))
    with pytest.raises(DataError, match="value0 with intrinsics and resolution"):
        read_camera_file(path)
