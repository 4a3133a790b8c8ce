"""The record of a run: lines, curves and pictures, without those of steps that a resume does again."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import Tracker, preview_images, read_metrics


def no_word(text: str) -> None:
    pytest.fail(text)


def test_metrics_after_the_checkpoint_are_dropped_when_a_run_goes_on_from_it(tmp_path: Path) -> None:
    lines = [{"kind": "train", "step": step, "loss": 0.5} for step in (1, 20, 40, 60)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"kind": "train", "st')  # the last line was cut by a crash
    tracker = Tracker(tmp_path, 40, no_word)
    tracker.record("train", 41, {"loss": 0.25})
    tracker.sync()
    tracker.close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 20, 40, 41]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"kind": "train", "st',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"[]",
        b"",
        b'{"step": 3}',
        b'{"kind": "train", "step": "3"}',
        b'{"kind": "train", "step": true}',
        b"9" * 5000,
        b"x" * (3 << 20),
    ],
    ids=lambda damage: str(damage[:20]),
)
def test_a_damaged_line_hides_only_itself(tmp_path: Path, damage: bytes) -> None:
    before, after = (json.dumps({"kind": "train", "step": step}).encode() for step in (1, 2))
    (tmp_path / "metrics.jsonl").write_bytes(before + b"\n" + damage + b"\n" + after + b"\n")
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2]
    Tracker(tmp_path, 2, no_word).close()
    assert (tmp_path / "metrics.jsonl").read_bytes() == before + b"\n" + after + b"\n"


def test_a_folder_without_a_record_has_no_lines(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []


def test_what_is_recorded_is_a_line_of_json_and_a_point_of_each_curve(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, 0, no_word)
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


def test_a_record_that_cannot_be_written_is_said_once_and_ends_nothing(tmp_path: Path, ear: Any) -> None:
    for name in ("metrics.jsonl/x", "tensorboard"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    tracker = Tracker(tmp_path, 0, ear.say)
    for step in (1, 2):
        tracker.record("train", step, {"loss": 0.5})
    tracker.sync()
    tracker.close()
    assert [sentence.split(" cannot")[0] for sentence in ear.said] == [
        "warning: metrics.jsonl",
        "warning: tensorboard/",
    ]


def test_after_a_full_disk_the_metrics_go_on_and_what_was_cut_short_hides_nothing(
    tmp_path: Path, ear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(tmp_path, 0, ear.say)
    open_file = Path.open

    def full(self: Path, mode: str = "r", **options: Any) -> Any:
        if self.name == "metrics.jsonl" and mode == "a":
            with open_file(self, "a") as file:
                file.write('{"kind": "tr')
            raise OSError(28, "No space left on device")
        return open_file(self, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        tracker.record("train", 1, {"loss": 0.5})
        tracker.record("train", 2, {"loss": 0.5})
    tracker.record("train", 3, {"loss": 0.5})
    tracker.close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [3]
    assert len(ear.said) == 1 and "No space left" in ear.said[0]


def test_when_the_thread_of_tensorboard_fails_no_traceback_shows(
    tmp_path: Path, ear: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker = Tracker(tmp_path, 0, ear.say)
    shutil.rmtree(tmp_path / "tensorboard")
    for step in range(2000):
        tracker.record("train", step, {"loss": 0.5})
        if ear.said:
            break
        time.sleep(0.005)
    n_before = len(read_metrics(tmp_path))
    tracker.record("train", 5000, {"loss": 0.5})
    tracker.close()
    assert [sentence.split(" cannot")[0] for sentence in ear.said] in ([], ["warning: tensorboard/"])
    assert "Traceback" not in capfd.readouterr().err
    assert len(read_metrics(tmp_path)) == n_before + 1, "the metrics go on"


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
