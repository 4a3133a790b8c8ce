"""Every example runs as it is."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import selfdepth
from helpers import ros2
from helpers.models import tiny_config, write_model
from selfdepth.synthetic import drive
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MAX_LINES = 80
SMALL = ("--encoder", "test_resnet")

RunExample = Callable[..., str]


@pytest.fixture
def run_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunExample:
    """Run an example as a program in an empty folder, though not in a process of its own. Gives what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *words])
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_an_image_is_predicted_with_a_model_that_is_trained_on_the_spot(
    run_example: RunExample, tmp_path: Path
) -> None:
    said = run_example("01_predict_an_image.py", "--steps", "2", *SMALL)
    assert "192x64" in said
    assert "relative" in said
    with Image.open(tmp_path / "runs/example-01/depth.png") as picture:
        assert picture.size == (192, 128)
    assert run_example("01_predict_an_image.py") == said, "the model that is there is used again"


def test_a_folder_is_trained_on_and_the_record_read(run_example: RunExample, tmp_path: Path) -> None:
    said = run_example("02_train_on_a_folder.py", "--steps", "2", "--batch-size", "2", *SMALL)
    assert "step 1: loss" in said
    assert (tmp_path / "runs/example-02/run/best/model.safetensors").is_file()


def test_the_true_depth_explains_the_other_view_better_than_no_depth_and_than_half_of_it(
    run_example: RunExample, tmp_path: Path
) -> None:
    said = run_example("03_warp_an_image.py")
    still, true, half = (float(line.split()[-1]) for line in said.splitlines()[:3])
    assert true < 0.5 * min(still, half)
    assert (tmp_path / "runs/example-03/warp.png").is_file()


def test_errors_are_printed_for_arrays_of_ones_own(run_example: RunExample, tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(2, 60, (3, 20, 30))
    np.save(tmp_path / "truth.npy", truth)
    np.save(tmp_path / "pred.npy", 1 / truth)
    words = ("--disparities", "pred.npy", "--depths", "truth.npy")
    assert run_example("04_depth_metrics_on_your_own_arrays.py", *words).startswith("abs_rel   0.0000")


def test_in_a_process_of_its_own_an_example_needs_nothing_but_the_package(tmp_path: Path) -> None:
    source = str(Path(selfdepth.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(ROOT / "examples" / "04_depth_metrics_on_your_own_arrays.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "abs_rel" in done.stdout


def test_errors_of_a_trajectory_are_printed_and_it_is_written_as_text(
    run_example: RunExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sparse(spec: DriveSpec) -> SyntheticDrive:
        """The same drive with a tenth of its frames."""
        return render_drive(replace(spec, frames=spec.frames // 10, fps=spec.fps / 10))

    monkeypatch.setattr(drive, "render_drive", sparse)
    said = run_example("05_trajectory.py")
    rows = {line.split("  ")[0]: line.split("  ", 1)[1].split() for line in said.splitlines()}
    assert float(rows["scale"][0]) == pytest.approx(5, rel=0.02)
    assert 0 < float(rows["ATE"][0]) < float(rows["ATE"][-2])
    kitti, tum = (tmp_path / f"runs/example-05/{kind}.txt" for kind in ("kitti", "tum"))
    perfect = run_example("05_trajectory.py", "--predicted", str(tum), "--truth", str(tum), "--out", "again")
    assert "ATE               0.000 m" in perfect
    assert len(kitti.read_text().splitlines()) == len(tum.read_text().splitlines()) == 40


def test_a_robots_node_publishes_depth_in_metres_with_the_header_and_the_camera_of_the_newest_image(
    run_example: RunExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = ros2.install(monkeypatch)
    network.parameters["model"] = str(write_model(tmp_path / "model", tiny_config(), scale="metric"))
    run_example("06_ros2_depth_node.py")
    for _, qos, _ in network.listeners.values():
        assert (qos.depth, qos.history, qos.reliability) == (1, "keep_last", "best_effort")
    assert set(network.published_with) == {"depth/image_rect", "depth/camera_info"}
    assert {qos.reliability for qos in network.published_with.values()} == {"reliable"}, "which serves all subscribers"
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    header = SimpleNamespace(stamp=SimpleNamespace(sec=7, nanosec=9), frame_id="cam_optical")
    see, know = network.listeners["image"][0], network.listeners["camera_info"][0]
    image = ros2.image_of(pixels, header)
    see(image)
    assert "depth/camera_info" not in network.sent, "no camera has been told"
    know(ros2.CameraInfo(height=32, width=48, k=[1.0] * 9))
    see(image)
    depth = network.sent["depth/image_rect"][-1]
    assert (depth.header, depth.encoding, depth.height, depth.width, depth.step) == (header, "32FC1", 32, 48, 192)
    values = np.frombuffer(depth.data, "<f4").reshape(32, 48)
    np.testing.assert_allclose(values, selfdepth.load(network.parameters["model"]).predict(pixels).depth, rtol=1e-4)
    (info,) = network.sent["depth/camera_info"]
    assert info.header is header and info.k == [1.0] * 9
    image.encoding = "h264"
    see(image)
    assert "encoding" in network.errors[0], "and it goes on"
    assert len(network.sent["depth/image_rect"]) == 2 and len(network.sent["depth/camera_info"]) == 1


def test_a_robots_node_refuses_relative_depth(
    run_example: RunExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = ros2.install(monkeypatch)
    network.parameters["model"] = str(write_model(tmp_path / "model", tiny_config()))
    with pytest.raises(SystemExit, match=r"relative.*selfdepth calibrate"):
        run_example("06_ros2_depth_node.py")
    assert not network.listeners


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_and_says_how_it_is_run(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert text.startswith('"""')
    assert f"python examples/{path.name}" in text.split('"""')[1]


def test_every_example_is_run_here() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f'"{path.name}"' not in tests] == []
