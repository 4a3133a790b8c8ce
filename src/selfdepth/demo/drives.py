"""The demo's drives: rendered, written as folders of images, and opened as footage with exact depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.rendered import RenderedDrives, write_drive
from selfdepth.data.truth import GivenTruth
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

TRAIN, HELD_OUT = "train", "heldout"


@dataclass(frozen=True, kw_only=True)
class Drives:
    """Drives to train on, another one to evaluate on, and all of them as footage.

    Attributes:
        folder: holds train/street_0/, train/street_1/, ... and heldout/.
        train, held_out: the drives in memory, with their exact depth and poses.
        footage: the same frames on disk: all of the first are training targets, a part of the last validation targets.
    """

    folder: Path
    train: tuple[SyntheticDrive, ...]
    held_out: SyntheticDrive
    footage: Footage


def make_drives(
    train: Sequence[DriveSpec],
    held_out: DriveSpec,
    folder: Path,
    *,
    val_every: int,
    spacing: int = 1,
    progress: Callable[[int, int], None],
) -> Drives:
    """Render all drives and write them to `folder`.

    Args:
        train, held_out: what is rendered; two seeds are two streets.
        val_every: one of so many held-out frames is a validation target.
        spacing: frames between neighbours of a clip.
        progress: called with the numbers of frames rendered so far and in all.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    names = (*(f"{TRAIN}/street_{i}" for i in range(len(train))), HELD_OUT)
    specs = (*train, held_out)
    total, before = sum(spec.frames for spec in specs), 0
    drives = []
    for name, spec in zip(names, specs, strict=True):
        drive = render_drive(spec, progress=partial(_report, progress, before, total))
        # Training must not be able to see a label.
        write_drive(drive, folder / name, with_depth=name == HELD_OUT)
        drives.append(drive)
        before += spec.frames
    return Drives(
        folder=folder,
        train=tuple(drives[:-1]),
        held_out=drives[-1],
        footage=_footage(folder, dict(zip(names, drives, strict=True)), val_every=val_every, spacing=spacing),
    )


def _report(progress: Callable[[int, int], None], before: int, total: int, done: int, _of_this_drive: int) -> None:
    progress(before + done, total)


def _footage(folder: Path, drives: dict[str, SyntheticDrive], *, val_every: int, spacing: int) -> Footage:
    source = RenderedDrives(path=folder, folders=tuple(folder / name for name in drives))
    sequences = {sequence.name: sequence for sequence in source.sequences()}
    # A target needs a neighbour on either side.
    targets = {
        name: [FrameRef(name, n) for n in range(spacing, len(drive.images) - spacing)] for name, drive in drives.items()
    }
    return Footage(
        kind=RenderedDrives.kind,
        sequences=tuple(sequences[name] for name in drives),
        train=tuple(ref for name, refs in targets.items() if name != HELD_OUT for ref in refs),
        val=tuple(targets[HELD_OUT][::val_every]),
        spacing=spacing,
        truth=GivenTruth(
            {FrameRef(name, n): depth for name, drive in drives.items() for n, depth in enumerate(drive.depth)}
        ),
        protocol=RenderedDrives.protocol,
    )
