"""The plot of a calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.scale.combine import combine
from selfdepth.scale.plot import plot_calibration
from selfdepth.scale.witness import Testimony

Testimony.__test__ = False  # type: ignore[attr-defined]  not a test, whatever its name


@pytest.mark.parametrize("count", [1, 12])
def test_every_kind_of_witness_is_drawn(tmp_path: Path, count: int) -> None:
    said = [
        Testimony(
            witness=kind,
            source="a_file_with_$_and_ünicode.csv",
            times_s=np.arange(count) / 2,
            factors=np.linspace(4 + i, 5 + i, count),
        )
        for i, kind in enumerate(("speed", "height", "stereo", "distance", "lidar"))
    ]
    plot_calibration(tmp_path / "plot.png", combine(said, timed=count > 1))
    pixels = np.asarray(Image.open(tmp_path / "plot.png").convert("RGB"))
    assert pixels.shape[0] > 400 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
