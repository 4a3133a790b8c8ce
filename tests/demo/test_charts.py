"""Charts are inline SVG: text stays text, nothing refers to the outside, and curves lie where their values are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest

from selfdepth.demo.charts import curve_chart, level_chart, path_chart
from selfdepth.demo.report_data import Curve

CURVE = Curve(minutes=np.linspace(0, 4, 30), values=np.linspace(0.9, 0.3, 30))
EMPTY = Curve(minutes=np.zeros(0), values=np.zeros(0))
LEVELS = {"per row": 0.341, "constant": 0.467}
AHEAD = np.stack([np.zeros(20), np.zeros(20), np.linspace(0, 90, 20)], axis=1)


def charts(name: str = "a") -> dict[str, str]:
    return {
        "curve": curve_chart(name, CURVE, label="loss"),
        "level": level_chart(name, CURVE, LEVELS, label="abs_rel"),
        "path": path_chart(name, AHEAD + 0.3, AHEAD),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return charts()


def texts(svg: str) -> str:
    return " ".join(element.text or "" for element in ET.fromstring(svg).iter() if element.tag == "text")


def test_each_is_one_well_formed_svg_without_an_address(drawn: dict[str, str]) -> None:
    for name, svg in drawn.items():
        assert ET.fromstring(re.sub(r"xlink:", "", svg)).tag == "svg", name
        assert not re.search(r"https?:|xmlns", svg), name


def test_what_is_written_stays_text(drawn: dict[str, str]) -> None:
    plain = {name: texts(re.sub(r"xlink:", "", svg)) for name, svg in drawn.items()}
    assert "minutes of training" in plain["curve"] and "loss" in plain["curve"]
    for words in ("abs_rel", "per row 0.341", "constant 0.467", "0.300"):
        assert words in plain["level"], words
    for words in ("forward, m", "right, m", "true", "predicted"):
        assert words in plain["path"], words


def test_the_same_chart_is_drawn_alike_and_its_inner_names_follow_the_name_that_is_given(drawn: dict[str, str]) -> None:
    assert charts() == drawn
    ids = [set(re.findall(r'id="(\w{11,})"', chart["path"])) for chart in (drawn, charts("b"))]
    assert ids[0] and ids[0].isdisjoint(ids[1])


def test_a_curve_of_nothing_is_drawn_too() -> None:
    assert curve_chart("a", EMPTY, label="loss").startswith("<svg")
    assert "per row 0.341" in level_chart("a", EMPTY, LEVELS, label="abs_rel")


def test_charts_leave_the_settings_of_other_figures_alone() -> None:
    before = dict(matplotlib.rcParams)
    charts()
    assert dict(matplotlib.rcParams) == before
