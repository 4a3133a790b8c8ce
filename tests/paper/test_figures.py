"""Published figures are shown in the order of what heads their columns."""

from __future__ import annotations

import dataclasses

import pytest

from selfdepth.evaluation.depth import metrics
from selfdepth.paper.figures import (
    METRICS,
    DepthFigures,
    Make3dFigures,
    OdometryFigures,
    OneScaleFigures,
    ServerFigures,
)


def test_the_seven_errors_are_those_that_are_measured() -> None:
    assert METRICS == metrics.METRICS
    assert tuple(field.name for field in dataclasses.fields(DepthFigures)) == METRICS


DEPTH = DepthFigures(abs_rel=0.1, sq_rel=0.9, rmse=4.8, a1=0.877)
ONE_SCALE = OneScaleFigures(**{name: (i + 1) / 10 for i, name in enumerate(("spread", *METRICS))})
MAKE3D = Make3dFigures(abs_rel=0.322, sq_rel=3.5, rmse=7.4, log10=0.163)
SERVER = ServerFigures(silog=15.57, sq_rel_percent=4.5, abs_rel_percent=12.98, irmse_per_km=16.7)
ODOMETRY = OdometryFigures(error_09_m=0.017, spread_09_m=0.008, error_10_m=0.015, spread_10_m=0.01)


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        (DEPTH, ("0.100", "0.900", "4.800", "-", "0.877", "-", "-")),
        (ONE_SCALE, tuple(f"0.{tenths}00" for tenths in range(1, 9))),
        (MAKE3D, ("0.322", "3.500", "7.400", "0.163")),
        (SERVER, ("15.57", "4.50", "12.98", "16.70")),
        (ODOMETRY, ("0.017 ± 0.008", "0.015 ± 0.010")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_there_is_a_word_for_each_column(figures: DepthFigures, shown: tuple[str, ...]) -> None:
    assert figures.cells() == shown
    assert len(shown) == len(figures.HEADS)
