"""The plot of a sparsification: the error over the share of the least sure pixels that is removed."""

from __future__ import annotations

from pathlib import Path

from selfdepth.evaluation.depth.sparsification import FRACTIONS, Sparsification
from selfdepth.files import whole_file

PLOT_FILE = "sparsification.png"
_OURS, _ORACLE, _RANDOM = "#c2410c", "#1c2230", "#8a8f98"
_UNITS = {"rmse": " (m)"}


def plot_sparsification(path: Path, sparsification: Sparsification) -> None:
    """Draw the curve of each metric beside the oracle's and that of a random order.

    Args:
        path: of the PNG.

    Raises:
        OutputError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    curves = sparsification.curves
    figure = Figure(figsize=(5 * len(curves), 4), layout="constrained")
    for axes, (metric, curve) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        axes.plot(FRACTIONS, curve.error[0] + 0 * FRACTIONS, color=_RANDOM, linestyle="--", label="random order")
        axes.plot(FRACTIONS, curve.error, color=_OURS, label=f"this confidence (AUSE {curve.ause:.4f})")
        axes.plot(FRACTIONS, curve.oracle, color=_ORACLE, label="oracle")
        axes.set(
            xlabel="share of the least sure pixels removed", ylabel=f"{metric} of the rest{_UNITS.get(metric, '')}"
        )
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
