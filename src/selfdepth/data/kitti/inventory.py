"""Inventory of a KITTI root: which frames of the splits it has, and which files and archives are missing."""

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
from selfdepth.places import path_of

OFFSETS = (-1, 1)
"""The neighbours that training uses by default."""
USUAL = {RAW: ("eigen_zhou", "eigen", "eigen_benchmark"), ODOMETRY: ("odom",)}
"""The splits of the paper's tables, by the format of the data set that they list."""


@dataclass(frozen=True, kw_only=True)
class PartInventory:
    """How much of one part of a split a root holds.

    Attributes:
        split, part: names of the split and the part, like "eigen_zhou" and "train".
        listed: number of frames that the part lists.
        there: how many of these have their image and, for training and validation, the images of their neighbours.
        paired: how many of those also have the other camera's image.
        measured: how many of those have ground truth: a scan, an improved depth map, or their sequence's poses.
    """

    split: str
    part: str
    listed: int
    there: int
    paired: int
    measured: int


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """How much of several splits a root holds, and what is missing.

    Attributes:
        kind: "kitti-raw" or "kitti-odometry".
        parts: one row per part of each split.
        images: number of missing images, by drive and camera ("2011_09_26/2011_09_26_drive_0001_sync/image_02").
        files: missing calibration files, relative to the root.
        archives: names of KITTI's archives that contain the missing files.
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
    """Where a data set keeps the files of a frame or a sequence.

    Attributes:
        root: root of the data set.
        kind: as in `Inventory`.
        lines: format of the splits that list such frames.
        images: the images of a sequence by number.
        partner: name of the other camera's sequence.
        calibration: calibration files of a sequence.
        has_truth: whether a frame has the ground truth of the split with this name.
        archive: name of KITTI's archive with a sequence's images.
        calibration_archive: name of KITTI's archive with a calibration file.
    """

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
    """Count the frames of splits that a root holds, and list the files that are missing.

    Args:
        splits: as `find_split` takes them, or names of folders in `lists`. Empty: the splits of the paper's tables
            that list frames of such a root.
        lists: folder with one folder per split, to use instead of a download.

    Raises:
        DataError: for a split that does not exist, or cannot be read or downloaded.
        OutputError: if the cache cannot be written.
    """
    parts: list[PartInventory] = []
    missing: set[FrameRef] = set()
    needed: set[str] = set()
    for name in splits or _paper_splits(layout.lines, lists):
        folder = split_folder(name, lists)
        for part, listed in read_split(folder, layout.lines).items():
            images = _images_of(part, listed)
            missing_here = {ref for ref in images if ref.number not in layout.images(ref.sequence)}
            parts.append(_count(layout, folder.name, part, listed, missing_here))
            missing |= missing_here
            needed |= {ref.sequence for ref in images}
    files = {file for sequence in needed for file in layout.calibration(sequence) if not file.is_file()}
    # Several splits may list the same frame: `missing` is a set, so each image counts once.
    n_missing = Counter(ref.sequence for ref in sorted(missing))
    return Inventory(
        kind=layout.kind,
        parts=tuple(parts),
        images=dict(n_missing),
        files=tuple(sorted(file.relative_to(layout.root).as_posix() for file in files)),
        archives=tuple(sorted({*map(layout.archive, n_missing), *map(layout.calibration_archive, files)})),
    )


def _paper_splits(lines: LineFormat, lists: Path | None) -> tuple[str, ...]:
    """The splits of the paper's tables; with `lists`, those that have a folder there. Raises DataError if none has."""
    usual = USUAL[lines]
    if lists is None:
        return usual
    existing = tuple(name for name in usual if (lists / name).is_dir())
    if not existing:
        raise DataError("there are no split lists", where=lists, expected=f"a folder {' or '.join(usual)} in it")
    return existing


def split_folder(name: str, lists: Path | None) -> Path:
    """The folder of a split: below `lists` if that is given, else as `find_split` finds it.

    Raises:
        DataError: if there is none.
    """
    # As in `find_split`, an existing folder takes precedence over a name.
    if lists is None or path_of(name).is_dir():
        return find_split(name)
    if not (lists / name).is_dir():
        raise DataError(
            "there is no such split",
            where=lists / name,
            expected="a folder with train_files.txt, val_files.txt or test_files.txt",
            fix=f"leave --splits out to download {name}" if name in PUBLISHED_SPLITS else None,
        )
    return (lists / name).resolve()


def raw_layout(root: Path) -> KittiLayout:
    """The layout of KITTI raw."""
    scans, improved = KittiTruth(root), ImprovedTruth(root)

    def has_truth(ref: FrameRef, split: str) -> bool:
        # The benchmark split is evaluated on improved depth, every other split on scans.
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
    """The layout of KITTI odometry."""
    return KittiLayout(
        root=root,
        kind=ODOMETRY_KIND,
        lines=ODOMETRY,
        images=cache(partial(odometry_images, root)),  # many lines, few folders
        partner=partial(other_camera, sides=ODOMETRY_CAMERAS),
        calibration=lambda sequence: (root / "sequences" / sequence.split("/")[0] / "calib.txt",),
        has_truth=lambda ref, split: (root / "poses" / f"{ref.sequence.split('/')[0]}.txt").is_file(),
        archive=lambda sequence: "data_odometry_color.zip",
        calibration_archive=lambda file: "data_odometry_calib.zip",
    )


def _images_of(part: str, listed: Sequence[SplitLine]) -> set[FrameRef]:
    """The images that a part needs: the listed frames and, for training and validation, their neighbours."""
    offsets = needed_offsets(part, OFFSETS)
    needed = {FrameRef(each.ref.sequence, each.ref.number + offset) for each in listed for offset in offsets}
    # A neighbour before the first frame is not missing: no archive has it.
    return {ref for ref in needed if ref.number >= 0}


def _count(
    layout: KittiLayout, split: str, part: str, listed: Sequence[SplitLine], missing: set[FrameRef]
) -> PartInventory:
    """One row of the inventory; `missing` holds the images of this part that do not exist."""
    offsets = needed_offsets(part, OFFSETS)
    # `missing` has no frames before the first of a drive, so a neighbour there is ruled out by its number.
    refs = [
        each.ref
        for each in listed
        if each.ref.number + min(offsets) >= 0
        and missing.isdisjoint(FrameRef(each.ref.sequence, each.ref.number + offset) for offset in offsets)
    ]
    return PartInventory(
        split=split,
        part=part,
        listed=len(listed),
        there=len(refs),
        paired=sum(ref.number in layout.images(layout.partner(ref.sequence)) for ref in refs),
        measured=sum(layout.has_truth(ref, split) for ref in refs),
    )
