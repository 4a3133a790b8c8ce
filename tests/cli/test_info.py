"""`selfdepth info`: one line per property of a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.cli.info import InfoArgs, describe, info
from selfdepth.errors import CheckpointError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens


def test_each_property_is_a_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info(InfoArgs(model=str(model)))
    lines = capsys.readouterr().out.splitlines()
    shown = {name.strip(): value.strip() for name, value in (line.split("  ", 1) for line in lines)}
    assert shown["model"] == str(model)
    assert (shown["encoder"], shown["size"], shown["steps"]) == ("test_resnet", "96x64 pixels", "7")
    assert shown["camera"] == "fx 80.00 fy 81.00 cx 47.00 cy 30.00 for frames of 96x64, 62 degrees wide"
    assert (shown["trained on"], shown["split"]) == ("street.mp4", "none")
    assert shown["depth range"] == "0.1 to 100"
    assert len({line.index(value) for line, value in zip(lines, shown.values(), strict=True)}) == 1, "aligned"


def test_the_parameters_of_the_pose_network_are_counted_where_there_is_one(model: Path, moving_model: Path) -> None:
    assert describe(str(model))["parameters"].endswith("no pose network")
    assert describe(str(moving_model))["parameters"] == "depth 2.3 million, pose 1.6 million"


@pytest.mark.parametrize(
    ("stereo", "scale", "unit"),
    [
        ("none", "relative", "relative: up to one unknown factor, not metres"),
        ("nominal", "relative", "relative: times 5.4 it is in metres"),
        ("calibrated", "metric", "metric, in metres"),
    ],
)
def test_the_unit_of_the_depth_is_shown(tmp_path: Path, stereo: str, scale: str, unit: str) -> None:
    config = tiny_config(stereo=stereo)
    state = depth_only(untrained(config).state_dict())
    shown = describe(str(write_model(tmp_path, config, state=state, scale=scale)))  # type: ignore[arg-type]
    assert shown["depth"] == unit
    assert (shown["camera"], shown["steps"], shown["trained on"]) == ("unknown", "unknown", "unknown")


def test_the_lens_of_the_camera_is_shown_with_its_coefficients(tmp_path: Path) -> None:
    lens = Lens("kannala-brandt", (0.05, -0.02))
    camera = Camera(fx=24, fy=24, cx=47.5, cy=31.5, width=96, height=64, lens=lens)
    shown = describe(str(write_model(tmp_path, tiny_config(), camera=camera)))
    assert ", lens kannala-brandt k1 0.05 k2 -0.02, 229 degrees wide" in shown["camera"]


def test_what_is_not_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no model"):
        info(InfoArgs(model=str(tmp_path)))


def test_the_options_are_imported_without_torch() -> None:
    code = "import sys, selfdepth.cli.info; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
