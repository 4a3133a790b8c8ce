"""Plots of a trajectory and the true one: seen from above, and each axis over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfdepth.files import whole_file
from selfdepth.structs import Trajectory

PLOT_FILES = ("path.png", "axes.png")
_OURS, _TRUTH = "#c2410c", "#1c2230"
_AXES = ("x, right", "y, down", "z, forward")


def plot_path(path: Path, predicted: Trajectory, truth: Trajectory, *, unit: str) -> None:
    """Draw both paths from above, x to the right and z up, with equal scales on both axes, and their start.

    Args:
        path: of the PNG.
        unit: of the true trajectory, for the labels.

    Raises:
        OutputError: if the file cannot be written.
    """
    # Not at the top of the file: matplotlib takes half a second, and only --plots needs it.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.add_subplot()
    for trajectory, style in _styled(predicted, truth):
        axes.plot(trajectory.T_world_camera[:, 0, 3], trajectory.T_world_camera[:, 2, 3], **style)
    axes.plot(*truth.T_world_camera[0, [0, 2], 3], "o", color=_TRUTH, label="start")
    axes.set(xlabel=f"x ({unit})", ylabel=f"z ({unit})")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def plot_axes(path: Path, predicted: Trajectory, truth: Trajectory, *, unit: str) -> None:
    """Draw x, y and z of both over the timestamps. Arguments and errors as `plot_path`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 7), layout="constrained")
    for row, axes in enumerate(figure.subplots(3, 1, sharex=True)):
        for trajectory, style in _styled(predicted, truth):
            axes.plot(trajectory.timestamps, trajectory.T_world_camera[:, row, 3], **style)
        axes.set_ylabel(f"{_AXES[row]} ({unit})")
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    figure.axes[-1].set_xlabel("time (s, or frame number)")
    _save(figure, path)


def _styled(predicted: Trajectory, truth: Trajectory) -> tuple[tuple[Trajectory, dict[str, Any]], ...]:
    """Both trajectories with their line styles; the predicted one last, so that it lies on top."""
    return (
        (truth, {"color": _TRUTH, "linewidth": 1.5, "label": "ground truth"}),
        (predicted, {"color": _OURS, "linewidth": 1.5, "label": "predicted, aligned"}),
    )


def _save(figure: Any, path: Path) -> None:
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
