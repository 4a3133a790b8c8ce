"""Where a run may start and go on, and what a resumed run may change."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from selfdepth.config import AugmentConfig, EncoderConfig, LossConfig, TrainConfig, to_json
from selfdepth.config.teacher import TeacherConfig
from selfdepth.engine.resume import check_folder, check_same_run
from selfdepth.errors import CheckpointError, ConfigError, OutputError

RUN = TrainConfig(data="drive", camera="fov:60", every="1", width=96, height=64, steps=4, init="runs/start")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with one checkpoint."""
    (tmp_path / "checkpoints/step_000002").mkdir(parents=True)
    (tmp_path / "config.json").write_text(json.dumps(to_json(RUN)))
    return tmp_path


def test_a_run_starts_where_there_is_none_or_where_it_was_killed_before_its_first_checkpoint(tmp_path: Path) -> None:
    check_folder(RUN, tmp_path / "new", resume=False)
    (tmp_path / "log.txt").write_text("of the user")
    (tmp_path / "store").mkdir()
    check_folder(RUN, tmp_path, resume=False)
    (tmp_path / "config.json").write_text(json.dumps(to_json(replace(RUN, precision="fp32", crop="0,8,0,0"))))
    (tmp_path / "metrics.jsonl").touch()
    (tmp_path / "checkpoints/.step_000002.partial").mkdir(parents=True)
    check_folder(replace(RUN, learning_rate=1e-5), tmp_path, resume=False)


def test_a_folder_that_holds_a_run_is_refused_without_resume(folder: Path) -> None:
    with pytest.raises(OutputError, match=r"holds a run.*--resume.*--out"):
        check_folder(RUN, folder, resume=False)
    check_folder(RUN, folder, resume=True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "{}"),
        ("config.json", "{"),
        ("config.json", '{"name": "of a program"}'),
        ("config.json", json.dumps(to_json(replace(RUN, data="another")))),
        ("config.json", json.dumps(to_json(replace(RUN, seed=5)))),
        ("metrics.jsonl", ""),
        ("history.jsonl", ""),
        ("skipped/notes.txt", ""),
        ("teacher.json", "{}"),
        ("tensorboard/events", ""),
        ("previews/mine.png", ""),
        ("best/model.safetensors", ""),
        ("last/notes.txt", ""),
    ],
)
def test_nothing_foreign_is_overwritten(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(OutputError, match=rf"folder holds .*{name.split('/')[0]}.*--out"):
        check_folder(RUN, tmp_path, resume=False)


def test_a_finished_run_without_its_checkpoints_is_neither_overwritten_nor_resumed(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoints")
    (folder / "best").mkdir()
    (folder / "best/config.json").touch()
    with pytest.raises(OutputError, match=r"holds a model, best/"):
        check_folder(RUN, folder, resume=False)
    with pytest.raises(CheckpointError, match=r"nothing to resume.*another folder; with --init"):
        check_folder(RUN, folder, resume=True)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["best", "last", "checkpoints"])
@pytest.mark.parametrize("what", ["a file", "a link to nowhere"])
def test_a_file_in_the_place_of_a_folder_is_named(folder: Path, name: str, what: str, resume: bool) -> None:
    if name == "checkpoints":
        shutil.rmtree(folder / name)
    if what == "a file":
        (folder / name).write_text("mine")
    else:
        (folder / name).symlink_to(folder / "gone")
    with pytest.raises(OutputError, match=rf"a file is where .*/{name}; .*got {what}; rename it"):
        check_folder(RUN, folder, resume=resume)


def test_a_link_to_a_folder_on_another_disk_is_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").mkdir()
    for name in ("best", "last", "checkpoints"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "disk")
    check_folder(RUN, tmp_path / "run", resume=False)


def test_resuming_where_there_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing to resume.*leave --resume out"):
        check_folder(RUN, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


CHANGES: dict[str, Any] = {
    "data": "another",
    "split": "eigen_zhou",
    "camera": "fov:61",
    "every": "2",
    "crop": "0,8,0,0",
    "rectify": "no",
    "stream": 1,
    "topic": "/left/image_raw",
    "speed": "other.csv",
    "clock_offset": 1.5,
    "camera_height": 1.65,
    "width": 128,
    "height": 96,
    "offsets": (-1,),
    "stereo": "nominal",
    "init": "runs/other",
    "self_teacher": "runs/first",
    "anchor": 0.1,
    "freeze_batch_norm": True,
    "encoder": EncoderConfig(name="resnet50"),
    "loss": LossConfig(ssim=False),
    "teacher": TeacherConfig(path="teacher.onnx"),
    "augment": AugmentConfig(zoom=1.5),
    "motion_first": True,
    "batch_size": 1,
    "shuffle_window": 32,
    "seed": 5,
}
"""All that decides what is learned from which frames."""

ALLOWED: dict[str, Any] = {
    "store": "elsewhere",
    "cache_gb": 3.0,
    "drop_after": 3,
    "steps": 9,
    "epochs": 2,
    "minutes": 1.0,
    "save_every": 7,
    "keep": 3,
    "on_full_disk": "wait",
    "on_error": "skip",
    "learning_rate": 1e-3,
    "device": "cpu",
    "precision": "bf16",
    "compile": True,
    "sync_batch_norm": True,
}


def test_every_option_of_a_run_is_one_that_a_resume_may_change_or_one_that_it_may_not() -> None:
    # Another method comes with other values of half a dozen options, each of which is refused.
    assert CHANGES.keys() | ALLOWED.keys() | {"method"} == {field.name for field in fields(RUN)}
    assert not CHANGES.keys() & ALLOWED.keys()


def test_a_resume_that_changes_what_is_learned_is_refused_by_the_option(folder: Path) -> None:
    for name, value in CHANGES.items():
        run = replace(RUN, speed="log.csv") if name == "clock_offset" else RUN  # of which it is an option
        (folder / "config.json").write_text(json.dumps(to_json(run)))
        with pytest.raises(ConfigError, match="cannot change") as refused:
            check_same_run(replace(run, **{name: value}), folder)
        assert refused.value.where == f"--{name.replace('_', '-')}"
        assert refused.value.expected != refused.value.got, name


def test_a_resume_may_change_how_long_and_on_what_it_runs(folder: Path) -> None:
    for name, value in ALLOWED.items():
        budget = {"steps": None} if name in ("epochs", "minutes") else {}
        check_same_run(replace(RUN, **budget, **{name: value}), folder)


def test_what_the_run_found_out_by_itself_needs_not_be_given_again_nor_its_data_in_the_same_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    check_same_run(replace(RUN, height=None, every=None, data=str(folder / "drive")), folder)
