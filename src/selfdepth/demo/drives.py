"""The demo's two streets: rendered, written as folders of images, and opened as footage with exact depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image

from selfdepth.data.frames import Footage, FrameRef
from selfdepth.data.sources.cameras import camera_to_yaml
from selfdepth.data.sources.images import open_folder
from selfdepth.data.sources.trajectories import POSES_FILE
from selfdepth.files import writing_to
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

CAMERA_FILE = "camera.yaml"
DEPTH_FILE = "depth.npz"
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
    write_drive(second, folder / HELD_OUT)
    with writing_to(folder / HELD_OUT):
        np.savez_compressed(folder / HELD_OUT / DEPTH_FILE, depth=second.depth)
    return Drives(
        folder=folder,
        train=first,
        held_out=second,
        footage=_footage(folder, first, second, val_every=val_every, spacing=spacing),
    )


def write_drive(drive: SyntheticDrive, folder: Path) -> None:
    """Write the left camera's images as 000000.png, 000001.png, ..., its camera.yaml and its true poses.txt.

    Raises:
        OutputError: when the folder cannot be written.
    """
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CAMERA_FILE).write_text(camera_to_yaml(drive.camera), encoding="utf-8")
        path = Trajectory(T_world_camera=drive.T_world_camera, timestamps=drive.timestamps)
        (folder / POSES_FILE).write_text(path.to_kitti(), encoding="utf-8")
        for number, image in enumerate(drive.images):
            Image.fromarray(image).save(folder / f"{number:06d}.png", compress_level=2)


def _footage(folder: Path, train: SyntheticDrive, held_out: SyntheticDrive, *, val_every: int, spacing: int) -> Footage:
    def truth(ref: FrameRef) -> Float32[ndarray, "h w"]:
        depth: ndarray = (train if ref.sequence == TRAIN else held_out).depth[ref.number]
        return depth

    return Footage(
        kind="folder",
        sequences=tuple(
            open_folder(folder / name, camera=str(folder / name / CAMERA_FILE), name=name) for name in (TRAIN, HELD_OUT)
        ),
        # The first and the last frames lack a neighbour.
        train=tuple(FrameRef(TRAIN, n) for n in range(spacing, len(train.images) - spacing)),
        val=tuple(FrameRef(HELD_OUT, n) for n in range(spacing, len(held_out.images) - spacing, val_every)),
        spacing=spacing,
        truth=truth,
        protocol="dense",
    )
