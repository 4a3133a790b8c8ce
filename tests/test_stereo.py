"""Learning from stereo pairs, from the images of two cameras to metres: S (pairs alone) and MS (pairs and time)."""

from __future__ import annotations

import json
import shutil
import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor

from selfdepth.cli import main as main_module
from selfdepth.cli.main import main
from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.data.clips.augment import apply, draw_augmentation
from selfdepth.data.clips.clips import make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store
from selfdepth.engine.setup import prepare_run
from selfdepth.engine.train import train
from selfdepth.engine.validate import validate
from selfdepth.errors import SelfDepthWarning
from selfdepth.geometry.warp import synthesize
from selfdepth.losses.photometric import Target, photometric_error
from selfdepth.presets import preset
from selfdepth.structs import Batch
from selfdepth.synthetic.drive import BASELINE_M, DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry
from selfdepth.weights.files import load_weights, save_weights

NAME = "2011_09_26/2011_09_26_drive_0001_sync"
WIDTH, HEIGHT, N_FRAMES, N_PAIRS = 128, 64, 13, 9
TINY = "--width 64 --height 64 --batch-size 2 --device cpu --precision fp32 --no-compile --encoder.no-pretrained"


def encoders(preset: str) -> list[str]:
    """Small ones; pairs alone have no pose encoder to choose."""
    pose = [] if preset.startswith("stereo") else ["--encoder.pose-name", "test_resnet"]
    return ["--encoder.name", "test_resnet", *pose]


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; other tests must not notice."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    spec = DriveSpec(seed=1, frames=N_FRAMES, width=WIDTH, height=HEIGHT, stereo=True, brightness_change=0.0)
    return render_drive(spec, workers=1)


@pytest.fixture(scope="module")
def world(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kitti/, of which the right camera has the first nine frames only, and split/, tested on two frames."""
    folder = tmp_path_factory.mktemp("stereo")
    write_kitti_raw(drive, folder / "kitti", image_format="png")
    for number in range(N_PAIRS, N_FRAMES):
        (folder / "kitti" / NAME / f"image_03/data/{number:010d}.png").unlink()
    (folder / "split").mkdir()
    train_lines = [f"{NAME} {number} {side}\n" for number in range(1, 5) for side in "lr"]
    train_lines += [f"{NAME} {number} l\n" for number in (9, 10)]  # without a partner
    (folder / "split/train_files.txt").write_text("".join(train_lines))
    (folder / "split/val_files.txt").write_text(f"{NAME} 7 l\n{NAME} 11 l\n")  # with and without one
    (folder / "split/test_files.txt").write_text(f"{NAME} 11 l\n{NAME} 12 l\n")
    return folder


@pytest.fixture(scope="module")
def odometry(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same drive and frames as in `world`, as KITTI odometry."""
    folder = tmp_path_factory.mktemp("odometry")
    write_kitti_odometry(drive, folder / "kitti", number=3)
    for number in range(N_PAIRS, N_FRAMES):
        (folder / f"kitti/sequences/03/image_3/{number:06d}.png").unlink()
    (folder / "split").mkdir()
    train_lines = [f"3 {number} {side}\n" for number in range(1, 5) for side in "lr"]
    (folder / "split/train_files.txt").write_text("".join([*train_lines, "3 9 l\n", "3 10 l\n"]))
    (folder / "split/val_files.txt").write_text("3 7 l\n3 11 l\n")
    return folder


def data(world: Path) -> list[str]:
    return ["--data", str(world / "kitti"), "--split", str(world / "split")]


@pytest.fixture(scope="module", params=["stereo", "mono-stereo", "nominal"])
def run(request: pytest.FixtureRequest, world: Path) -> Path:
    """A run of four steps in each mode; the nominal one is of pairs alone too."""
    out = world / f"run-{request.param}"
    preset = {"nominal": "stereo"}.get(request.param, request.param)
    nominal = ["--stereo", "nominal"] if request.param == "nominal" else []
    words = ["train", f"{preset}-192x64", *data(world), *TINY.split(), *encoders(preset), *nominal]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))
        with pytest.warns(SelfDepthWarning, match="2 of 10 training frames have no stereo partner"):
            assert main([*words, "--steps", "4", "--save-every", "2", "--out", str(out)]) == 0
    return out


def lines(run: Path, kind: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in every if line["kind"] == kind]


def test_a_run_is_validated_drawn_saved_and_goes_on(run: Path) -> None:
    assert [path.name for path in sorted((run / "previews").iterdir())][-1] == "step_000004.png"
    for line in lines(run, "val"):
        assert np.isfinite([line["loss"], line["abs_rel"], line["abs_rel_median_scaled"], line["ratio_median"]]).all()
    assert ("motion" in lines(run, "train")[0]) == (run.name == "run-mono-stereo")
    with pytest.warns(SelfDepthWarning, match="2 of 10 training frames have no stereo partner"):
        assert main(["train", "--resume", "--out", str(run), "--steps", "5"]) == 0
    assert load_weights(run / "last").step == 5


