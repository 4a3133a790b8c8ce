"""What of KITTI is in a folder, and what is missing for the splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.calibration import CALIBRATION_FILES, CAMERAS, ODOMETRY_CAMERAS
from selfdepth.data.kitti.improved import IMPROVED, ImprovedTruth
from selfdepth.data.kitti.odometry import KIND as ODOMETRY_KIND
from selfdepth.data.kitti.odometry import odometry_images
from selfdepth.data.kitti.raw import KIND as RAW_KIND
from selfdepth.data.kitti.raw import ImageFolders, KittiTruth
from selfdepth.data.kitti.splits import (
    ODOMETRY,
    PUBLISHED_SPLITS,
    RAW,
    LineFormat,
    SplitLine,
    find_split,
    needed_offsets,
    read_split,
)
from selfdepth.data.kitti.stereo import other_camera
from selfdepth.errors import DataError

OFFSETS = (-1, 1)
"""The neighbours that training takes by default."""
USUAL = {RAW: ("eigen_zhou", "eigen", "eigen_benchmark"), ODOMETRY: ("odom",)}
"""The splits of the paper's tables, by the data set that they list."""


@dataclass(frozen=True, kw_only=True)
class PartInventory:
    """What a root has of one part of a split.

    Attributes:
        split, part: their names, like "eigen_zhou" and "train".
        listed: number of frames that the part lists.
        there: of these, the frames whose image is there, with its neighbours where the part is for training.
        paired: of these, the frames whose image by the other camera is there.
        measured: of these, the frames that have ground truth: a scan, an improved depth map, or a sequence's poses.
    """

    split: str
    part: str
    listed: int
    there: int
    paired: int
    measured: int


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What a root has of several splits, and what it lacks for them.

    Attributes:
        kind: "kitti-raw" or "kitti-odometry".
        parts: a row for each part of each split.
        images: how many images are missing, by drive and camera ("2011_09_26/2011_09_26_drive_0001_sync/image_02").
        files: the calibration that is missing, below the root.
        archives: names of KITTI's archives that hold what is missing.
    """

    kind: str
    parts: tuple[PartInventory, ...]
    images: Mapping[str, int]
    files: tuple[str, ...]
    archives: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.images and not self.files


@dataclass(frozen=True, kw_only=True)
class KittiLayout:
    """Where a data set keeps what belongs to a frame or a sequence."""

    root: Path
    kind: str
    lines: LineFormat
    images: Callable[[str], Mapping[int, Any]]
    partner: Callable[[str], str]
    calibration: Callable[[str], tuple[Path, ...]]
    has_truth: Callable[[FrameRef, str], bool]
    archive: Callable[[str], str]
    calibration_archive: Callable[[Path], str]


def take_inventory(layout: KittiLayout, splits: tuple[str, ...] = (), lists: Path | None = None) -> Inventory:
    """What is there, and what is missing for splits.

    Args:
        splits: as `find_split` takes them, or names of folders in `lists`. None given: those of the paper's tables
            that list frames of such a root.
        lists: folder with a folder for each split, instead of the public address.

    Raises:
        DataError: for a split that is not there, cannot be read or fetched.
        OutputError: when the cache cannot be written to.
    """
    parts: list[PartInventory] = []
    missing: set[FrameRef] = set()
    needed: set[str] = set()
    for name in splits or _usual(layout.lines, lists):
        folder = split_folder(name, lists)
        for part, listed in read_split(folder, layout.lines).items():
            images = _images_of(part, listed)
            lacking = {ref for ref in images if ref.number not in layout.images(ref.sequence)}
            parts.append(_count(layout, folder.name, part, listed, lacking))
            missing |= lacking
            needed |= {ref.sequence for ref in images}
    files = {file for sequence in needed for file in layout.calibration(sequence) if not file.is_file()}
    lacked = Counter(ref.sequence for ref in sorted(missing))
    return Inventory(
        kind=layout.kind,
        parts=tuple(parts),
        images=dict(lacked),
        files=tuple(sorted(file.relative_to(layout.root).as_posix() for file in files)),
        archives=tuple(sorted({*map(layout.archive, lacked), *map(layout.calibration_archive, files)})),
    )


def _usual(lines: LineFormat, lists: Path | None) -> tuple[str, ...]:
    usual = USUAL[lines]
    if lists is None:
        return usual
    there = tuple(name for name in usual if (lists / name).is_dir())
    if not there:
        raise DataError("there are no split lists", where=lists, expected=f"a folder {' or '.join(usual)} in it")
    return there


def split_folder(name: str, lists: Path | None) -> Path:
    """The folder of a split: in `lists` if that is given, else as `find_split` finds it.

    Raises:
        DataError: if there is none.
    """
    if lists is None or Path(name).expanduser().is_dir():
        return find_split(name)
    if not (lists / name).is_dir():
        raise DataError(
            "there is no such split",
            where=lists / name,
            expected="a folder with train_files.txt, val_files.txt or test_files.txt",
            fix=f"leave --splits out, to download it: {name}" if name in PUBLISHED_SPLITS else None,
        )
    return (lists / name).resolve()


def raw_layout(root: Path) -> KittiLayout:
    """That of KITTI raw."""
    scans, improved = KittiTruth(root), ImprovedTruth(root)

    def has_truth(ref: FrameRef, split: str) -> bool:
        return improved.path(ref) is not None if split == IMPROVED else scans.scan(ref).is_file()

    return KittiLayout(
        root=root,
        kind=RAW_KIND,
        lines=RAW,
        images=ImageFolders(root).files,
        partner=partial(other_camera, sides=CAMERAS),
        calibration=lambda sequence: tuple(root / sequence.split("/")[0] / name for name in CALIBRATION_FILES),
        has_truth=has_truth,
        archive=lambda sequence: f"{sequence.split('/')[1]}.zip",
        calibration_archive=lambda file: f"{file.parent.name}_calib.zip",
    )


def odometry_layout(root: Path) -> KittiLayout:
    """That of KITTI odometry."""
    return KittiLayout(
        root=root,
        kind=ODOMETRY_KIND,
        lines=ODOMETRY,
        images=cache(partial(odometry_images, root)),
        partner=partial(other_camera, sides=ODOMETRY_CAMERAS),
        calibration=lambda sequence: (root / "sequences" / sequence.split("/")[0] / "calib.txt",),
        has_truth=lambda ref, split: (root / "poses" / f"{ref.sequence.split('/')[0]}.txt").is_file(),
        archive=lambda sequence: "data_odometry_color.zip",
        calibration_archive=lambda file: "data_odometry_calib.zip",
    )


def _images_of(part: str, listed: Sequence[SplitLine]) -> set[FrameRef]:
    """The images that a part needs: those it lists, and for training their neighbours, but none before a drive."""
    offsets = needed_offsets(part, OFFSETS)
    needed = {FrameRef(each.ref.sequence, each.ref.number + offset) for each in listed for offset in offsets}
    return {ref for ref in needed if ref.number >= 0}


def _count(
    layout: KittiLayout, split: str, part: str, listed: Sequence[SplitLine], lacking: set[FrameRef]
) -> PartInventory:
    offsets = needed_offsets(part, OFFSETS)
    refs = [
        each.ref
        for each in listed
        if each.ref.number + min(offsets) >= 0
        and lacking.isdisjoint(FrameRef(each.ref.sequence, each.ref.number + offset) for offset in offsets)
    ]
    return PartInventory(
        split=split,
        part=part,
        listed=len(listed),
        there=len(refs),
        paired=sum(ref.number in layout.images(layout.partner(ref.sequence)) for ref in refs),
        measured=sum(layout.has_truth(ref, split) for ref in refs),
    )
