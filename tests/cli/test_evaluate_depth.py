"""`selfdepth evaluate depth`: a table, a file, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth.cli.main import main
from selfdepth.config import TrainConfig
from selfdepth.evaluation.depth.metrics import METRICS
from selfdepth.networks.depth import DepthNet
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.weights.files import WeightsMeta, save_weights

NAME = "2011_09_26/2011_09_26_drive_0001_sync"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model/, kitti/, split/, and files of predictions."""
    folder = tmp_path_factory.mktemp("world")
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=3, width=128, height=64)), folder / "kitti")
    (folder / "split").mkdir()
    (folder / "split/test_files.txt").write_text(f"{NAME} 0 l\n{NAME} 2 l\n")
    torch.manual_seed(0)
    state = {f"depth_net.{name}": tensor for name, tensor in DepthNet("resnet18").state_dict().items()}
    config = TrainConfig(width=96, height=64)
    save_weights(folder / "model", state, WeightsMeta(config=config, camera=None, scale="relative"))
    truth = np.random.default_rng(0).uniform(2, 50, (2, 32, 64))
    np.savez(folder / "gt.npz", data=truth)
    np.save(folder / "perfect.npy", 1 / truth)
    return folder


def test_a_model_is_compared_with_the_best_constant(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "depth", str(world / "model"), "--data", str(world / "kitti"), "--split", str(world / "split")]
    assert main([*words, "--device", "cpu", "--json", str(tmp_path / "out/depth.json")]) == 0
    shown = capsys.readouterr().out
    for piece in ("this model", "best constant", *METRICS, "protocol: eigen", "2 of the test frames", "spread"):
        assert piece in shown
    values = json.loads((tmp_path / "out/depth.json").read_text())
    assert f"{values['abs_rel']:.3f}" in shown
    assert f"{values['baseline']['abs_rel']:.3f}" in shown
    assert {"images", "ratios", "protocol", "counts", *METRICS} <= values.keys()
    assert set(METRICS) <= values["baseline"].keys()
    requested = (values["model"], values["data"], values["split"], values["frames"])
    assert requested == (words[2], words[4], words[6], "test frames")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["depth.json"]


def test_predictions_without_a_model_are_compared(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--predictions", str(world / "perfect.npy"), "--ground-truth", str(world / "gt.npz")]
    assert main(["evaluate", "depth", *words, "--no-median-scaling", "--protocol", "dense"]) == 0
    shown = capsys.readouterr().out
    assert "0.000" in next(line for line in shown.splitlines() if "predictions  " in line)
    assert "without median scaling" in shown


def test_the_factor_scales_predictions(world: Path, tmp_path: Path) -> None:
    words = ["--predictions", str(world / "perfect.npy"), "--ground-truth", str(world / "gt.npz"), "--factor", "1.1"]
    file = tmp_path / "depth.json"
    assert main(["evaluate", "depth", *words, "--no-median-scaling", "--json", str(file)]) == 0
    assert json.loads(file.read_text())["abs_rel"] == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "nothing to evaluate"),
        (["MODEL"], "--data"),
        (["MODEL", "--data", "DATA", "--predictions", "FILE"], "exclude each other"),
        (
            ["--data", "DATA", "--predictions", "FILE", "--device", "cpu"],
            "--device and --predictions exclude each other",
        ),
        (["--predictions", "FILE"], "--ground-truth"),
        (["--predictions", "FILE", "--ground-truth", "FILE", "--split", "S"], "--split applies only with --data"),
        (["--predictions", "FILE", "--ground-truth", "FILE", "--post-process"], "--post-process and --predictions"),
        (["--predictions", "FILE", "--ground-truth", "FILE"], "no such file"),
        (
            ["MODEL", "--data", "DATA", "--predictions-are", "depth"],
            "--predictions-are applies only with --predictions",
        ),
        (["MODEL", "--data", "DATA", "--factor", "0"], "--factor"),
        (["MODEL", "--data", "DATA", "--factor", "nan"], "--factor"),
        (["MODEL", "--data", "DATA", "--batch-size", "0"], "--batch-size"),
        (
            ["--predictions", "FILE", "--ground-truth", "FILE", "--truth-cache", "C"],
            "--truth-cache applies only with --data",
        ),
        (["MODEL", "--data", "DATA", "--frames", "0"], "--frames"),
        (["MODEL", "--data", "DATA", "--part", "all"], "--part"),
        (["--predictions", "FILE", "--ground-truth", "FILE", "--part", "val"], "--part applies only with --data"),
        (["--predictions", "FILE", "--ground-truth", "FILE", "--stream", "1"], "--stream applies only with --data"),
        (["MODEL", "--data", "DIR", "--stream", "-1"], "--stream"),
        (["--predictions", "FILE", "--data", "DATA", "--frames", "5"], "--frames and --predictions"),
        (["MODEL", "--data", "DATA", "--one-scale", "--no-median-scaling"], "exclude each other"),
        (["MODEL", "--data", "DATA", "--max-depth", "0"], "--max-depth"),
        (["MODEL", "--data", "DATA", "--min-depth", "nan"], "--min-depth"),
        (["MODEL", "--data", "DATA", "--min-depth", "9", "--max-depth", "8"], "no depth lies between the bounds"),
        (["gone/model", "--data", "DATA"], "gone/model"),
        (["MODEL", "--data", "DATA", "--protocol", "nyu"], "nyu"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [word.replace("gone", str(tmp_path)) for word in words]
    assert main(["evaluate", "depth", *words]) == 2
    assert sentence.replace("gone", str(tmp_path)) in capsys.readouterr().err


def test_a_refused_comparison_writes_nothing(world: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", np.zeros((2, 32, 64)))
    words = ["--predictions", str(tmp_path / "bad.npy"), "--ground-truth", str(world / "gt.npz")]
    assert main(["evaluate", "depth", *words, "--json", str(tmp_path / "depth.json")]) == 2
    assert not (tmp_path / "depth.json").exists()
