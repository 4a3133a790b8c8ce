"""The plot of a calibration: the factor to metres over time, by each witness."""

from __future__ import annotations

from pathlib import Path

from selfdepth.files import whole_file
from selfdepth.scale.combine import Calibration
from selfdepth.scale.witness import WitnessKind

_COLOURS: dict[WitnessKind, str] = {
    "speed": "#c2410c",
    "height": "#1d6fb8",
    "stereo": "#2f855a",
    "distance": "#7c3aed",
    "lidar": "#8a8f98",
}
_MARKS: dict[WitnessKind, str] = {"speed": "o", "height": "s", "stereo": "^", "distance": "D", "lidar": "v"}
_COMBINED = "#1c2230"


def plot_calibration(path: Path, calibration: Calibration) -> None:
    """Draw the estimates of each witness over time, with the median of each and the band of the combined factor.

    Args:
        path: of the PNG.

    Raises:
        OutputError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    scale = calibration.scale
    for finding in calibration.findings:
        kind, estimates = finding.testimony.witness, finding.testimony
        spread = "" if finding.spread is None else f", spread {100 * finding.spread:.1f} %"
        label = f"{finding.name}: {finding.factor:.4g}{spread}"
        axes.plot(estimates.times_s, estimates.factors, _MARKS[kind], color=_COLOURS[kind], markersize=4, label=label)
        axes.axhline(finding.factor, color=_COLOURS[kind], linewidth=0.8, linestyle=":")
    axes.axhline(scale.factor, color=_COMBINED, linewidth=1.5, label=f"factor {scale.factor:.4g}, {scale.word}")
    if scale.spread is not None:
        low, high = scale.factor * (1 - scale.spread), scale.factor * (1 + scale.spread)
        axes.axhspan(low, high, color=_COMBINED, alpha=0.08, linewidth=0)
    axes.set(xlabel="time (s)" if calibration.timed else "frame number", ylabel="metres per unit of depth")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
