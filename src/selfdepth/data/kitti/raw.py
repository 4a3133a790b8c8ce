"""KITTI raw: the official folders, the calibration of each date, splits, and LiDAR ground truth.

ROOT/2011_09_26/calib_cam_to_cam.txt
ROOT/2011_09_26/2011_09_26_drive_0005_sync/image_02/data/0000000000.jpg     (03: the right camera)
ROOT/2011_09_26/2011_09_26_drive_0005_sync/velodyne_points/data/0000000000.bin
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef, FrameSequence, StereoPartner
from selfdepth.data.hold_out import hold_out
from selfdepth.data.kitti.calibration import (
    CALIBRATION_FILES,
    CAMERA_FILE,
    CAMERAS,
    GREY_CAMERAS,
    camera_from_calibration,
    projection_from_velodyne,
    stereo_translation_m,
)
from selfdepth.data.kitti.lidar import project_scan, read_scan
from selfdepth.data.kitti.splits import PARTS, RAW, needed_offsets, read_split, usable_frames
from selfdepth.data.kitti.stereo import FoundPartners, find_partners, merge_numbers
from selfdepth.data.readers.images import ImageSequence
from selfdepth.data.readers.pictures import image_size
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.texts import whole_number

KIND = "kitti-raw"

_DATE = re.compile(r"\d{4}_\d{2}_\d{2}")
_BY_PREFERENCE = (CAMERAS["l"], GREY_CAMERAS["l"], CAMERAS["r"], GREY_CAMERAS["r"])
"""Folders of the cameras' images. Of a drive, one camera is opened: the left colour camera if its images are there."""


def is_kitti_raw(path: Path) -> bool:
    """Whether a folder holds date folders (YYYY_MM_DD) with KITTI's calibration file or drives."""
    return any(map(_is_date, _date_folders(path)))


def root_of_part(path: Path) -> Path | None:
    """The root of KITTI raw that holds a folder of a date, of a drive, or of a camera's images; None for others.

    The folder of the date must have KITTI's calibration file or drives, and the folder images of a camera.
    """
    path = path.resolve()
    for levels, parent in enumerate((path, *path.parents[:4])):
        if _DATE.fullmatch(parent.name) and _is_date(parent):
            parts = path.relative_to(parent).parts
            ours = levels < 2 or (levels < 4 and parts[1] in _BY_PREFERENCE and parts[2:] in ((), ("data",)))
            return parent.parent if ours and any(_drives_below(parent.parent, path)) else None
    return None


def _is_date(folder: Path) -> bool:
    # One of the two is enough: a download may be incomplete, and the errors and `check` then say what is missing.
    return (folder / CAMERA_FILE).is_file() or any(folder.glob("*_sync"))


def _drives_below(root: Path, within: Path) -> list[str]:
    """Names of the sequences at or below a folder: a camera's own, or the left colour camera's of every drive; if no
    drive has images of that one, those of another camera."""
    parts = within.relative_to(root).parts
    folders = ImageFolders(root)
    if len(parts) >= 3:  # DATE/DRIVE/image_03
        return [name] if folders.has_images(name := "/".join(parts[:3])) else []
    drives = (
        [within]
        if len(parts) == 2
        else sorted(drive for date in ([within] if parts else _date_folders(root)) for drive in date.iterdir())
    )
    # Sorted: the order of a directory differs between disks, and the hold-out must not.
    for image in _BY_PREFERENCE:
        names = [f"{drive.parent.name}/{drive.name}/{image}" for drive in drives]
        if found := [name for name in names if folders.has_images(name)]:
            return found
    return []


