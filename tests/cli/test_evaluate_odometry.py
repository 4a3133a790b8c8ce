"""`selfdepth evaluate odometry`: a table, files, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.trajectories import drifting, drive
from selfdepth.cli.main import main
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry
from selfdepth.weights.files import WeightsMeta, save_weights


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """odometry/, model/, still/ (no pose network), truth.txt and predicted.txt (200 m)."""
    root = tmp_path_factory.mktemp("world")
    street = render_drive(DriveSpec(seed=3, frames=8, width=96, height=64, stops=False))
    write_kitti_odometry(street, root / "odometry", number=9)
    torch.manual_seed(0)
    encoder = EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False)
    config = TrainConfig(width=96, height=64, encoder=encoder)
    state = SelfSupervisedDepth(config).state_dict()
    still = {name: tensor for name, tensor in state.items() if name.startswith("depth_net")}
    for name, weights in (("model", state), ("still", still)):
        save_weights(root / name, weights, WeightsMeta(config=config, camera=None, scale="relative"))
    poses = drive(200, turn=0.02)
    for name, each in (("truth", poses), ("predicted", drifting(poses))):
        (root / f"{name}.txt").write_text(Trajectory(T_world_camera=each, timestamps=np.arange(200.0)).to_kitti())
    return root


def test_a_model_is_compared_on_a_sequence(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "odometry", str(world / "model"), "--data", str(world / "odometry"), "--sequence", "09"]
    files = ["--json", str(tmp_path / "out/o.json"), "--plots", str(tmp_path / "plots")]
    assert main([*words, "--device", "cpu", *files]) == 0
    shown = capsys.readouterr().out
    for piece in (
        "five-frame",
        "ATE",
        "RPE",
        "t_err",
        "straight line",
        "8 poses of 8",
        "RMSE / sqrt(N)",
        "100 m of road",
    ):
        assert piece in shown
    values = json.loads((tmp_path / "out/o.json").read_text())
    assert f"{values['ate']['rmse']:.3f}" in shown and f"{values['five_frame_error']['mean']:.4f}" in shown
    assert (values["sequence"], values["kitti"], values["alignment"]["kind"]) == ("09", None, "sim3")
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["axes.png", "path.png"]


def test_a_given_trajectory_is_compared_with_a_file(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--predictions", str(world / "predicted.txt"), "--ground-truth", str(world / "truth.txt")]
    rows = {}
    for align in ("sim3", "se3"):
        file = tmp_path / f"{align}.json"
        assert main(["evaluate", "odometry", *words, "--align", align, "--json", str(file)]) == 0
        rows[align] = json.loads(file.read_text())
    shown = capsys.readouterr().out
    assert f"{rows['sim3']['kitti']['t_err_percent']:.3f}" in shown
    assert rows["sim3"]["kitti"]["t_err_percent"] < rows["se3"]["kitti"]["t_err_percent"]
    assert rows["sim3"]["alignment"]["scale"] == pytest.approx(1 / 0.3, rel=0.1)
    assert rows["se3"]["alignment"]["scale"] == 1


def test_a_given_trajectory_is_compared_on_a_sequence(world: Path, tmp_path: Path) -> None:
    words = ["--predictions", str(world / "odometry/poses/09.txt"), "--data", str(world / "odometry")]
    file = tmp_path / "o.json"
    assert main(["evaluate", "odometry", *words, "--align", "none", "--json", str(file)]) == 0
    assert json.loads(file.read_text())["ate"]["max"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "nothing to evaluate"),
        (["MODEL"], "--data"),
        (["MODEL", "--predictions", "FILE", "--ground-truth", "FILE"], "MODEL and --predictions exclude"),
        (["--predictions", "FILE", "--ground-truth", "FILE", "--every", "2"], "--every and --predictions exclude"),
        (["--predictions", "FILE"], "nothing to compare with"),
        (
            ["--predictions", "FILE", "--ground-truth", "FILE", "--sequence", "09"],
            "--sequence applies only with --data",
        ),
        (["--predictions", "FILE", "--ground-truth", "FILE"], "the file cannot be read"),
        (["MODEL", "--data", "DATA", "--batch-size", "0"], "--batch-size"),
        (["MODEL", "--data", "gone/DATA"], "no such data"),
        (["gone/model", "--data", "world/odometry"], "gone/model"),
        (["world/still", "--data", "world/odometry"], "the model has no pose network"),
        (["world/model", "--data", "world/odometry", "--every", "0"], "--every"),
        (["world/model", "--data", "world/odometry", "--sequence", "10"], "--sequence 10"),
        (["MODEL", "--data", "DATA", "--align", "affine"], "affine"),
        (["--predictions", "world/truth.txt", "--data", "world/odometry"], "one pose for each frame"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    world: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [word.replace("gone", str(tmp_path)).replace("world", str(world)) for word in words]
    assert main(["evaluate", "odometry", *words, "--json", str(tmp_path / "out/o.json")]) == 2
    assert sentence.replace("gone", str(tmp_path)) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
