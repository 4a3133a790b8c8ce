"""Monodepth v1, from the images of two cameras to metres: train, resume, validate, predict, evaluate, describe."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from selfdepth.cli import main as main_module
from selfdepth.cli.main import main
from selfdepth.config import EncoderConfig
from selfdepth.engine.setup import prepare_run
from selfdepth.errors import SelfDepthWarning
from selfdepth.geometry.depth_range import MAX_DISPARITY
from selfdepth.inference.predictor import Predictor
from selfdepth.presets import MONODEPTH_V1, preset
from selfdepth.synthetic.drive import BASELINE_M, DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.weights.files import load_weights

NAME = "2011_09_26/2011_09_26_drive_0001_sync"
WIDTH, HEIGHT, N_FRAMES, N_PAIRS = 128, 64, 8, 7
TINY = "--width 64 --height 64 --batch-size 2 --device cpu --precision fp32 --encoder.name test_resnet"


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; other tests must not notice."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kitti/, of which the last right image is missing, and split/, with validation frames of both cameras."""
    folder = tmp_path_factory.mktemp("v1")
    spec = DriveSpec(seed=1, frames=N_FRAMES, width=WIDTH, height=HEIGHT, stereo=True, brightness_change=0.0)
    write_kitti_raw(render_drive(spec, workers=1), folder / "kitti", image_format="png")
    (folder / "kitti" / NAME / f"image_03/data/{N_PAIRS:010d}.png").unlink()
    (folder / "split").mkdir()
    (folder / "split/train_files.txt").write_text("".join(f"{NAME} {n} {side}\n" for n in range(1, 4) for side in "lr"))
    (folder / "split/val_files.txt").write_text(f"{NAME} 5 l\n{NAME} 5 r\n{NAME} {N_PAIRS} l\n")
    (folder / "split/test_files.txt").write_text(f"{NAME} 6 l\n{NAME} {N_PAIRS} l\n")
    return folder


def data(world: Path) -> list[str]:
    return ["--data", str(world / "kitti"), "--split", str(world / "split")]


@pytest.fixture(scope="module")
def run(world: Path) -> Path:
    out = world / "run"
    words = ["train", MONODEPTH_V1, *data(world), *TINY.split(), "--steps", "4", "--save-every", "2"]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))
        warnings.simplefilter("error", SelfDepthWarning)
        assert main([*words, "--out", str(out)]) == 0
    return out


def lines(run: Path, kind: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in every if line["kind"] == kind]


def test_a_run_is_recorded_validated_drawn_and_resumed(run: Path) -> None:
    first = lines(run, "train")[0]
    assert {"loss/scale_3", "loss/appearance", "loss/smoothness", "loss/consistency", "disparity_spread"} <= set(first)
    assert "motion" not in first and first["kept"] == 1
    for line in lines(run, "val"):
        assert np.isfinite([line["loss"], line["abs_rel"], line["abs_rel_median_scaled"]]).all()
    assert [path.name for path in sorted((run / "previews").iterdir())][-1] == "step_000004.png"
    assert main(["train", "--resume", "--out", str(run), "--steps", "5"]) == 0
    assert load_weights(run / "last").step == 5


def test_depth_is_focal_length_times_baseline_over_disparity_of_one_image_in_metres(run: Path, world: Path) -> None:
    weights = load_weights(run)
    assert weights.scale == "metric" and weights.camera is not None
    assert weights.focal_baseline == pytest.approx(weights.camera.fx / WIDTH * BASELINE_M, rel=1e-5)
    predictor = Predictor.load(run, device="cpu", precision="fp32")
    assert predictor.metres_per_unit == 1
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)  # of the network's own size
    prediction = predictor.predict(pixels)
    frames = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        sigmoid = predictor._network(frames)[0][0, 0].numpy()
    share = MAX_DISPARITY * sigmoid  # of the width, so focal length and disparity may be in pixels of any image size
    assert np.allclose(prediction.depth, weights.camera.fx * BASELINE_M / (share * WIDTH), rtol=1e-4)


