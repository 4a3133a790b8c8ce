"""Plots of a trajectory and the true one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.trajectories import drifting, drive, timed
from selfdepth.errors import OutputError
from selfdepth.evaluation.odometry.plots import plot_axes, plot_path


@pytest.mark.parametrize("plot", [plot_path, plot_axes])
def test_a_plot_shows_both_trajectories(plot: Callable[..., None], tmp_path: Path) -> None:
    truth, wrong = timed(drive(40)), timed(drifting(drive(40)))
    pictures = []
    for predicted in (truth, wrong):
        plot(tmp_path / "out/plot.png", predicted, truth, unit="m")
        pictures.append(np.asarray(Image.open(tmp_path / "out/plot.png").convert("RGB")).astype(int))
    assert min(pictures[0].shape[:2]) > 500
    assert np.abs(pictures[0] - pictures[1]).max() > 100
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["plot.png"]


def test_a_plot_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out"):
        plot_path(tmp_path / "out/path.png", timed(drive(5)), timed(drive(5)), unit="m")
