"""The report's charts as inline SVG: text stays text, and nothing refers to another file or address."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.demo.report_data import Curve

_INK, _SOFT, _LINE = "#1c2230", "#5b6472", "#e3e6ea"
_OURS, _TRUTH = "#c2410c", "#1c2230"
_LEVELS = ("#2563eb", "#6b7280", "#15803d")
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text elements instead of outlines: smaller, searchable, in the page's font
    "font.size": 11,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _SOFT,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "text.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _LINE,
    "axes.axisbelow": True,
}
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
"""matplotlib's metadata has the date, which would make every page different."""

_SMOOTHING = 0.9
"""Weight of the past in the average of a long curve; a short curve is smoothed less."""


def curve_chart(name: str, curve: Curve, *, label: str) -> str:
    """A noisy curve, and its exponential moving average on top.

    Args:
        name: unique on the page; makes the ids within the SVG unique, too.
        label: of the vertical axis.
    """
    with _figure(name, 5.6, 3.4) as (figure, axes):
        axes.plot(curve.minutes, curve.values, color=_OURS, alpha=0.3, linewidth=1)
        axes.plot(curve.minutes, _smooth(curve.values), color=_OURS, linewidth=2)
        axes.set_xlabel("minutes of training")
        axes.set_ylabel(label)
        axes.set_xlim(left=0)
        return _svg(figure)


def level_chart(name: str, curve: Curve, levels: Mapping[str, float], *, label: str) -> str:
    """A curve, and named levels as dashed lines across the chart.

    Args:
        name, label: as for `curve_chart`.
        levels: value of each level, by its name; at most three.
    """
    with _figure(name, 5.6, 3.4) as (figure, axes):
        axes.plot(curve.minutes, curve.values, color=_OURS, linewidth=2, marker="o", markersize=4)
        for colour, (title, value) in zip(_LEVELS, levels.items(), strict=False):  # fewer levels than colours
            axes.axhline(value, color=colour, linestyle=(0, (5, 4)), linewidth=1.4)
            axes.annotate(
                f"{title} {value:.3f}",
                (1, value),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 4),
                textcoords="offset points",
                ha="right",
                color=colour,
            )
        if len(curve.values):
            last = (float(curve.minutes[-1]), float(curve.values[-1]))
            axes.annotate(f"{last[1]:.3f}", last, xytext=(0, -16), textcoords="offset points", ha="right", color=_OURS)
        # From 0, so that the eye compares whole errors; above the highest level there is room for its name.
        axes.set_ylim(0, 1.15 * max([*levels.values(), *curve.values.tolist()]))
        axes.set_xlim(0, max([*curve.minutes.tolist(), 1e-3]) * 1.02)
        axes.set_xlabel("minutes of training")
        axes.set_ylabel(label)
        return _svg(figure)


def path_chart(name: str, predicted: Float[ndarray, "n 3"], truth: Float[ndarray, "n 3"]) -> str:
    """Two paths from above in metres, with equal scales: forward points right on the page, and right points down.

    Args:
        name: as for `curve_chart`.
        predicted, truth: camera centres: x right, y down, z forward.
    """
    both = np.concatenate([predicted, truth])
    low, high = both.min(axis=0), both.max(axis=0)
    forward_m, sideways_m = float(high[2] - low[2]), float(high[0] - low[0])
    # A straight drive would be a chart without height: it gets some room on both sides, a bend no more than it needs.
    margin_m = 0.04 * max(forward_m, sideways_m, 1.0)
    sideways_m = max(sideways_m, 0.18 * forward_m) + 2 * margin_m
    height_in = float(np.clip(10 * sideways_m / (forward_m + 2 * margin_m) + 0.9, 2.4, 6.5))
    with _figure(name, 11.0, height_in) as (figure, axes):
        axes.plot(truth[:, 2], truth[:, 0], color=_TRUTH, linewidth=3.5, alpha=0.35, label="true")
        axes.plot(predicted[:, 2], predicted[:, 0], color=_OURS, linewidth=1.8, label="predicted")
        axes.plot(truth[:1, 2], truth[:1, 0], "o", color=_TRUTH, markersize=6)
        middle = float(low[0] + high[0]) / 2
        axes.set_xlim(low[2] - margin_m, high[2] + margin_m)
        axes.set_ylim(middle + sideways_m / 2, middle - sideways_m / 2)
        axes.set_aspect("equal", adjustable="box")
        axes.set_xlabel("forward, m")
        axes.set_ylabel("right, m")
        axes.legend(frameon=False, loc="upper left", ncols=2)
        return _svg(figure)


class _figure:  # noqa: N801  used as a function
    """A context with a figure and its axes, in which the report's style applies; matplotlib's own is restored after
    it."""

    def __init__(self, name: str, width_in: float, height_in: float) -> None:
        import matplotlib

        # The ids in an SVG are hashes with this salt: without it they would be random, and with one salt for all charts
        # two charts of a page could share an id.
        self._settings = matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name})
        self._size = (width_in, height_in)

    def __enter__(self) -> tuple[Any, Any]:
        from matplotlib.figure import Figure

        self._settings.__enter__()
        figure = Figure(figsize=self._size, layout="constrained")
        return figure, figure.add_subplot()

    def __exit__(self, *exception: Any) -> None:
        self._settings.__exit__(*exception)


def _svg(figure: Any) -> str:
    """The figure as an SVG element."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    text = file.getvalue()
    # Inside HTML neither the XML header nor the namespaces are needed. They hold the only addresses, which go with
    # them.
    text = text[text.index("<svg") :]
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)


def _smooth(values: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Exponential moving average, divided by the sum of its weights: otherwise it would begin near 0."""
    # With the memory of a long curve, one of ten values would be drawn as almost a straight line.
    memory = min(_SMOOTHING, len(values) / (len(values) + 12))
    smoothed, total, weight = [], 0.0, 0.0
    for value in values.tolist():
        total, weight = memory * total + value, memory * weight + 1
        smoothed.append(total / weight)
    return np.array(smoothed)
