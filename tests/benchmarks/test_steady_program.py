"""The program that measures what `live --steady` gains and costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import steady
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=5, frames=4, width=192, height=64))


def filled(drive: SyntheticDrive) -> np.ndarray:
    return np.where(drive.depth > 0, drive.depth, 1e3)


def test_true_depth_has_no_error_no_flicker_and_all_its_sharpness(drive: SyntheticDrive) -> None:
    found = steady.judge(3.0 * filled(drive), drive)  # one factor for the whole drive is no error
    assert found["abs_rel"] < 1e-4 and found["flicker"] < 0.3
    assert found["sharpness"] == pytest.approx(1.0, abs=1e-3)


def test_a_factor_that_changes_from_frame_to_frame_is_flicker(drive: SyntheticDrive) -> None:
    wavering = filled(drive) * np.array([1.0, 1.1, 1.0, 1.1])[:, None, None]
    found = steady.judge(wavering, drive)
    assert found["flicker"] == pytest.approx(100 * np.log(1.1), rel=0.05)
    assert found["scale_flicker"] == pytest.approx(100 * np.log(1.1), rel=0.05)


def test_a_depth_without_edges_has_no_sharpness(drive: SyntheticDrive) -> None:
    assert steady.judge(np.full_like(drive.depth, 10.0), drive)["sharpness"] == 0.0


@pytest.mark.slow
def test_every_way_is_judged(moving_model: Path, tmp_path: Path) -> None:
    words = [str(moving_model), "--frames", "4", "--memory", "0.5", "--device", "cpu"]
    document = steady.main([*words, "--json", str(tmp_path / "steady.json")])
    assert set(document["rows"]) == {"each frame alone", "steady, memory 0.5"}
    assert len(steady.table(document["rows"]).splitlines()) == 4
