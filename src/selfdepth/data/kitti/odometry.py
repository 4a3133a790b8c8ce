"""KITTI odometry: numbered sequences with a calibration and times, splits, and ground-truth poses for 00 to 10.

ROOT/sequences/09/calib.txt                 P0 to P3: 2 is the left colour camera, 3 the right one
ROOT/sequences/09/times.txt
ROOT/sequences/09/image_2/000000.png        (3: the right camera)
ROOT/poses/09.txt
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.kitti.calibration import (
    ODOMETRY_CAMERAS,
    projection_entry,
    read_calibration,
    translation_between_m,
)
from selfdepth.data.kitti.splits import ODOMETRY, PARTS, needed_offsets, read_split, usable_frames
from selfdepth.data.kitti.stereo import find_partners, merge_numbers
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.folders import list_images
from selfdepth.data.readers.images import ImageSequence
from selfdepth.data.readers.naming import naming
from selfdepth.data.readers.pictures import image_size
from selfdepth.data.readers.trajectories import read_times, read_trajectory
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.structs import Trajectory
from selfdepth.texts import whole_number

KIND = "kitti-odometry"


@dataclass(frozen=True, kw_only=True)
class OdometrySplit:
    """The targets that a split lists, and the sequences that hold them, with only these frames and their neighbours."""

    sequences: tuple[ImageSequence, ...]
    train: tuple[FrameRef, ...]
    val: tuple[FrameRef, ...]
    test: tuple[FrameRef, ...]


def is_kitti_odometry(path: Path) -> bool:
    """Whether a folder holds sequences/NN with KITTI odometry's calibration file or colour images."""
    # One of the two is enough: a download may be incomplete, and the errors and `check` then say what is missing.
    return any(
        (folder / "calib.txt").is_file() or any((folder / image).is_dir() for image in ODOMETRY_CAMERAS.values())
        for folder in _sequence_folders(path)
    )


def open_odometry_sequences(root: Path, *, camera: str | None = None, side: str = "l") -> tuple[ImageSequence, ...]:
    """All frames of one camera in every sequence that has its images. The sequences' names are like "09/image_2".

    Args:
        camera: as `parse_camera` reads it, for resized or cropped frames; default: each sequence's own calibration.
        side: "l" or "r", the left or right colour camera.

    Raises:
        DataError: if there are no images, or a calibration cannot be used.
    """
    names = [f"{folder.name}/{ODOMETRY_CAMERAS[side]}" for folder in _sequence_folders(root)]
    files = {name: odometry_images(root, name) for name in names}
    sequences = tuple(_sequence(root, name, sorted(files[name]), files[name], camera) for name in names if files[name])
    if not sequences:
        raise DataError(
            "there are no images",
            where=root,
            expected=f"sequences/00/{ODOMETRY_CAMERAS[side]}/000000.png or .jpg",
            got="none",
        )
    return sequences


def open_odometry_split(
    root: Path, split: Path, *, camera: str | None = None, offsets: tuple[int, ...] = (-1, 1)
) -> OdometrySplit:
    """The frames that a split lists.

    Args:
        split: folder with some of train_files.txt, val_files.txt, test_files.txt, test_files_09.txt, ...
        camera: as for `open_odometry_sequences`.
        offsets: times of a clip's sources relative to its target. Training and validation frames need these
            neighbours, test frames do not.

    Raises:
        DataError: for a split, image or calibration that is missing or cannot be used.
    """
    # A split has tens of thousands of lines from a few folders: each folder is listed once.
    images = cache(partial(odometry_images, root))
    used: dict[str, set[int]] = {}
    refs: dict[str, tuple[FrameRef, ...]] = {part: () for part in PARTS}
    for part, listed in read_split(split, ODOMETRY).items():
        needed = needed_offsets(part, offsets)
        refs[part] = usable_frames(listed, needed, images, partial(_expected_path, root))
        # Only the frames of the clips, so that a store holds no frame that no clip uses.
        for ref in refs[part]:
            used.setdefault(ref.sequence, set()).update(ref.number + offset for offset in needed)
    sequences = tuple(_sequence(root, name, sorted(used[name]), images(name), camera) for name in sorted(used))
    return OdometrySplit(sequences=sequences, **refs)