@dataclass(frozen=True)
class KittiTruth(DepthTruth):
    """Ground truth from the LiDAR: the scan of a frame, projected into the image.

    Attributes:
        folder: root of KITTI raw.
    """

    folder: Path

    def may_have(self, ref: FrameRef) -> bool:
        """Whether the frame has a scan."""
        return self.scan(ref).is_file()

    @property
    def root(self) -> Path:
        """Root of KITTI raw."""
        return self.folder

    @property
    def is_computed(self) -> bool:
        """True: projecting a scan takes longer than reading the result from a cache."""
        return True

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth in metres, 0 where unknown, or None if the frame has no scan. Raises DataError for a broken file."""
        scan = self.scan(ref)
        if not scan.is_file():
            return None
        drive, camera = ref.sequence.rsplit("/", 1)
        P_image_velo, shape = projection_from_velodyne(self.root / drive.split("/")[0], camera[-2:])
        return project_scan(read_scan(scan), P_image_velo, shape)

    def scan(self, ref: FrameRef) -> Path:
        """Path of a frame's scan, whether or not it exists."""
        drive = ref.sequence.rsplit("/", 1)[0]
        return self.root / drive / "velodyne_points" / "data" / f"{ref.number:010d}.bin"

    def fingerprint(self, ref: FrameRef) -> str | None:
        """Paths, sizes and times of the scan and its calibration, which determine the map; None without a scan."""
        scan, date = self.scan(ref), self.root / ref.sequence.split("/")[0]
        if not scan.is_file():
            return None
        # The path is part of it: one cache folder may serve several roots, whose frames have the same names.
        files = [file for file in (scan, *(date / name for name in CALIBRATION_FILES)) if file.is_file()]
        stats = [(file.resolve(), file.stat()) for file in files]
        return "; ".join(f"{file} {stat.st_size} {stat.st_mtime_ns}" for file, stat in stats)


def open_kitti_raw(
    root: Path,
    split: Path | None,
    *,
    camera: Callable[[int, int], Camera] | None = None,
    offsets: tuple[int, ...] = (-1, 1),
    stereo: bool = False,
    parts: tuple[str, ...] = tuple(PARTS),
    within: Path | None = None,
    folders: ImageFolders | None = None,
) -> Footage:
    """Open a root of KITTI raw with the targets of a split, or of the hold-out rule.

    Args:
        root: the folder that holds the date folders.
        split: folder with some of train_files.txt, val_files.txt, test_files.txt. None: the left colour camera of
            every drive (without images of it, another), divided by `hold_out`.
        camera: function from (width, height) in pixels to the camera, used instead of each date's own calibration.
        offsets: times of a clip's sources relative to its target. Training and validation frames need these
            neighbours, test frames do not.
        stereo: add the image of the pair's other camera of training and validation frames where there is one.
        parts: the parts of the split to read. Images of other parts need not exist.
        within: folder of a date, drive or camera; without a split, only what lies in it is opened.
        folders: the images, where they are not those in the folders of the root.

    Raises:
        DataError: for a split, image or calibration that is missing or cannot be used; with `stereo`, if no training
            frame has a partner.
    """
    folders = folders or ImageFolders(root)
    refs_of = _read_split(split, folders, offsets, parts) if split else _hold_out(within or root, folders, offsets)
    frames = _frames_of(refs_of, offsets)
    pairs = _find_partners(refs_of, folders) if stereo else FoundPartners(partners={}, numbers={})

    @cache  # many drives share the calibration of a date
    def calibrated(date: str, image: str) -> Camera:
        return camera_from_calibration(root / date, image)

    def camera_of(name: str, size: tuple[int, int]) -> Camera:
        return camera(*size) if camera is not None else calibrated(name.split("/")[0], name.rsplit("/", 1)[1])

    sequences = tuple(
        _sequence(name, numbers, folders, camera_of, pairs.partners.get(name))
        for name, numbers in merge_numbers(frames, pairs.numbers).items()
    )
    train, val, test = (refs_of.get(part, ()) for part in PARTS)
    return Footage(kind=KIND, sequences=sequences, train=train, val=val, test=test, truth=KittiTruth(root))


def _frames_of(refs_of: Mapping[str, tuple[FrameRef, ...]], offsets: tuple[int, ...]) -> dict[str, set[int]]:
    """The frames of all clips with these targets, by sequence."""
    frames: dict[str, set[int]] = {}
    for part, refs in refs_of.items():
        reach = needed_offsets(part, offsets)
        for ref in refs:
            frames.setdefault(ref.sequence, set()).update(ref.number + offset for offset in reach)
    return frames


