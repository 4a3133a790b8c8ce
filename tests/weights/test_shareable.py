"""What is shared of a model: its weights unchanged, and nothing of the machine that trained it."""

from __future__ import annotations

import getpass
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.config import TeacherConfig
from selfdepth.errors import CheckpointError
from selfdepth.files import checksum
from selfdepth.structs import MetricScale
from selfdepth.weights.files import load_weights
from selfdepth.weights.licences import PUBLISHED_LICENCE, Licence
from selfdepth.weights.metres import write_metric
from selfdepth.weights.shareable import base_name, shareable, with_licence

HOME = "/home/alice/secret"


def written(folder: Path, **changes: Any) -> Path:
    config = tiny_config(**changes)
    return write_model(folder, config, state=depth_only(untrained(tiny_config()).state_dict()), step=3)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/home/alice/drive.mp4", "drive.mp4"),
        ("drives/street/", "street"),
        ("C:\\Users\\alice\\drive.mp4", "drive.mp4"),
        ("s3://alice-bucket/kitti", "kitti"),
        ("~/x/night", "night"),
        ("~alice", "unnamed"),
        ("/", "unnamed"),
        ("..", "unnamed"),
        (f"/home/{getpass.getuser()}", "unnamed"),
        ("eigen_zhou", "eigen_zhou"),
    ],
)
def test_a_path_is_named_by_its_last_part_alone_and_never_by_a_user(word: str, expected: str) -> None:
    assert base_name(word) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"data": f"{HOME}/drive.mp4", "split": f"{HOME}/split", "store": f"{HOME}/store"},
        {"camera": f"{HOME}/cam.yaml:left"},
        {"camera": f"learn:{HOME}/cam.yaml"},
        {"init": f"{HOME}/runs/a"},
        {"teacher": TeacherConfig(path=f"{HOME}/maps")},
        {"data": f"{HOME}/drive.mp4", "speed": f"{HOME}/drive.gpx"},
        {"data": "C:\\Users\\alice\\secret\\drive.mp4"},
    ],
)
def test_no_path_of_the_machine_is_shared(tmp_path: Path, changes: dict[str, Any]) -> None:
    shared = shareable(load_weights(written(tmp_path / "model", **changes)))
    text = shared.files["config.json"]
    assert isinstance(text, bytes)
    for word in (b"secret", b"alice", str(tmp_path).encode()):
        assert word not in text


def test_what_is_shared_is_read_back_as_the_same_model(tmp_path: Path) -> None:
    model = written(tmp_path / "model", data=f"{HOME}/drive.mp4", camera=f"learn:{HOME}/cam.yaml")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, data in shareable(load_weights(model)).files.items():
        (copy / name).write_bytes(data if isinstance(data, bytes) else data.read_bytes())
    assert checksum(copy / "model.safetensors") == checksum(model / "model.safetensors")
    before, after = load_weights(model), load_weights(copy)
    assert (after.step, after.camera, after.scale) == (before.step, before.camera, before.scale)
    assert after.config.learns_camera
    assert (after.config.data, after.config.camera) == ("drive.mp4", "learn:cam.yaml")


def test_a_calibrated_model_is_shared_with_its_numbers_and_without_their_paths(tmp_path: Path) -> None:
    model = written(tmp_path / "model")
    (model / "calibration.png").write_bytes(b"plot")
    assert not {"calibration.json", "calibration.png"} & shareable(load_weights(model)).files.keys()
    metric = MetricScale(factor=25.0, spread=0.05, witness=f"speed {HOME}/drive.gpx")
    write_metric(model, metric, measured_with=checksum(model / "model.safetensors"))
    numbers = {"factor": 25.0, "witnesses": [{"source": f"{HOME}/drive.gpx", "notes": ["at 50 km/h", "1/2"]}]}
    (model / "calibration.json").write_text(json.dumps(numbers))
    files = shareable(load_weights(model)).files
    assert json.loads(bytes(files["calibration.json"]))["witnesses"] == [  # type: ignore[arg-type]
        {"source": "drive.gpx", "notes": ["at 50 km/h", "1/2"]}
    ]
    assert json.loads(bytes(files["config.json"]))["metric"]["witness"] == "speed drive.gpx"  # type: ignore[arg-type]
    assert files["calibration.png"] == model / "calibration.png"


def test_a_published_checkpoint_is_not_the_users_to_share(mono: Path) -> None:
    with pytest.raises(CheckpointError, match=r"published checkpoint is not shared.*non-commercial"):
        shareable(load_weights(mono))


def test_the_licence_comes_along_from_whatever_a_model_came_from(tmp_path: Path) -> None:
    published = Licence(PUBLISHED_LICENCE, inherited_from="mono_640x192")
    assert shareable(load_weights(written(tmp_path / "own"))).inherited is None
    first = written(tmp_path / "first" / "best", init="mono_640x192")
    second = written(tmp_path / "second", init=str(tmp_path / "first"))
    assert shareable(load_weights(first)).inherited == published
    assert shareable(load_weights(second)).inherited == published
    copied = tmp_path / "copied"
    shutil.copytree(second, copied)
    (copied / "config.json").write_bytes(with_licence((second / "config.json").read_bytes(), Licence("cc-by-nc-4.0")))
    third = written(tmp_path / "third", init=str(copied))
    assert shareable(load_weights(copied)).inherited == Licence("cc-by-nc-4.0")
    assert shareable(load_weights(third)).inherited == Licence("cc-by-nc-4.0")


def test_models_that_came_from_each_other_in_a_circle_end(tmp_path: Path) -> None:
    written(tmp_path / "a", init=str(tmp_path / "b"))
    written(tmp_path / "b", init=str(tmp_path / "a"))
    assert shareable(load_weights(tmp_path / "a")).inherited is None
