"""The demo's two streets: rendered, written as folders of images, and opened as footage with exact depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.rendered import RenderedDrives, write_drive
from selfdepth.data.truth import GivenTruth
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

TRAIN, HELD_OUT = "train", "heldout"


@dataclass(frozen=True, kw_only=True)
class Drives:
    """The drive to learn from, another one to be judged by, and both as footage.

    Attributes:
        folder: holds train/ and heldout/.
        footage: trained on all of the first, validated on a part of the second, whose depth is known.
    """

    folder: Path
    train: SyntheticDrive
    held_out: SyntheticDrive
    footage: Footage


def make_drives(
    train: DriveSpec,
    held_out: DriveSpec,
    folder: Path,
    *,
    val_every: int,
    spacing: int = 1,
    progress: Callable[[int, int], None],
) -> Drives:
    """Render both drives and write them.

    Args:
        val_every: every so many held-out frames one is for validation.
        spacing: frames between the neighbours of a clip.
        progress: called with (frames done, frames in all).

    Raises:
        OutputError: when the folder cannot be written.
    """
    total = train.frames + held_out.frames
    first = render_drive(train, progress=lambda done, _: progress(done, total))
    write_drive(first, folder / TRAIN)
    second = render_drive(held_out, progress=lambda done, _: progress(train.frames + done, total))
    write_drive(second, folder / HELD_OUT, with_depth=True)
    return Drives(
        folder=folder,
        train=first,
        held_out=second,
        footage=_footage(folder, first, second, val_every=val_every, spacing=spacing),
    )


def _footage(folder: Path, train: SyntheticDrive, held_out: SyntheticDrive, *, val_every: int, spacing: int) -> Footage:
    source = RenderedDrives(path=folder, folders=(folder / TRAIN, folder / HELD_OUT))
    sequences = {sequence.name: sequence for sequence in source.sequences()}
    drives = {TRAIN: train, HELD_OUT: held_out}
    maps = {FrameRef(name, n): depth for name, drive in drives.items() for n, depth in enumerate(drive.depth)}
    return Footage(
        kind=RenderedDrives.kind,
        sequences=tuple(sequences[name] for name in (TRAIN, HELD_OUT)),
        # The first and the last frames lack a neighbour.
        train=tuple(FrameRef(TRAIN, n) for n in range(spacing, len(train.images) - spacing)),
        val=tuple(FrameRef(HELD_OUT, n) for n in range(spacing, len(held_out.images) - spacing, val_every)),
        spacing=spacing,
        truth=GivenTruth(maps),
        protocol=RenderedDrives.protocol,
    )
