"""The record of a run: lines, curves and pictures, without those of steps that a resume does again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import Tracker, preview_images, read_metrics
from selfdepth.errors import OutputError


def test_metrics_after_the_checkpoint_are_dropped_when_a_run_goes_on_from_it(tmp_path: Path) -> None:
    lines = [{"kind": "train", "step": step, "loss": 0.5} for step in (1, 20, 40, 60)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"kind": "train", "st')  # the last line was cut by a crash
    tracker = Tracker(tmp_path, 40)
    tracker.record("train", 41, {"loss": 0.25})
    tracker.close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 20, 40, 41]


def test_a_folder_without_a_record_has_no_lines(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []


def test_what_is_recorded_is_a_line_of_json_and_a_point_of_each_curve(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, 0)
    tracker.record("train", 1, {"loss": 0.5, "note": "not a number"})
    tracker.record("val", 2, {"loss": 0.25})
    tracker.close()
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [
        {"kind": "train", "step": 1, "loss": 0.5, "note": "not a number"},
        {"kind": "val", "step": 2, "loss": 0.25},
    ]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(board.Tags()["scalars"]) == {"train/loss", "val/loss"}
    assert [(point.step, point.value) for point in board.Scalars("val/loss")] == [(2, 0.25)]


def test_a_record_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"cannot write: .*metrics\.jsonl"):
        Tracker(tmp_path, 0)


def test_the_preview_shows_one_clip_as_the_networks_see_it_and_leaves_them_training(whole_run: Run) -> None:
    images = preview_images(whole_run)
    assert list(images) == [
        "input",
        "disparity",
        "source seen from the target",
        "auto-mask (white: learned from)",
    ]
    assert {image.shape for image in images.values()} == {(64, 64, 3)}
    assert whole_run.learner.training
    clips = whole_run.data.val.clips
    middle = whole_run.data.val.clip(len(clips) // 2)
    shown = middle.frames[0, 0].permute(1, 2, 0).numpy()
    assert np.abs(images["input"] / 255 - shown).max() < 1 / 255
    with Image.open(whole_run.folder / "previews/step_000004.png") as picture:
        assert picture.height > 4 * 64
