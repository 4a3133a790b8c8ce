"""The report is one honest, self-contained page."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from selfdepth.demo.report import headline, render_report, summary
from selfdepth.demo.report_data import Curve, FrameView, Machine, PathView, Report, Stage
from selfdepth.evaluation.depth.metrics import DepthErrors

VOID = {"meta", "img", "link", "br"}


def errors(abs_rel: float) -> DepthErrors:
    return DepthErrors(abs_rel=abs_rel, sq_rel=1.5, rmse=6.5, rmse_log=0.25, a1=0.791, a2=0.9, a3=0.95, log10=0.11)


def example() -> Report:
    rng = np.random.default_rng(0)
    truth = rng.uniform(2, 60, (24, 72))
    truth[:6] = 0
    frame = FrameView(
        name="frame <7>",
        image=rng.integers(0, 255, (24, 72, 3), dtype=np.uint8),
        depth=np.where(truth > 0, truth, 80.0) * 1.1,
        truth=truth,
        automask=rng.integers(0, 2, (16, 48)).astype(float),
        abs_rel=0.1,
    )
    path = np.stack([np.linspace(0, 3, 20), np.zeros(20), np.linspace(0, 90, 20)], axis=1)
    return Report(
        ours=errors(0.213),
        per_row=errors(0.341),
        constant=errors(0.467),
        constant_m=11.2,
        loss=Curve(minutes=np.linspace(0, 4, 30), values=np.linspace(0.2, 0.1, 30)),
        abs_rel=Curve(minutes=np.array([1.0, 2.0, 4.0]), values=np.array([0.5, 0.3, 0.21])),
        frames=(frame, frame),
        path=PathView(predicted=path + 0.3, truth=path, ate_m=0.87, length_m=91.0, straight_ate_m=2.34),
        training_s=276.0,
        footage_s=29.9,
        machine=Machine(cpu="Fast & Cheap 9000", cores=2, device="2 CPU threads", torch="2.9.9", python="3.12.1"),
        stages=(Stage(name="rendering", seconds=18.25), Stage(name="training", seconds=276.0)),
        facts=(("training", "700 steps of 12 clips"),),
        commands=("selfdepth predict demo/run demo/drives/heldout --out predictions",),
    )


class Nesting(HTMLParser):
    """Refuses an end tag that does not close the innermost open one, and ids given twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(example())


@pytest.fixture(scope="module")
def parsed(page: str) -> Nesting:
    parser = Nesting()
    parser.feed(page)
    parser.close()
    return parser


def test_the_page_is_well_formed(parsed: Nesting) -> None:
    assert parsed.open == []
    assert parsed.tags.count("svg") == 3


def test_the_page_refers_to_nothing_outside_itself(page: str, parsed: Nesting) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert not {"script", "link", "iframe", "object", "base"} & set(parsed.tags)
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in parsed.sources)


def test_every_picture_is_in_the_page_and_can_be_decoded(parsed: Nesting) -> None:
    pictures = [source for source in parsed.sources if source.startswith("data:")]
    assert len(pictures) == 2 * 5  # frames by pictures of each
    for picture in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))).size == (72, 24)


def test_the_charts_keep_their_inner_names_apart(page: str) -> None:
    clips = re.findall(r'<clipPath id="([^"]+)"', page)
    assert len(clips) == len(set(clips)) > 0
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(clips)


WORDS = (
    *("0.213", "0.341", "0.467", "0.791", "11.2 m", "0.87 m", "91 m", "2.34 m", "4.6 minutes", "30 seconds"),
    *(
        "Fast & Cheap 9000",
        "2 cores",
        "torch 2.9.9",
        "18.2 s",
        "294.2 s",
        "700 steps",
        "frame <7>",
        "selfdepth predict",
    ),
)


def test_the_numbers_and_the_machine_are_said(parsed: Nesting) -> None:
    assert [words for words in WORDS if words not in parsed.text] == []


@pytest.mark.parametrize(
    ("abs_rel", "verdict"),
    [(0.2, ": better than the mean"), (0.4, ": between the mean"), (0.6, ": not yet better than")],
)
def test_the_headline_is_honest_about_the_baselines(abs_rel: float, verdict: str) -> None:
    sentence = headline(replace(example(), ours=errors(abs_rel)))
    assert verdict in sentence
    assert f"{abs_rel:.3f}" in sentence


def test_the_summary_is_three_plain_lines() -> None:
    lines = summary(example()).splitlines()
    assert len(lines) == 3
    assert "0.213" in lines[0]
    assert "0.341" in lines[1] and "0.467" in lines[1]
    assert "0.87 m" in lines[2]


def test_a_run_too_short_to_be_measured_still_has_a_page() -> None:
    nothing = Curve(minutes=np.zeros(0), values=np.zeros(0))
    page = render_report(replace(example(), loss=nothing, abs_rel=nothing, frames=()))
    assert "0.213" in page


def test_the_same_report_gives_the_same_page(page: str) -> None:
    assert render_report(example()) == page