def with_partners(
    root: Path,
    sequences: tuple[FrameSequence, ...],
    refs_of: Mapping[str, tuple[FrameRef, ...]],
    *,
    camera: str | None = None,
) -> tuple[ImageSequence, ...]:
    """The given sequences linked to their stereo partners, and the partners with the frames that the targets need.

    Args:
        sequences: sequences of this root.
        refs_of: targets by part. Those of "train" and "val" get partners where the other camera has an image.
        camera: as for `open_odometry_sequences`.

    Raises:
        DataError: for a calibration or image that cannot be used, or if no training frame has a partner.
    """
    images = cache(partial(odometry_images, root))
    translation_m = partial(_stereo_translation_m, root)
    pairs = find_partners(refs_of, root, sides=ODOMETRY_CAMERAS, images=images, translation_m=translation_m)
    frames = merge_numbers({sequence.name: sequence.numbers for sequence in sequences}, pairs.numbers)
    return tuple(
        replace(_sequence(root, name, numbers, images(name), camera), partner=pairs.partners.get(name))
        for name, numbers in frames.items()
    )


def _stereo_translation_m(root: Path, number: str) -> tuple[float, float, float]:
    return translation_between_m(root / "sequences" / number / "calib.txt", left="P2", right="P3")


def odometry_truth(root: Path, sequence: str, numbers: tuple[int, ...]) -> Trajectory | None:
    """The ground-truth poses of all frames of a sequence ("09/image_2"), or None if there are none.

    They are the poses of camera 0, some centimetres beside the colour cameras. Trajectories from colour images are
    compared with them unchanged, as in all published results.

    Raises:
        DataError: for a file that cannot be used, or whose number of poses is not that of the frames.
    """
    number = sequence.split("/")[0]
    path = root / "poses" / f"{number}.txt"
    if not path.is_file():
        return None
    trajectory, n_frames = read_trajectory(path), len(numbers)
    if len(trajectory) != n_frames:
        raise DataError(
            "there is not one ground-truth pose for each frame",
            where=path,
            expected=f"{n_frames} lines, one for each image of {sequence}",
            got=str(len(trajectory)),
            fix="copy KITTI's images or poses again",
        )
    # After the count: a file of poses is not to blame for a short times.txt.
    times = odometry_times(root / "sequences" / sequence.split("/")[0] / "times.txt", numbers)
    return trajectory if times is None else replace(trajectory, timestamps=times)


def odometry_times(path: Path, numbers: tuple[int, ...]) -> Float[ndarray, "n"] | None:
    """Seconds of these frames of a sequence from its times.txt; None if there is no such file.

    Raises:
        DataError: for a broken file, or one with fewer lines than the frames need.
    """
    if not path.is_file():
        return None
    times = read_times(path)
    if numbers and numbers[-1] >= len(times):
        raise DataError(
            "the file does not have a time for each frame",
            where=path,
            expected=f"{numbers[-1] + 1} lines, for frames 0 to {numbers[-1]}",
            got=str(len(times)),
            fix="copy KITTI's times.txt again",
        )
    return np.asarray(times[list(numbers)])


def _sequence(root: Path, name: str, numbers: list[int], files: dict[int, Path], camera: str | None) -> ImageSequence:
    paths = tuple(files[number] for number in numbers)
    width, height = image_size(paths[0])
    given = None if camera is None else parse_camera(camera, width=width, height=height)
    own = given or _calibrated(root, name, width, height)
    return ImageSequence(
        name=name, camera=own, numbers=tuple(numbers), names=tuple(path.stem for path in paths), files=paths
    )


def _calibrated(root: Path, name: str, width: int, height: int) -> Camera:
    number, image = name.split("/")
    path, key = root / "sequences" / number / "calib.txt", f"P{image[-1]}"
    P = projection_entry(read_calibration(path), path, key).tolist()
    with naming(f"{key} in {path}"):
        own = Camera(fx=P[0][0], fy=P[1][1], cx=P[0][2], cy=P[1][2], width=width, height=height)
    # calib.txt does not state an image size. For images made smaller, its principal point lies outside.
    if not own.principal_point_inside:
        raise DataError(
            "the images do not have the size of their calibration",
            where=f"{key} in {path}",
            expected=f"a principal point inside {width}x{height}",
            got=f"({own.cx:.1f}, {own.cy:.1f})",
            fix="give --camera for images of this size",
        )
    return own


def _expected_path(root: Path, ref: FrameRef) -> str:
    return f"{root / 'sequences' / ref.sequence / f'{ref.number:06d}'}.png or .jpg"


def odometry_images(root: Path, name: str) -> dict[int, Path]:
    """The image file of each frame by number; empty if there is no such folder. A JPEG takes precedence over a PNG."""
    folder = root / "sequences" / name
    files = list_images(folder) if folder.is_dir() else ()
    ranked = sorted(files, key=lambda path: path.suffix.lower() != ".png")  # in the dictionary, the last one wins
    return {number: path for path in ranked if (number := whole_number(path.stem)) is not None}


def _sequence_folders(root: Path) -> list[Path]:
    folder = root / "sequences"
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())