def test_pairs_alone_save_no_pose_network(run: Path) -> None:
    pose = [name for name in load_file(run / "last/model.safetensors") if name.startswith("pose_net")]
    assert bool(pose) == (run.name == "run-mono-stereo")


def test_predictions_say_whether_they_are_metres(
    run: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = world / "kitti" / NAME / "image_02/data/0000000000.png"
    words = ["predict", str(run), str(image), "--out", str(tmp_path), "--save", "npz", "png16", "--device", "cpu"]
    assert main(words) == 0
    metric = run.name != "run-nominal"
    unit = "metric, in metres" if metric else "relative: times 5.4 it is in metres"
    assert unit in capsys.readouterr().out
    with np.load(tmp_path / "npz/0000000000.npz") as arrays:
        assert str(arrays["scale"]) == ("metric" if metric else "relative")
    assert ("Unit: metres" if metric else "A factor of 5.4") in (tmp_path / "png16/README.txt").read_text()
    assert main(["info", str(run)]) == 0
    said = capsys.readouterr().out
    assert unit in said
    assert ("no pose network" in said) == (run.name != "run-mono-stereo")


def test_errors_are_shown_with_and_without_median_scaling_and_the_nominal_factor_is_applied_and_said(
    run: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "depth", str(run), *data(world), "--device", "cpu"]
    assert main([*words, "--json", str(tmp_path / "scaled.json")]) == 0
    shown = capsys.readouterr().out
    assert main([*words, "--no-median-scaling", "--json", str(tmp_path / "metres.json")]) == 0
    scaled, metres = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("scaled", "metres"))
    for metric in ("abs_rel", "rmse", "a1"):
        assert scaled[metric] == pytest.approx(metres["with_median_scaling"][metric], rel=1e-9)
        assert metres[metric] == pytest.approx(scaled["without_median_scaling"][metric], rel=1e-9)
    assert "not scaled" in shown and "without_median_scaling" not in metres
    nominal = run.name == "run-nominal"
    assert metres["protocol"]["factor"] == (5.4 if nominal else 1)
    assert ("predictions times 5.4 (the model's" in shown) == nominal
    capsys.readouterr()
    assert main([*words, "--factor", "2", "--json", str(tmp_path / "other.json")]) == 0
    other = json.loads((tmp_path / "other.json").read_text())
    assert other["ratio_median"] == pytest.approx(scaled["ratio_median"] * (2.7 if nominal else 0.5))
    assert "the model's" not in capsys.readouterr().out


def test_what_has_no_partner_is_said_and_pairs_alone_leave_it_out(world: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        data=str(world / "kitti"),
        split=str(world / "split"),
        width=64,
        height=64,
        stereo="calibrated",
        encoder=EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False),
        batch_size=4,
        steps=1,
        device="cpu",
        compile=False,
    )
    with pytest.warns(SelfDepthWarning) as said:
        mixed = prepare_run(config, tmp_path / "mixed", resume=False)
    texts = [str(warning.message) for warning in said]
    assert "2 of 10 training frames have no stereo partner and are used without one" in texts
    assert any("the 2 clips without a stereo partner do not fill a batch of 4" in text for text in texts)
    assert mixed.data.train.clips.n_of_kind == (2, 8)
    pairs_alone = replace(config, offsets=(), encoder=EncoderConfig(name="test_resnet", pretrained=False))
    with pytest.warns(SelfDepthWarning) as said:
        alone = prepare_run(pairs_alone, tmp_path / "alone", resume=False)
    texts = [str(warning.message) for warning in said]
    assert "2 of 10 training frames have no stereo partner and are left out" in texts
    assert any("the stereo partner is shifted by" in text for text in texts)
    assert alone.data.train.clips.n_of_kind == (0, 8)


