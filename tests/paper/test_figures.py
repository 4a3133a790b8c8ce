"""Published figures are shown in the order of what heads their columns."""

from __future__ import annotations

import dataclasses
from typing import Any

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


def in_order(kind: type, *values: float | None) -> Any:
    """Figures by the order of their columns, as a reader compares them with the page."""
    return kind(**dict(zip((field.name for field in dataclasses.fields(kind)), values, strict=False)))


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        (in_order(DepthFigures, 0.1, 0.9, 4.8, None, 0.877), ("0.100", "0.900", "4.800", "-", "0.877", "-", "-")),
        (
            in_order(OneScaleFigures, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
            tuple(f"0.{tenths}00" for tenths in range(1, 9)),
        ),
        (in_order(Make3dFigures, 0.322, 3.5, 7.4, 0.163), ("0.322", "3.500", "7.400", "0.163")),
        (in_order(ServerFigures, 15.57, 4.5, 12.98, 16.7), ("15.57", "4.50", "12.98", "16.70")),
        (in_order(OdometryFigures, 0.017, 0.008, 0.015, 0.01), ("0.017 ± 0.008", "0.015 ± 0.010")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_there_is_a_word_for_each_column(figures: DepthFigures, shown: tuple[str, ...]) -> None:
    assert figures.cells() == shown
    assert len(shown) == len(figures.HEADS)
