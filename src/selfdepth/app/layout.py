"""What is on the page, from top to bottom, and the HTML of its sentences."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, Literal

from selfdepth.app.clicks import INVITATION

CSS = """
.gradio-container, .gradio-container > main {max-width: 1280px !important; width: 100% !important}
.gradio-container {margin: 0 auto !important}
.said {padding: .5em .8em; border-radius: 8px; background: var(--block-background-fill); overflow-wrap: anywhere}
.said.error {border-left: 4px solid #d32f2f}
.said.told {border-left: 4px solid #2e7d32}
.said p {margin: .15em 0}
.legend {display: flex; align-items: center; gap: .8em}
.legend div {flex: 1; height: .9em; border-radius: 4px; background: linear-gradient(to right,
  #000003, #1c1046, #50127b, #822581, #b63679, #e65162, #fb8861, #fec488, #fbfcbf)}
#measure img {cursor: crosshair; width: 100%}
footer {display: none !important}
"""
"""The colours of the legend are those of `colorize_disparity`."""

_SEEN_FROM = (90.0, 78.0, 0.95)
"""From where the points are seen first: angles in degrees, from behind the camera and slightly above it, and the
distance to their middle, where 1 is the largest depth that is shown."""
_BACKGROUND = (0.07, 0.07, 0.09, 1.0)


def said(sentences: Sequence[str], kind: Literal["told", "error"] = "told") -> str:
    """Sentences as HTML. They may quote a stranger's file, so nothing in them is markup."""
    lines = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
    return f'<div class="said {kind}" role="status">{lines}</div>'


def legend(far: str, near: str) -> str:
    """The colour scale as HTML, with words at its ends."""
    return f'<div class="legend"><span>{html.escape(far)}</span><div></div><span>{html.escape(near)}</span></div>'


class Parts:
    """The parts of the page; to be made within gradio's Blocks.

    Args:
        gradio: the module.
        title, about: the first lines of the page.
        limits: a sentence on what may be dropped.
    """

    def __init__(self, gradio: Any, *, title: str, about: str, limits: str) -> None:
        gradio.HTML(f"<h2>{html.escape(title)}</h2><p>{html.escape(about)}</p>")
        self.state = gradio.State(None)
        with gradio.Row():
            self.drop = gradio.File(label="A photo or a video", height=150, scale=3, elem_id="drop")
            with gradio.Column(scale=1, min_width=240):
                self.fov = gradio.Textbox(
                    label="Your camera's horizontal field of view, degrees",
                    info="Empty: the model's camera where it fits, else 60.",
                    placeholder="for example 70",
                    max_lines=1,
                    elem_id="fov",
                )
                self.halt = gradio.Button("Stop", visible=False, elem_id="halt")
        self.status = gradio.HTML(said((f"Drop a photo or a video above: {limits}.",)), elem_id="status")
        with gradio.Column(visible=False) as self.results:
            self._make_results(gradio)

    def _make_results(self, gradio: Any) -> None:
        self.slider = gradio.ImageSlider(
            label="Photo | depth", interactive=False, type="filepath", max_height=640, elem_id="slider"
        )
        self.legend = gradio.HTML("", elem_id="legend")
        self.index = gradio.Slider(0, 1, value=0, step=1, label="Frame of the video", visible=False, elem_id="frame")
        with gradio.Row():
            with gradio.Column():
                self.measure = gradio.Image(
                    label="Click two points", interactive=False, type="filepath", elem_id="measure", buttons=[]
                )
                self.answer = gradio.HTML(said((INVITATION,)), elem_id="answer")
            self.cloud = gradio.Model3D(
                label="Points: drag to turn, wheel to zoom",
                height=420,
                interactive=False,
                elem_id="cloud",
                camera_position=_SEEN_FROM,
                clear_color=_BACKGROUND,
            )
        self.film = gradio.Video(
            label="The video above its depth", visible=False, interactive=False, elem_id="film", buttons=["download"]
        )
        with gradio.Group():
            self.kinds = gradio.CheckboxGroup(label="Files, as selfdepth predict writes them", elem_id="kinds")
            self.write = gradio.Button("Write the files", variant="primary", elem_id="write")
            self.files = gradio.Files(label="Downloads", visible=False, interactive=False, elem_id="files")

    @property
    def of_view(self) -> list[Any]:
        """What another frame changes; its points come later."""
        return [self.state, self.status, self.slider, self.legend, self.measure, self.answer]

    @property
    def of_upload(self) -> list[Any]:
        """What another upload changes."""
        return [*self.of_view, self.drop, self.halt, self.results, self.index, self.film, self.kinds, self.files]
