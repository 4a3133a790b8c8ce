"""`selfdepth check DATA`: what was recognised in the footage, before anything is trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from rich.table import Table

    from selfdepth.data.inspect import FootageSummary


@dataclass(frozen=True, kw_only=True)
class CheckArgs:
    """Say what footage is and whether it can be trained on."""

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA")]
    """Root of KITTI raw or odometry, folder of images, or video file."""
    split: str | None = None
    """Folder with train_files.txt, val_files.txt, test_files.txt; or a published split: eigen_zhou, odom (KITTI)."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the frames; or a YAML file (ours, OpenCV, ROS camera_info); or fov:DEGREES."""


def check(args: CheckArgs) -> None:
    """Show a table of the sequences, what should be known of them, and the spacing that their motion asks for.

    Raises:
        DataError: for what training would refuse.
    """
    from pathlib import Path

    from rich.console import Console

    from selfdepth.data.inspect import inspect_footage

    console = Console(soft_wrap=True)
    with console.status("looking at the frames"):
        summary = inspect_footage(Path(args.data).expanduser(), args.camera, args.split)
    console.print(_table(summary, args.data))
    clips = f"clips: {summary.n_train} to train on, {summary.n_val} to validate"
    console.print(clips + (f", {summary.n_test} frames to test" if summary.n_test else ""))
    if summary.stereo is not None:
        console.print(f"stereo: {summary.stereo}", markup=False, highlight=False)
    console.print(f"suggested: --every {summary.every}", highlight=False)
    for sentence in summary.warnings:
        console.print(f"warning: {sentence}", style="yellow", markup=False, highlight=False)


def _table(summary: FootageSummary, data: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{data}: {summary.kind}"))
    for heading in ("sequence", "frames", "size", "fps", "camera", "gaps", "parked", "every"):
        table.add_column(heading, justify="left" if heading in ("sequence", "camera") else "right", overflow="fold")
    for row in summary.sequences:
        table.add_row(
            Text(row.name),
            str(row.n_frames),
            f"{row.width}x{row.height}",
            f"{row.fps:.3g}" if row.fps else "-",
            f"{row.camera}, {row.fov_deg:.0f} deg",
            _stretches(row.gaps),
            _stretches(row.parked),
            str(row.every),
        )
    return table


def _stretches(pairs: tuple[tuple[int, int], ...], most: int = 3) -> str:
    """ "none", or the first few as first-last."""
    shown = ", ".join(f"{first}-{last}" for first, last in pairs[:most])
    return f"{shown} and {len(pairs) - most} more" if len(pairs) > most else shown or "none"
