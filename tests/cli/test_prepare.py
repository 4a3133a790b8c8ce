"""`selfdepth prepare`: a store that is trained on as if it were its source."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from selfdepth.cli.main import main
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.store.store import open_store
from selfdepth.engine.setup import Run
from selfdepth.engine.train import train
from selfdepth.errors import ConfigError
from selfdepth.geometry.crop import Crop
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

TINY = TrainConfig(
    width=64,
    encoder=EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False),
    batch_size=2,
    steps=2,
    save_every=2,
    device="cpu",
    precision="fp32",
    compile=False,
)


@pytest.fixture(scope="module")
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drives") / "kitti"
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=24, width=128, height=64)), root)
    return root


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images of a texture that moves to the left."""
    folder = tmp_path_factory.mktemp("frames")
    noise = np.random.default_rng(0).integers(0, 255, (16, 60, 3), dtype=np.uint8)
    world = Image.fromarray(noise).resize((240, 64), Image.Resampling.BICUBIC)
    for number in range(24):
        world.crop((3 * number, 0, 3 * number + 96, 64)).save(folder / f"{number:03d}.png")
    return folder


def same_weights(first: Run, second: Run) -> bool:
    a, b = (load_file(run.folder / "last/model.safetensors") for run in (first, second))
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_a_store_says_what_it_holds_and_is_used_again(
    kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prepare", str(kitti), "--out", str(tmp_path / "store"), "--width", "64", "--every", "2"]
    assert main(words) == 0
    shown = capsys.readouterr()
    for piece in ("made", "24 of 64x64", "1 sequence", "neighbours 2 frames apart", str(kitti), "--data"):
        assert piece in shown.out
    assert "24/24" in shown.err
    assert main(words) == 0
    again = capsys.readouterr()
    assert "already there" in again.out
    assert again.err == ""


@pytest.mark.parametrize("options", [{}, {"every": "2", "crop": "0,4,8,0"}, {"every": "auto"}])
def test_training_on_a_store_is_training_on_its_source(frames: Path, tmp_path: Path, options: dict[str, str]) -> None:
    store = tmp_path / "store"
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    assert main(["prepare", str(frames), "--out", str(store), "--width", "64", "--camera", "fov:60", *words]) == 0
    from_store = train(replace(TINY, data=str(store)), tmp_path / "a")
    from_source = train(replace(TINY, data=str(frames), camera="fov:60", **options), tmp_path / "b")  # type: ignore[arg-type]
    assert same_weights(from_store, from_source)
    assert from_store.weights_meta().camera == from_source.weights_meta().camera
    assert from_store.config.crop_px == from_source.config.crop_px, "prediction has to know"
    repeated = train(replace(from_store.config), tmp_path / "c")
    assert same_weights(repeated, from_store)


def test_a_run_on_a_store_of_kitti_measures_depth_as_one_on_kitti(kitti: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    crop = "4,0,8,8"
    assert main(["prepare", str(kitti), "--out", str(store), "--width", "64", "--crop", crop]) == 0
    train(replace(TINY, data=str(store)), tmp_path / "a")
    train(replace(TINY, data=str(kitti), crop=crop), tmp_path / "b")
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1] for name in "ab"]
    first, second = (json.loads(line) for line in lines)
    assert first["abs_rel"] > 0
    assert {**first, "elapsed_s": 0} == {**second, "elapsed_s": 0}


def test_what_was_said_when_the_store_was_made_is_remembered(kitti: Path, tmp_path: Path) -> None:
    camera = tmp_path / "camera.yaml"
    camera.write_text("width: 128\nheight: 64\nfx: 90\nfy: 90\ncx: 63.5\ncy: 31.5\n")
    words = ["--width", "64", "--every", "3", "--crop", "0,4,0,0", "--camera", str(camera)]
    assert main(["prepare", str(kitti), "--out", str(tmp_path / "store"), *words]) == 0
    store = open_store(tmp_path / "store")
    assert (store.spacing, store.crop, store.kind) == (3, Crop(bottom=4), "kitti-raw")
    assert store.origin is not None
    assert (store.origin.path, store.origin.camera) == (kitti.resolve(), str(camera.resolve()))
    agreeing = replace(TINY, data=str(store.folder), every="3", crop="0, 4, 0, 0", camera=str(camera))
    assert train(agreeing, tmp_path / "run").data.train.clips.spacing == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"every": "1"}, "--every was fixed.*expected 2; got 1"),
        ({"every": "auto"}, "--every was fixed.*got auto"),
        ({"crop": "0,1,0,0"}, "--crop was fixed.*expected 0,0,0,0; got 0,1,0,0"),
        ({"camera": "fov:70"}, "--camera was fixed.*expected fov:60; got fov:70"),
        ({"split": "mine"}, "--split was fixed.*expected none; got mine"),
        ({"width": 96}, "another size.*expected --width 64 --height 64; got --width 96"),
        ({"height": 96}, "another size.*got --width 64 --height 96"),
    ],
)
def test_options_that_a_store_has_fixed_otherwise_are_refused(
    small_store: Path, tmp_path: Path, changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        train(replace(TINY, data=str(small_store), **changes), tmp_path / "run")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def small_store(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second frame's neighbours, at 64x64."""
    store = tmp_path_factory.mktemp("small") / "store"
    options = ["--width", "64", "--height", "64", "--every", "2", "--camera", "fov:60"]
    assert main(["prepare", str(frames), "--out", str(store), *options]) == 0
    return store


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["gone", "--out", "OUT"], "no such data"),
        (["STORE", "--out", "OUT"], "a store already"),
        (["FRAMES", "--out", "FRAMES"], "holds other files"),
        (["FRAMES", "--out", "OUT", "--width", "100"], "--width"),
        (["FRAMES", "--out", "OUT", "--every", "often"], "--every"),
        (["FRAMES", "--out", "OUT", "--every", "50"], "--every"),
        (["FRAMES", "--out", "OUT", "--crop", "1,2"], "--crop"),
        (["FRAMES", "--out", "OUT", "--split", "mine"], "KITTI only"),
    ],
)
def test_what_cannot_be_prepared_is_refused_and_leaves_nothing(
    frames: Path,
    small_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    places = {"OUT": tmp_path / "out", "FRAMES": frames, "STORE": small_store, "gone": tmp_path / "gone"}
    assert main(["prepare", *(str(places.get(word, word)) for word in words)]) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_called_kitti_is_data_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kitti").mkdir()
    for number in range(5):
        Image.fromarray(np.full((48, 80, 3), 9 * number, np.uint8)).save(tmp_path / "kitti" / f"{number}.png")
    assert main(["prepare", "kitti", "--out", "st", "--camera", "fov:60", "--width", "64", "--height", "64"]) == 0
    assert "frames: 5 of 64x64 from 1 sequence (folder)" in capsys.readouterr().out
