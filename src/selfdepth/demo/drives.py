"""The demo's two drives: rendered, written as folders of images, and opened as footage with exact depth."""

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
    """A drive to train on, a second one to evaluate on, and both as footage.

    Attributes:
        folder: holds train/ and heldout/.
        train, held_out: the drives in memory, with their exact depth and poses.
        footage: the same frames on disk: all of the first are training targets, a part of the second validation
            targets.
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
    """Render both drives and write them to `folder`.

    Args:
        train, held_out: what is rendered; two seeds are two streets.
        val_every: one of so many held-out frames is a validation target.
        spacing: frames between neighbours of a clip.
        progress: called with the numbers of frames rendered so far and in all.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    total = train.frames + held_out.frames
    first = render_drive(train, progress=lambda done, _: progress(done, total))
    write_drive(first, folder / TRAIN)  # without its depth: training must not be able to see a label
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
        # A target needs a neighbour on either side.
        train=tuple(FrameRef(TRAIN, n) for n in range(spacing, len(train.images) - spacing)),
        val=tuple(FrameRef(HELD_OUT, n) for n in range(spacing, len(held_out.images) - spacing, val_every)),
        spacing=spacing,
        truth=GivenTruth(maps),
        protocol=RenderedDrives.protocol,
    )
