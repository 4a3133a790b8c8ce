"""Frames of runs are decoded once, in the order of the runs, and no further than they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.store.build import build_store, plan_sequences
from selfdepth.data.store.decode_runs import RunDecoder
from selfdepth.data.store.run_plan import plan_runs
from selfdepth.geometry.crop_resize import CropResize

FIT = CropResize(width=64, height=32)


@pytest.mark.parametrize("video", [False, True])
@pytest.mark.parametrize("wanted", [[0, 1, 2], [1], [0, 2]])
def test_runs_hold_the_rows_of_the_local_store(tmp_path: Path, video: bool, wanted: list[int]) -> None:
    drive = footage(sequence(tmp_path / "a", "a", tuple(range(100)), video=video))
    sequences = plan_sequences(drive, FIT)
    runs = plan_runs(sequences, 1)
    local = build_store(drive, tmp_path / "store", **vars(FIT)).frames
    for run, frames in zip(wanted, RunDecoder(drive, FIT, sequences, runs).read(wanted), strict=True):
        (piece,) = runs.pieces(run)
        assert np.array_equal(frames, local[piece.first : piece.stop])


def test_frames_behind_the_last_run_that_is_wanted_are_not_decoded(tmp_path: Path) -> None:
    drive = footage(sequence(tmp_path / "a", "a", tuple(range(100)), fails_at=99))
    sequences = plan_sequences(drive, FIT)
    runs = plan_runs(sequences, 1)
    assert len(list(RunDecoder(drive, FIT, sequences, runs).read([0]))) == 1
