"""The contents of the report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.demo_report import example
from selfdepth.demo.report_data import Stage


def test_the_time_in_all_is_that_of_all_stages() -> None:
    stages = (Stage(name="rendering", seconds=18.25), Stage(name="training", seconds=276.0))
    assert replace(example(), stages=stages).total_s == pytest.approx(294.25)
    assert replace(example(), stages=()).total_s == 0.0
