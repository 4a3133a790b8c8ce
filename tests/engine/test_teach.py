"""A run with a teacher: asked once, the same after a resume, and it helps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image

from helpers.models import TINY_DEPTH
from selfdepth.cli.main import main
from selfdepth.config import TrainConfig
from selfdepth.config.teacher import TeacherConfig
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.rendered import write_drive
from selfdepth.data.store.build import build_store
from selfdepth.engine import setup, teach
from selfdepth.engine.setup import prepare_run
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import ConfigError, DataError
from selfdepth.files import whole_file
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

ME = TeacherConfig(path="python:me", weight=0.5)
N_FRAMES, WIDTH, HEIGHT = 24, 96, 64


def grey(image: ndarray) -> ndarray:
    """A poor teacher: bright is near."""
    return image.astype(np.float32).mean(-1)


class Counted:
    """Counts the questions."""

    def __init__(self, teacher: Callable[[ndarray], ndarray] = grey) -> None:
        self.teacher, self.n = teacher, 0

    def __call__(self, image: ndarray) -> ndarray:
        self.n += 1
        return self.teacher(image)


@pytest.fixture(scope="session")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=3, frames=N_FRAMES, width=WIDTH, height=HEIGHT))


@pytest.fixture(scope="session")
def street(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered drive with its depth."""
    folder = tmp_path_factory.mktemp("street") / "drive"
    write_drive(drive, folder, with_depth=True)
    return folder


