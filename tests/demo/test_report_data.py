"""A report's numbers add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfdepth.demo.report_data import Stage
from selfdepth.demo.run import Demo


def test_the_time_of_all_is_that_of_its_stages(done: Demo) -> None:
    stages = (Stage(name="rendering", seconds=1.5), Stage(name="training", seconds=2.25))
    assert replace(done.report, stages=stages).total_s == 3.75
    assert replace(done.report, stages=()).total_s == 0
    assert done.report.total_s == pytest.approx(sum(stage.seconds for stage in done.report.stages))
    assert done.report.training_s < done.report.total_s


def test_curves_have_a_value_for_each_of_their_minutes(done: Demo) -> None:
    for curve in (done.report.loss, done.report.abs_rel):
        assert curve.minutes.shape == curve.values.shape
        assert (curve.minutes[1:] >= curve.minutes[:-1]).all()