def test_the_program_predicts_describes_and_evaluates_it_in_metres(
    run: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = world / "kitti" / NAME / "image_02/data/0000000000.png"
    words = [
        "predict",
        str(run),
        str(image),
        "--out",
        str(tmp_path),
        "--save",
        "npz",
        "png16",
        "ply",
        "--device",
        "cpu",
    ]
    assert main(words) == 0
    assert "metric, in metres" in capsys.readouterr().out
    with np.load(tmp_path / "npz/0000000000.npz") as arrays:
        assert str(arrays["scale"]) == "metric" and np.isfinite(arrays["depth"]).all()
    assert main(["info", str(run)]) == 0
    said = capsys.readouterr().out
    for words_said in ("monodepth-v1", "no pose network", "metric, in metres", "to inf"):
        assert words_said in said
    evaluate = ["evaluate", "depth", str(run), *data(world), "--device", "cpu", "--json", str(tmp_path / "a.json")]
    assert main([*evaluate, "--no-median-scaling", "--post-process"]) == 0
    measured = json.loads((tmp_path / "a.json").read_text())
    assert measured["protocol"]["factor"] == 1 and np.isfinite(measured["abs_rel"])


def test_a_model_without_its_cameras_number_is_refused_and_others_need_none(run: Path, tmp_path: Path) -> None:
    assert not [name for name in load_file(run / "last/model.safetensors") if not name.startswith("depth_net.")]
    values = json.loads((run / "last/config.json").read_text())
    for wrong in (None, 0.0, -1.0, float("inf"), "0.3"):
        folder = tmp_path / str(wrong)
        folder.mkdir()
        (folder / "model.safetensors").write_bytes((run / "last/model.safetensors").read_bytes())
        (folder / "config.json").write_text(json.dumps(values | {"focal_baseline": wrong}))
        with pytest.raises(Exception, match="focal_baseline"):
            load_weights(folder)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--loss.automask"], "--loss.automask"),
        (["--loss.reprojection", "min"], "--loss.reprojection"),
        (["--offsets", "-1", "1"], "--offsets"),
        (["--stereo", "none"], "--offsets"),
        (["--loss.start-depth", "5"], "--loss.start-depth"),
        (["--drop-after", "15"], "--drop-after"),
        (["--encoder.pose-name", "resnet50"], "--encoder.pose-name"),
        (["--method", "monodepth2", "--init", "RUN"], "other networks"),
        (["--method", "monodepth3"], "--method"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line_and_nothing_is_written(
    words: list[str], sentence: str, run: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(run) if word == "RUN" else word for word in words]
    command = ["train", MONODEPTH_V1, *data(world), *TINY.split(), *given, "--out", str(tmp_path / "out")]
    assert main([*command, "--steps", "1"]) == 2
    refused = capsys.readouterr().err.splitlines()[-1]
    assert refused.startswith("error: ") and sentence in refused
    assert not (tmp_path / "out").exists()


def test_it_neither_starts_from_another_method_nor_is_written_in_the_later_ones_format(
    run: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nominal = ["--stereo", "nominal", "--steps", "1", "--out", str(tmp_path / "nominal")]
    assert main(["train", MONODEPTH_V1, *data(world), *TINY.split(), *nominal]) == 0
    weights = load_weights(tmp_path / "nominal")
    assert weights.scale == "relative" and weights.config.metres_per_unit == 5.4
    assert weights.focal_baseline == pytest.approx((load_weights(run).focal_baseline or 0) * 0.1 / BASELINE_M, rel=1e-5)
    capsys.readouterr()
    for model in (tmp_path / "nominal", run):
        words = ["export", str(model), "--format", "monodepth2", "--out", str(tmp_path / "published")]
        assert main(words) == 2
        assert "models of Monodepth2 only" in capsys.readouterr().err
        assert not (tmp_path / "published").exists()
    trajectory = ["predict", str(run), str(world / "kitti" / NAME / "image_02/data"), "--out", str(tmp_path / "path")]
    assert main([*trajectory, "--save", "trajectory"]) == 2
    assert "pose network" in capsys.readouterr().err


def test_the_untrained_network_is_not_warned_of_a_start_out_of_view(world: Path, tmp_path: Path) -> None:
    config = replace(
        preset(MONODEPTH_V1),
        data=str(world / "kitti"),
        split=str(world / "split"),
        width=64,
        height=64,
        encoder=EncoderConfig(name="test_resnet", pretrained=False),
        batch_size=2,
        device="cpu",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", SelfDepthWarning)
        run = prepare_run(replace(config, epochs=None, steps=1), tmp_path / "run", resume=False)
    assert run.depth_range.near == pytest.approx((run.data.focal_baseline or 0) / MAX_DISPARITY)
