"""The plot of a sparsification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.errors import OutputError
from selfdepth.evaluation.depth.plots import PLOT_FILE, plot_sparsification
from selfdepth.evaluation.depth.sparsification import Sparsification, mean_of, sparsify


@pytest.fixture
def curves() -> Sparsification:
    rng = np.random.default_rng(0)
    truth = rng.uniform(2, 60, 500)
    return mean_of([sparsify(truth, truth * rng.uniform(0.8, 1.2, 500), rng.random(500))])


def test_the_plot_is_a_picture_with_lines_in_it(curves: Sparsification, tmp_path: Path) -> None:
    plot_sparsification(tmp_path / PLOT_FILE, curves)
    pixels = np.asarray(Image.open(tmp_path / PLOT_FILE).convert("RGB")).reshape(-1, 3)
    assert (np.abs(pixels.astype(int) - (0xC2, 0x41, 0x0C)).max(1) < 8).any()
    assert [path.name for path in tmp_path.iterdir()] == [PLOT_FILE]


def test_a_folder_that_cannot_be_written_is_refused(curves: Sparsification, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        plot_sparsification(tmp_path / "file" / PLOT_FILE, curves)
