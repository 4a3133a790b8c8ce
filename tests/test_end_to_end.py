"""A drive from its first frame to numbers: checked, trained on, resumed, described, predicted and evaluated."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from selfdepth.cli.main import main
from selfdepth.engine import train
from selfdepth.engine.lock import sole_run
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

DRIVE = "2011_09_26/2011_09_26_drive_0001_sync"
WIDTH, HEIGHT, N_FRAMES = 160, 97, 12
SMALL = (
    "--width 96 --height 64 --batch-size 2 --device cpu --precision fp32 --no-compile "
    "--encoder.no-pretrained --encoder.name test_resnet --encoder.pose-name test_resnet"
)
STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Drive:
    """One rendered drive in three forms. Its height is odd, as cameras' are after rectification."""

    kitti: Path
    split: Path
    frames: Path
    video: Path


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Drive:
    root = tmp_path_factory.mktemp("a drive through Köln")
    rendered = render_drive(DriveSpec(seed=1, frames=N_FRAMES, width=WIDTH, height=HEIGHT))
    made = Drive(kitti=root / "kitti", split=root / "split", frames=root / "frames", video=root / "straße.mkv")
    write_kitti_raw(rendered, made.kitti)
    made.split.mkdir()
    for part, numbers in (("train", range(1, 8)), ("val", (9,)), ("test", (9, 10))):
        lines = "".join(f"{DRIVE} {number} l\n" for number in numbers)
        (made.split / f"{part}_files.txt").write_text(lines)
    made.frames.mkdir()
    for number, image in enumerate(rendered.images):
        Image.fromarray(image).save(made.frames / f"frame_{number:03d}.png")
    with av.open(str(made.video), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgr0"
        for image in rendered.images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return made


@pytest.fixture(scope="session")
def run(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the KITTI form, of three steps, validated with LiDAR."""
    out = tmp_path_factory.mktemp("runs") / "first try"
    data = ["--data", str(drive.kitti), "--split", str(drive.split)]
    words = ["train", "mono-192x64", *data, *SMALL.split(), "--steps", str(STEPS), "--save-every", "2"]
    assert main([*words, "--out", str(out)]) == 0
    return out


def test_check_says_what_the_drive_is(drive: Drive, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(drive.kitti), "--split", str(drive.split)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"{WIDTH}x{HEIGHT}" in said and "7 to train on, 1 to validate, 2 frames to test" in said


def test_a_run_leaves_models_checkpoints_a_record_and_its_configuration(run: Path, drive: Drive) -> None:
    names = {path.name for path in run.iterdir()}
    assert names == {"best", "last", "checkpoints", "config.json", "metrics.jsonl", "previews", "store", "tensorboard"}
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step_000002", "step_000003"]
    config = json.loads((run / "config.json").read_text())
    assert (config["width"], config["height"], config["steps"]) == (96, 64, STEPS)
    assert config["data"] == str(drive.kitti)
    for folder in ("best", "last"):
        assert all(np.isfinite(tensor).all() for tensor in load_file(run / folder / "model.safetensors").values())
    assert any(path.suffix == ".png" for path in (run / "previews").iterdir())


def test_the_record_holds_losses_and_the_error_against_lidar(run: Path) -> None:
    lines = _metrics(run)
    train = [line for line in lines if line["kind"] == "train"]
    val = [line for line in lines if line["kind"] == "val"]
    assert train[0]["step"] == 1 and 0 < train[0]["loss"] < 1
    assert [line["step"] for line in val] == [2, STEPS]
    for line in val:
        assert 0 < line["abs_rel"] < 10 and 0 <= line["a1"] <= 1 and line["loss"] > 0


def test_info_says_what_was_trained_on_what(run: Path, drive: Drive, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(run)]) == 0
    said = capsys.readouterr().out
    assert "96x64 pixels" in said and str(drive.kitti) in said and "relative" in said


def test_predictions_have_the_size_of_the_input_in_every_form(run: Path, drive: Drive, tmp_path: Path) -> None:
    kinds = ["color", "npz", "png16", "mp4"]
    words = ["predict", str(run), str(drive.frames), "--camera", "fov:90", "--out", str(tmp_path / "out")]
    assert main([*words, "--device", "cpu", "--save", *kinds]) == 0
    for kind, suffix in (("color", "png"), ("npz", "npz"), ("png16", "png")):
        names = sorted(path.name for path in (tmp_path / "out" / kind).glob(f"*.{suffix}"))
        assert names == [f"frame_{number:03d}.{suffix}" for number in range(N_FRAMES)]
    with np.load(tmp_path / "out/npz/frame_004.npz") as arrays:
        depth, disparity, K = arrays["depth"], arrays["disparity"], arrays["K"]
        assert str(arrays["scale"]) == "relative"
    assert depth.shape == disparity.shape == (HEIGHT, WIDTH) and K[0, 0] == pytest.approx(WIDTH / 2)
    assert np.allclose(depth, 1 / disparity, rtol=1e-6) and 0.1 <= depth.min() < depth.max() <= 100
    assert Image.open(tmp_path / "out/color/frame_004.png").size == (WIDTH, HEIGHT)
    stored = np.asarray(Image.open(tmp_path / "out/png16/frame_004.png"), np.float64)
    assert np.abs(stored / 256 - depth).max() <= 1 / 256
    with av.open(str(tmp_path / "out/video.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == N_FRAMES


def test_a_video_and_its_frames_are_predicted_alike(run: Path, drive: Drive, tmp_path: Path) -> None:
    for data, out in ((drive.video, "video"), (drive.frames, "frames")):
        words = ["predict", str(run), str(data), "--out", str(tmp_path / out), "--save", "npz", "--device", "cpu"]
        assert main([*words, "--precision", "fp32"]) == 0
    first, second = (sorted((tmp_path / out / "npz").iterdir()) for out in ("video", "frames"))
    assert len(first) == len(second) == N_FRAMES
    for one, other in zip(first, second, strict=True):
        assert np.allclose(np.load(one)["disparity"], np.load(other)["disparity"], rtol=1e-4)


@pytest.mark.parametrize("form", ["video", "frames"])
def test_own_footage_is_trained_on(form: str, drive: Drive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(getattr(drive, form))
    words = ["train", "mono-192x64", "--data", data, *SMALL.split(), "--steps", "1", "--every", "2"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert "warning: no camera given" in said and "60 degrees" in said
    assert (tmp_path / "run/best/model.safetensors").is_file()
    assert not [line for line in _metrics(tmp_path / "run") if "abs_rel" in line]


def test_a_run_is_resumed_from_another_folder_with_a_larger_budget(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drive.frames.parent)
    words = ["train", "mono-192x64", "--data", "frames", *SMALL.split(), "--camera", "fov:81"]
    assert main([*words, "--steps", "1", "--out", str(tmp_path / "run")]) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--resume", "--out", "run", "--steps", "2"]) == 0
    checkpoints = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert checkpoints == ["step_000001", "step_000002"]
    assert main(["train", "--resume", "--out", "run"]) == 0  # the budget is used: nothing is left to do
    assert sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir()) == checkpoints


def test_a_run_is_never_overwritten(run: Path, drive: Drive, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    words = ["train", "mono-192x64", "--data", str(drive.frames), *SMALL.split(), "--steps", "1"]
    assert main([*words, "--out", str(run)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.skipif(importlib.util.find_spec("selfdepth.cli.evaluate_depth") is None, reason="the verb is not there")
def test_evaluation_writes_every_metric(run: Path, drive: Drive, tmp_path: Path) -> None:
    words = ["evaluate", "depth", str(run), "--data", str(drive.kitti), "--split", str(drive.split)]
    assert main([*words, "--device", "cpu", "--json", str(tmp_path / "depth.json")]) == 0
    report = json.loads((tmp_path / "depth.json").read_text())
    for name in ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"):
        assert np.isfinite(report[name])
    assert {"protocol"} <= report.keys()


def test_a_run_stopped_by_ctrl_c_says_how_to_go_on_and_can(
    drive: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seed_step = train.seed_step

    def stopped_at_the_second_step(seed: int, step: int) -> None:
        if step == 1:
            signal.raise_signal(signal.SIGINT)
        seed_step(seed, step)

    words = ["train", "mono-192x64", "--data", str(drive.frames), *SMALL.split(), "--steps", "10000"]
    with monkeypatch.context() as patch:
        patch.setattr(train, "seed_step", stopped_at_the_second_step)
        assert main([*words, "--out", str(tmp_path / "run")]) == 130
    said = capsys.readouterr().err
    assert "--resume" in said and "Traceback" not in said
    (checkpoint,) = (tmp_path / "run/checkpoints").iterdir()
    assert checkpoint.name == "step_000002"
    assert main(["train", "--resume", "--out", str(tmp_path / "run"), "--steps", "3"]) == 0


def _metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_that_was_killed_before_its_first_checkpoint_is_simply_started_again(
    drive: Drive, tmp_path: Path
) -> None:
    words = ["train", "mono-192x64", "--data", str(drive.frames), *SMALL.split(), "--steps", "1"]
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert main([*words, "--out", str(whole)]) == 0
    out.mkdir()
    (out / "config.json").write_bytes((whole / "config.json").read_bytes())
    (out / "metrics.jsonl").write_text('{"kind": "train", "step": 1, "loss": 9}\n{"kind": "tr')
    for folder in (".store.123.partial", "last"):
        (out / folder).mkdir()
    (out / "last/.model.safetensors.123.part").touch()
    assert main([*words, "--out", str(out)]) == 0
    assert _metrics(out)[0]["loss"] < 1
    assert not [path for path in out.rglob(".*")]


def test_two_runs_never_write_to_one_folder(drive: Drive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "mono-192x64", "--data", str(drive.frames), *SMALL.split(), "--steps", "1"]
    with sole_run(tmp_path / "run"):
        code = subprocess.run(
            [sys.executable, "-c", "import fcntl, sys; fcntl.flock(open(sys.argv[1]), 6)", str(tmp_path / "run/.lock")],
            capture_output=True,
            check=False,
        ).returncode
        assert code == 1  # held against other processes
        assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "another process is training" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
