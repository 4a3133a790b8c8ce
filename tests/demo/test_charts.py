"""The charts of the report."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pytest

from selfdepth.demo.charts import curve_chart, level_chart, path_chart
from selfdepth.demo.report_data import Curve

NOTHING = Curve(minutes=np.zeros(0), values=np.zeros(0))
CURVE = Curve(minutes=np.linspace(0, 4, 40), values=0.3 + 0.1 * np.random.default_rng(0).normal(size=40))
STRAIGHT = np.stack([np.zeros(20), np.zeros(20), np.linspace(0, 90, 20)], axis=1)


def size(svg: str) -> tuple[float, float]:
    """Width and height of a chart, in points."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found is not None
    return float(found[1]), float(found[2])


def test_text_stays_text() -> None:
    svg = level_chart("a", CURVE, {"best constant depth": 0.467}, label="abs_rel on held-out frames")
    for text in ("abs_rel on held-out frames", "best constant depth 0.467", "minutes of training"):
        assert re.search(rf"<text[^>]*>\s*{text}\s*</text>", svg)


def test_a_chart_refers_to_nothing_outside_itself() -> None:
    for svg in (curve_chart("a", CURVE, label="loss"), path_chart("b", STRAIGHT, STRAIGHT)):
        assert svg.startswith("<svg")
        assert "http" not in svg and "xmlns" not in svg and "<?xml" not in svg


def test_a_chart_is_the_same_each_time_and_its_ids_differ_from_those_of_another() -> None:
    first, again, other = (curve_chart(name, CURVE, label="loss") for name in ("a", "a", "b"))
    assert first == again
    ids = [set(re.findall(r'<clipPath id="([^"]+)"', svg)) for svg in (first, other)]
    assert ids[0] and not ids[0] & ids[1]


def test_the_last_value_of_a_curve_is_written_at_its_end() -> None:
    svg = level_chart("a", Curve(minutes=np.array([1.0, 2.0]), values=np.array([0.5, 0.213])), {}, label="abs_rel")
    assert "0.213" in svg and "0.500" not in svg


def test_a_run_without_records_has_charts_too() -> None:
    assert curve_chart("a", NOTHING, label="loss").startswith("<svg")
    assert "0.467" in level_chart("b", NOTHING, {"best constant depth": 0.467}, label="abs_rel")


@pytest.mark.parametrize("length", [1, 5, 40])
def test_the_average_of_a_constant_curve_is_the_curve(length: int) -> None:
    flat = Curve(minutes=np.arange(float(length)), values=np.full(length, 0.25))
    lines = re.findall(r'<path d="([^"]+)" clip-path', curve_chart("a", flat, label="loss"))
    curve, average = lines[-2:]
    assert curve == average, "an average that began at 0 would rise to the curve"


def test_a_bend_makes_a_higher_chart_than_a_straight_road() -> None:
    bend = STRAIGHT + np.stack([np.linspace(0, 60, 20), np.zeros(20), np.zeros(20)], axis=1)
    straight, bent = (size(path_chart("a", path, path)) for path in (STRAIGHT, bend))
    assert straight[0] == bent[0]
    assert straight[1] < bent[1]


def test_the_style_of_other_charts_is_left_alone() -> None:
    names = ("font.size", "axes.spines.top", "axes.grid", "svg.hashsalt")
    before = [mpl.rcParams[name] for name in names]
    curve_chart("a", CURVE, label="loss")
    assert [mpl.rcParams[name] for name in names] == before
