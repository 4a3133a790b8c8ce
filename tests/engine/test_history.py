"""What a resume changes is recorded, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from selfdepth.config import TrainConfig
from selfdepth.device import Arithmetic
from selfdepth.engine.history import HISTORY_FILE, record_changes
from selfdepth.engine.progress import Progress
from selfdepth.errors import SelfDepthWarning

CONFIG = TrainConfig(data="drive", steps=4)
FP32 = Arithmetic(device="cpu", precision="fp32", threads=1)


def lines(folder: Path) -> list[object]:
    return [json.loads(line) for line in (folder / HISTORY_FILE).read_text().splitlines()]


def test_each_resume_that_changes_something_is_a_line_of_what_was_and_is(tmp_path: Path) -> None:
    lower = replace(CONFIG, learning_rate=1e-5, save_every=7)
    record_changes(tmp_path, Progress(step=2, arithmetic=FP32), CONFIG, lower, FP32)
    record_changes(tmp_path, Progress(step=3, arithmetic=FP32), lower, lower, replace(FP32, threads=2))
    assert lines(tmp_path) == [
        {"step": 2, "changes": {"learning_rate": [1e-4, 1e-5], "save_every": [500, 7]}},
        {"step": 3, "changes": {"threads": [1, 2]}},
    ]


def test_a_resume_that_changes_nothing_leaves_no_line(tmp_path: Path) -> None:
    for arithmetic in (FP32, None):
        record_changes(tmp_path, Progress(step=2, arithmetic=arithmetic), CONFIG, CONFIG, FP32)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_was_cut_off_does_not_swallow_the_next(tmp_path: Path) -> None:
    for before in ('{"step": 2}\n{"st', '{"step": 2}'):
        (tmp_path / HISTORY_FILE).write_text(before)
        record_changes(tmp_path, Progress(step=3, arithmetic=None), CONFIG, replace(CONFIG, keep=7), FP32)
        *old, new = (tmp_path / HISTORY_FILE).read_text().splitlines()
        assert "\n".join(old) == before and json.loads(new) == {"step": 3, "changes": {"keep": [2, 7]}}


def test_a_record_that_cannot_be_written_is_said_and_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / HISTORY_FILE).mkdir()
    (tmp_path / HISTORY_FILE / "mine").touch()
    with pytest.warns(SelfDepthWarning, match=r'not recorded, \{"step": 3.*"keep": \[2, 7\].*history\.jsonl'):
        record_changes(tmp_path, Progress(step=3, arithmetic=None), CONFIG, replace(CONFIG, keep=7), FP32)
    assert [path.name for path in tmp_path.iterdir()] == [HISTORY_FILE]