@pytest.mark.parametrize("preset", ["stereo-192x64", "mono-stereo-192x64"])
def test_footage_or_a_store_without_partners_is_refused_in_a_sentence(
    preset: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--width", "64", "--height", "64"]
    assert main(["prepare", str(world / "kitti"), "--out", str(tmp_path / "store"), *size]) == 0
    # Where KITTI's calibration is in sight, its pairs are found, too.
    frames = Path(shutil.copytree(world / "kitti" / NAME / "image_02/data", tmp_path / "frames"))
    for place, sentence in (
        (tmp_path / "store", "the store holds no stereo pairs"),
        (frames, "there are no stereo pairs in this data"),
    ):
        words = ["train", preset, "--data", str(place), *TINY.split(), *encoders(preset), "--steps", "1"]
        assert main([*words, "--out", str(tmp_path / "run")]) == 2
        refused = capsys.readouterr().err.splitlines()[-1]
        assert refused.startswith("error: ") and sentence in refused
        assert not (tmp_path / "run").exists()


def test_a_store_with_partners_serves_every_mode_alike(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    words = ["prepare", str(world / "kitti"), "--split", str(world / "split"), "--stereo", "--out", str(store)]
    assert main([*words, "--width", "64", "--height", "64"]) == 0
    said = capsys.readouterr().out
    assert "stereo: 8 of the frames to train on have their partner" in said and "train mono-stereo-" in said
    losses = {}
    stored = ["--data", str(store)]
    for name, mode, given in (
        ("mono", "mono", stored),
        ("stereo", "stereo", stored),
        ("mono-stereo", "mono-stereo", stored),
        ("direct", "stereo", data(world)),
    ):
        words = ["train", f"{mode}-192x64", *given, *TINY.split(), *encoders(mode), "--steps", "1"]
        partners = nullcontext() if mode == "mono" else pytest.warns(SelfDepthWarning, match="have no stereo partner")
        with partners:
            assert main([*words, "--out", str(tmp_path / name)]) == 0
        losses[name] = lines(tmp_path / name, "train")[0]["loss"]
    assert losses["direct"] == losses["stereo"]


@pytest.mark.parametrize("name", ["paper-mono-stereo-640x192", "stereo-192x64"])
def test_kitti_odometry_is_learned_from_in_pairs_with_a_split_and_without(
    name: str, odometry: Path, tmp_path: Path
) -> None:
    tiny = [*TINY.split(), *encoders(name), "--steps", "2", "--save-every", "2"]
    for where, split in (("split", ["--split", str(odometry / "split")]), ("whole", [])):
        out = tmp_path / where
        words = ["train", name, "--data", str(odometry / "kitti"), *split, *tiny]
        with pytest.warns(SelfDepthWarning, match=r"\d of 1\d training frames have no stereo partner"):
            assert main([*words, "--out", str(out)]) == 0
        assert load_weights(out / "last").step == 2
        assert np.isfinite(lines(out, "train")[-1]["loss"])


def test_a_store_of_kitti_odometry_with_partners_gives_what_its_root_gives(
    odometry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--data", str(odometry / "kitti"), "--split", str(odometry / "split")]
    words = ["prepare", place[1], *place[2:], "--stereo", "--out", str(tmp_path / "store")]
    assert main([*words, "--width", "64", "--height", "64"]) == 0
    said = capsys.readouterr().out
    assert "stereo: 8 of the frames to train on have their partner" in said and "(kitti-odometry)" in said
    for name, given in (("stored", ["--data", str(tmp_path / "store")]), ("direct", place)):
        words = ["train", "mono-stereo-192x64", *given, *TINY.split(), *encoders("mono-stereo"), "--steps", "1"]
        with pytest.warns(SelfDepthWarning, match="2 of 10 training frames have no stereo partner"):
            assert main([*words, "--out", str(tmp_path / name)]) == 0
    stored, direct = (lines(tmp_path / name, "train")[0]["loss"] for name in ("stored", "direct"))
    assert stored == direct


def test_check_says_how_many_pairs_there_are_in_kitti(
    world: Path, odometry: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(odometry / "kitti", tmp_path / "left")
    shutil.rmtree(tmp_path / "left/sequences/03/image_3")
    for words, sentence in (
        (data(world)[1:], "stereo: 8 of the frames to train on have their partner\n"),
        (data(odometry)[1:], "stereo: 8 of the frames to train on have their partner\n"),
        ([str(tmp_path / "left")], "stereo: no training frame has a stereo partner\n"),
    ):
        assert main(["check", *words]) == 0
        assert sentence in capsys.readouterr().out
    frames = Path(shutil.copytree(world / "kitti" / NAME / "image_02/data", tmp_path / "frames"))
    assert main(["check", str(frames)]) == 0
    assert "stereo: " not in capsys.readouterr().out


def views(store: Store, drive: SyntheticDrive, *, flip: bool) -> tuple[Batch, Tensor]:
    """The left images with their right ones, and the true depth, whole or all mirrored."""
    clips = make_clips(store, store.train, offsets=(), stereo="calibrated")
    (_, batch), *_ = ClipLoader(store, clips, batch_size=1, seed=0, device="cpu").evaluation_batches(99)
    lefts = [i for i, ref in enumerate(clips.refs) if ref.sequence.endswith(("image_02", "image_2"))]
    assert batch.T_stereo_target is not None
    batch = replace(
        batch,
        frames=batch.frames[lefts],
        inputs=batch.inputs[lefts],
        K=batch.K[lefts],
        T_stereo_target=batch.T_stereo_target[lefts],
    )
    depth = torch.from_numpy(drive.depth[[clips.refs[i].number for i in lefts]])[:, None]
    drawn = draw_augmentation(len(lefts), torch.Generator().manual_seed(0))
    drawn = replace(drawn, flip=torch.full_like(drawn.flip, flip), jitter=torch.zeros_like(drawn.jitter))
    return apply(batch, drawn), depth.flip(-1) if flip else depth


def stereo_error(batch: Batch, depth: Tensor, *, baseline: float = 1.0) -> float:
    """Mean photometric error where the depth is known, at a multiple of the true baseline."""
    assert batch.T_stereo_target is not None
    T = batch.T_stereo_target.clone()
    T[:, 0, 3] *= baseline
    known = depth[:, 0] > 0
    warped = synthesize(batch.frames[:, 1], depth.where(depth > 0, torch.tensor(80.0)), T, batch.K)
    error = photometric_error(warped[:, None], Target.of(batch.frames[:, 0]), LossConfig())[:, 0]
    return float(error[known].mean())


@pytest.mark.parametrize("layout", ["world", "odometry"])
def test_with_the_true_depth_and_baseline_the_stereo_error_is_smallest_and_mirrored_the_same(
    layout: str, drive: SyntheticDrive, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(layout)
    footage = recognise(folder / "kitti").footage(split=str(folder / "split"), stereo=True)
    store = build_store(footage, tmp_path / "store", width=WIDTH, height=HEIGHT)
    plain, depth = views(store, drive, flip=False)
    assert plain.T_stereo_target is not None
    assert plain.T_stereo_target[:, 0, 3].tolist() == pytest.approx([-BASELINE_M] * 4)
    true = stereo_error(plain, depth)
    for factor in (-1.0, 0.0, 0.8, 0.95, 1.05, 1.25, 2.0):
        assert stereo_error(plain, depth, baseline=factor) > true, factor
        if factor > 0:
            assert stereo_error(plain, depth * factor) > true, factor
    mirrored, depth_mirrored = views(store, drive, flip=True)
    assert mirrored.T_stereo_target is not None
    assert mirrored.T_stereo_target[:, 0, 3].tolist() == pytest.approx([BASELINE_M] * 4)
    assert stereo_error(mirrored, depth_mirrored) == pytest.approx(true, rel=1e-4)
    assert stereo_error(mirrored, depth_mirrored, baseline=-1.0) > true


def test_real_pairs_are_learned_from_and_evaluated_where_validation_frames_have_no_partner(
    shared: Path, tmp_path: Path
) -> None:
    mini = shared / "kitti-mini"
    config = TrainConfig(
        data=str(mini / "kitti_raw"),
        split=str(mini / "splits/mini-stereo"),
        width=64,
        offsets=(),
        stereo="calibrated",
        loss=LossConfig(near=0.5, start_depth=5.0),
        encoder=EncoderConfig(name="test_resnet", pretrained=False),
        batch_size=12,
        steps=1,
        device="cpu",
        compile=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", SelfDepthWarning)  # every training frame has its partner
        run = train(config, tmp_path / "run")
    T = run.data.train.clips.T_stereo_target
    assert T is not None
    assert len(T) == 136
    assert sorted(set(np.sign(T[:, 0, 3]))) == [-1, 1]
    assert np.abs(T[:, :3, 3]) == pytest.approx(np.tile([0.53272, 0.00275, 0.0], (136, 1)), abs=1e-4)
    assert (len(run.data.val.clips), len(run.data.val.clips.with_source)) == (16, 0)
    validation = validate(run)
    assert validation.loss is None and validation.depth is not None and len(validation.depth.images) == 4
    assert not validation.depth.median_scaling
    save_weights(tmp_path / "model", run.learner.state_dict(), run.weights_meta())
    assert load_weights(tmp_path / "model").scale == "metric"


@pytest.mark.parametrize(("loss", "out_of_sight"), [(LossConfig(), True), (LossConfig(start_depth=5.0), False)])
def test_a_start_that_shifts_the_partner_out_of_the_image_is_warned_of(
    loss: LossConfig, out_of_sight: bool, world: Path, tmp_path: Path
) -> None:
    config = TrainConfig(
        data=str(world / "kitti"),
        width=64,
        offsets=(),
        stereo="calibrated",
        loss=loss,
        encoder=EncoderConfig(name="test_resnet", pretrained=False),
        batch_size=2,
        steps=1,
        device="cpu",
        compile=False,
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", SelfDepthWarning)
        prepare_run(config, tmp_path / "run", resume=False)
    assert any("--loss.start-depth 5" in str(warning.message) for warning in said) == out_of_sight
    assert preset("stereo-640x192").loss.start_depth == 5.0