@pytest.fixture(scope="session")
def maps(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The true disparity, degraded: another scale and shift in every image, and unknown above the horizon."""
    folder, rng = tmp_path_factory.mktemp("maps"), np.random.default_rng(0)
    for number, depth in enumerate(drive.depth):
        known = np.isfinite(depth) & (depth > 0)
        disparity = np.where(known, 1 / np.where(known, depth, 1), 0)
        values = np.rint(rng.uniform(20000, 60000) * disparity + rng.uniform(2000, 5000))
        Image.fromarray(np.where(known, values, 0).clip(0, 65535).astype(np.uint16)).save(folder / f"{number:06d}.png")
    return folder


@pytest.fixture
def config(street: Path, tiny: TrainConfig) -> TrainConfig:
    return replace(tiny, data=str(street), camera=None, width=WIDTH, height=HEIGHT)


def weights(run: Any) -> list[torch.Tensor]:
    return list(run.learner.state_dict().values())


def equal(a: Any, b: Any) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_a_function_is_asked_once_per_training_frame_and_its_difference_is_recorded(
    config: TrainConfig, tmp_path: Path
) -> None:
    teacher = Counted()
    run = train(replace(config, teacher=ME), tmp_path / "run", teacher=teacher)
    assert teacher.n == len(run.data.store.train)
    assert run.data.train.batch(0).teacher is not None
    lines = read_metrics(run.folder)
    (first,) = (line for line in lines if line["kind"] == "train")
    assert first["loss"] == pytest.approx(
        np.mean([first[f"loss/scale_{s}"] for s in range(4)]) + 0.5 * first["loss/teacher"], rel=1e-4
    )
    assert all("loss/teacher" not in line for line in lines if line["kind"] == "val"), "so that runs can be compared"
    record = json.loads((run.folder / "teacher.json").read_text())
    assert record["teacher"] == {"name": "python:me", "kind": "function", "gives": "disparity"}
    # Resumed without the function: the maps are there.
    assert train(replace(config, teacher=ME, steps=5), run.folder, resume=True).progress.step == 5


def test_a_resumed_run_with_a_teacher_ends_with_exactly_the_weights_of_an_uninterrupted_one(
    config: TrainConfig, maps: Path, tmp_path: Path
) -> None:
    taught = replace(config, teacher=TeacherConfig(path=str(maps)), every="2", crop="0,8,4,0", save_every=2)
    whole = train(taught, tmp_path / "whole")
    train(replace(taught, steps=2), tmp_path / "half")
    assert equal(train(taught, tmp_path / "half", resume=True), whole)
    assert not equal(train(replace(config, every="2", crop="0,8,4,0"), tmp_path / "alone"), whole)


def test_a_run_that_was_killed_while_it_wrote_its_first_files_starts_again(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught, folder = replace(config, teacher=ME, steps=1), tmp_path / "run"
    for n_written in range(2):
        written: list[Path] = []

        @contextmanager
        def killed(path: Path, allowed: int = n_written, written: list[Path] = written) -> Iterator[Path]:
            if len(written) == allowed:
                raise KeyboardInterrupt
            written.append(path)
            with whole_file(path) as temporary:
                yield temporary

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            for module in (setup, teach):
                patch.setattr(module, "whole_file", killed)
            train(taught, folder, teacher=grey)
    assert train(taught, folder, teacher=grey).progress.step == 1
    assert (folder / "teacher.json").exists()


def test_a_teacher_that_changed_is_noticed_at_a_resume(config: TrainConfig, maps: Path, tmp_path: Path) -> None:
    own = tmp_path / "maps"
    own.mkdir()
    for file in maps.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    taught = replace(config, teacher=TeacherConfig(path=str(own)), steps=1)
    train(taught, tmp_path / "run")
    (own / "000001.png").write_bytes((own / "000002.png").read_bytes())
    with pytest.raises(ConfigError, match=r"cannot change its teacher.*--teacher\.path"):
        train(replace(taught, steps=2), tmp_path / "run", resume=True)
    with pytest.raises(ConfigError, match="cannot change what it learns: --teacher"):
        train(replace(taught, teacher=TeacherConfig(path=str(own), weight=3.0)), tmp_path / "run", resume=True)


def test_a_store_that_lacks_maps_gets_them_from_its_own_frames_and_two_teachers_share_it(
    config: TrainConfig, street: Path, tmp_path: Path
) -> None:
    store = build_store(recognise(street).footage(), tmp_path / "store", width=WIDTH, height=HEIGHT)
    shared, teacher = replace(config, data=str(store.folder), steps=1, teacher=ME), Counted()
    train(shared, tmp_path / "a", teacher=teacher)
    train(replace(shared, seed=1), tmp_path / "b", teacher=teacher)
    other = replace(shared, teacher=TeacherConfig(path="python:other"))
    train(other, tmp_path / "c", teacher=lambda image: -grey(image))
    assert teacher.n == len(store.train), "the second run finds the maps of the first"
    assert len(list(store.folder.glob("teacher-*.u16"))) == 2


@pytest.mark.parametrize("mode", ["mono", "stereo", "mono-stereo"])
def test_every_mode_learns_from_a_teacher(drive: SyntheticDrive, tmp_path: Path, mode: str, tiny: TrainConfig) -> None:
    pair = render_drive(DriveSpec(seed=3, frames=8, width=WIDTH, height=HEIGHT, stereo=True))
    write_kitti_raw(pair, tmp_path / "kitti", image_format="png")
    changes: dict[str, Any] = {"stereo": "none" if mode == "mono" else "calibrated"}
    if mode == "stereo":
        changes |= {"offsets": (), "encoder": TINY_DEPTH}
    config = replace(tiny, data=str(tmp_path / "kitti"), camera=None, width=WIDTH, height=HEIGHT, steps=1, **changes)
    run = prepare_run(replace(config, teacher=ME), tmp_path / "run", resume=False, teacher=grey)
    output = run.learner(run.data.train.batch(0))
    assert output.loss.isfinite() and output.terms["loss/teacher"] > 0


def test_a_refused_teacher_is_one_sentence_and_exit_code_2(
    street: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few/000001.png").write_bytes((maps / "000001.png").read_bytes())
    (tmp_path / "t.onnx").write_text("no model")
    small = ["--width", str(WIDTH), "--encoder.name", "test_resnet", "--encoder.no-pretrained", "--batch-size", "2"]
    for words, sentence in (
        (["--teacher.path", str(tmp_path / "gone")], "no such teacher"),
        (["--teacher.path", str(tmp_path / "few")], "a frame has no map of the teacher"),
        (["--teacher.path", str(tmp_path / "t.onnx")], "the ONNX model cannot be read"),
        (["--teacher.weight", "2"], "there is no teacher"),
    ):
        out = tmp_path / "run"
        code = main(["train", "mono-192x64", "--data", str(street), "--out", str(out), *small, *words])
        error = capsys.readouterr().err
        assert code == 2, error
        assert error.count("error: ") == 1 and sentence in error and "Traceback" not in error
        assert not (out / "teacher.json").exists() and not list(out.glob("store/teacher-*"))


@pytest.mark.slow
def test_depth_is_learned_better_in_the_same_few_steps(config: TrainConfig, maps: Path, tmp_path: Path) -> None:
    few = replace(config, steps=30, learning_rate=1e-3, save_every=30)
    taught = replace(few, teacher=TeacherConfig(path=str(maps), weight=9.0))
    alone, helped = (
        next(line["abs_rel"] for line in read_metrics(train(each, tmp_path / name).folder) if line["kind"] == "val")
        for name, each in (("alone", few), ("helped", taught))
    )
    assert helped < 0.75 * alone


def test_a_frame_that_cannot_be_mapped_is_named(config: TrainConfig, tmp_path: Path) -> None:
    calls = Counted(lambda image: grey(image) if calls.n < 3 else np.full((HEIGHT, WIDTH), np.nan))
    with pytest.raises(DataError, match=r"python:me, frame 3 of drive"):
        train(replace(config, teacher=ME), tmp_path / "run", teacher=calls)
    assert not (tmp_path / "run/config.json").exists()