def _find_partners(refs_of: Mapping[str, tuple[FrameRef, ...]], folders: ImageFolders) -> FoundPartners:
    images = {ref.sequence.rsplit("/", 1)[1] for refs in refs_of.values() for ref in refs}
    sides = GREY_CAMERAS if images and images.issubset(GREY_CAMERAS.values()) else CAMERAS

    def translation_m(drive: str) -> tuple[float, float, float]:
        return stereo_translation_m(folders.root / drive.split("/")[0], sides)

    return find_partners(refs_of, folders.root, sides=sides, images=folders.files, translation_m=translation_m)


class ImageFolders:
    """The images of each sequence by number. A folder is listed once, at its first use.

    A published split has about 40 000 lines from some sixty folders, and each line needs three images: testing every
    image for existence would be slow, on a network disk above all.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, dict[int, str]] = {}

    def folder(self, sequence: str) -> Path:
        """The folder `data` of a sequence, or the sequence's own if somebody moved the images there."""
        own = self.root / sequence
        if (own / "data").is_dir() or not own.is_dir():
            return own / "data"
        moved = any(_frame_number(path.name) is not None for path in own.iterdir())
        return own if moved else own / "data"

    def has_images(self, sequence: str) -> bool:
        """Whether a sequence has a folder of images."""
        return self.folder(sequence).is_dir()

    def files(self, sequence: str) -> dict[int, str]:
        """File name of each frame by number; empty if there is no such folder. A JPEG takes precedence over a PNG."""
        if sequence not in self._listed:
            names: list[str] = []
            folder = self.folder(sequence)
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries]
            images: dict[int, str] = {}
            for name in sorted(names, reverse=True):  # in reverse order, jpg follows png and replaces it
                number = _frame_number(name)
                if number is not None:
                    images[number] = name
            self._listed[sequence] = images
        return self._listed[sequence]

    def size(self, path: Path) -> tuple[int, int]:
        """(width, height) in pixels of an image."""
        return image_size(path)


def _frame_number(name: str) -> int | None:
    stem, dot, kind = name.rpartition(".")
    return whole_number(stem) if dot and kind.lower() in ("jpg", "jpeg", "png") else None


def _sequence(
    name: str,
    numbers: list[int],
    folders: ImageFolders,
    camera_of: Callable[[str, tuple[int, int]], Camera],
    partner: StereoPartner | None,
) -> FrameSequence:
    """These frames of a sequence. The header of the first one is checked, to refuse a wrong camera early."""
    files = folders.files(name)
    folder = folders.folder(name)
    paths = tuple(folder / files[number] for number in numbers)
    size = folders.size(paths[0])
    camera = camera_of(name, size)
    if size != (camera.width, camera.height):
        raise DataError(
            "the image does not have the size of its camera",
            where=paths[0],
            expected=f"{camera.width}x{camera.height}",
            got=f"{size[0]}x{size[1]}",
            fix="give --camera for images of this size",
        )
    return ImageSequence(
        name=name,
        camera=camera,
        numbers=tuple(numbers),
        names=tuple(path.stem for path in paths),
        files=paths,
        partner=partner,
    )


def _read_split(
    split: Path, folders: ImageFolders, offsets: tuple[int, ...], parts: tuple[str, ...]
) -> dict[str, tuple[FrameRef, ...]]:
    def expected_path(ref: FrameRef) -> str:
        return f"{folders.folder(ref.sequence) / f'{ref.number:010d}'}.jpg or .png"

    return {
        part: usable_frames(listed, needed_offsets(part, offsets), folders.files, expected_path)
        for part, listed in read_split(split, RAW, parts).items()
    }


def _hold_out(within: Path, folders: ImageFolders, offsets: tuple[int, ...]) -> dict[str, tuple[FrameRef, ...]]:
    """The targets of the hold-out rule: frames of one camera of every drive that have their neighbours."""
    names = _drives_below(folders.root, within)
    train, val = hold_out({name: sorted(folders.files(name)) for name in names}, offsets)
    if not train:
        times = ", ".join(f"{offset:+d}" for offset in offsets)
        raise DataError(
            "there are no frames to train on",
            where=within,
            expected="images under DATE/DRIVE/image_02/data" + (f" with neighbours at {times}" if times else ""),
            got="none",
            fix="check the folders, or give a smaller --every" if offsets else "check the folders",
        )
    return {"train": train, "val": val}


def _date_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if _DATE.fullmatch(path.name) and path.is_dir())
