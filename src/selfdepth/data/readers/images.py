"""Folders of images as sequences of frames."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.file_kinds import IMAGE_SUFFIXES
from selfdepth.data.readers.levels import levels_of_files
from selfdepth.data.readers.pictures import ALL_LEVELS, Levels, image_size, read_image
from selfdepth.errors import DataError

MIN_FRAMES = 3
"""A clip is a frame and its two neighbours."""
MAX_DEPTH = 4
"""How many levels below a folder its images are searched for. KITTI's DATE/DRIVE/image_02/data has four."""


@dataclass(frozen=True, kw_only=True)
class ImageSequence(FrameSequence):
    """A sequence with one image file per frame: files[i] holds frame numbers[i].

    Attributes:
        any_size: whether images may differ in size from the camera, as in a folder of stills.
        levels: the 16-bit values that become black and white.
    """

    any_size: bool = False
    levels: Levels = ALL_LEVELS

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these numbers: RGB, upright.

        Raises:
            DataError: naming the file, if it cannot be decoded or its size differs from the camera's.
        """
        return self.read_reduced(numbers, 1)

    def read_reduced(self, numbers: tuple[int, ...], reduction: int) -> Iterator[UInt8[ndarray, "_h _w 3"]]:
        """As `read`; JPEGs come at 1/reduction of their size, decoded from their low frequencies alone."""
        files = dict(zip(self.numbers, self.files, strict=True))
        reduced = tuple(-(-side // reduction) for side in self.size)  # the JPEG decoder rounds up
        for number in numbers:
            image = read_image(files[number], reduction, self.levels)
            size = (image.shape[1], image.shape[0])
            if size != reduced and not self.any_size:
                require_size(files[number], size, self.size)
            yield image

    def check_sizes(self) -> None:
        """Read the header of every image. Raises DataError for the first whose size differs from the camera's."""
        for file in self.files:
            require_size(file, image_size(file), self.size)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of every frame, in pixels."""
        return self.camera.width, self.camera.height


def require_size(path: Path, got: tuple[int, int], expected: tuple[int, int]) -> None:
    """Raise DataError, naming the file, unless an image has the (width, height) of its sequence."""
    if got != expected:
        raise DataError(
            "the image does not have the size of its sequence",
            where=path,
            expected=f"{expected[0]}x{expected[1]}",
            got=f"{got[0]}x{got[1]}",
            fix="give images of each size a folder of their own, or remove it",
        )


def list_images(folder: Path) -> tuple[Path, ...]:
    """The image files directly in a folder, in natural order (frame2 before frame10), without hidden ones."""
    return tuple(sorted(_images_in(folder), key=lambda path: (natural_key(path.stem), path.name)))


def _images_in(folder: Path) -> Iterator[Path]:
    # Hidden files such as ._frame1.jpg hold attributes that macOS writes to foreign disks, not images.
    for path in folder.iterdir():
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def find_image_folders(root: Path, depth: int = MAX_DEPTH) -> tuple[Path, ...]:
    """The folder itself if it holds images, else the nearest folders below it that do, in natural order."""
    # Not searched below a folder with images: masks or depth maps often lie there. One image decides: several kinds of
    # data ask this of the same path, and to list and sort a long recording each time would take seconds.
    if next(_images_in(root), None) is not None:
        return (root,)
    if depth == 0:
        return ()
    below = sorted(
        (path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")),
        key=lambda path: natural_key(path.name),
    )
    return tuple(folder for path in below for folder in find_image_folders(path, depth - 1))


def open_folder(
    folder: Path, *, camera: str | None = None, name: str | None = None, stills: bool = False
) -> ImageSequence:
    """The images directly in a folder as one sequence, in natural order.

    Frame numbers come from the ends of the file names (`frame_numbers`), so that missing frames leave a gap.

    Args:
        camera: as `parse_camera` reads it, for the size of these images.
        name: name of the sequence; default: the folder's.
        stills: accept any number of images of any size, to predict them one by one. Otherwise at least three images of
            one size are needed, and the sizes are checked as the images are read.

    Raises:
        DataError: for a folder that is missing or holds too few images, a first image that cannot be opened, or a
            camera that cannot be used.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", where=folder)
    files = list_images(folder)
    min_frames = 1 if stills else MIN_FRAMES
    if len(files) < min_frames:
        raise DataError(
            "the folder has too few images",
            where=folder,
            expected=f"at least {min_frames} ({', '.join(sorted(IMAGE_SUFFIXES))})",
            got=str(len(files)),
        )
    width, height = image_size(files[0])
    stems = Counter(path.stem for path in files)
    return ImageSequence(
        name=name or folder.resolve().name,
        camera=parse_camera(camera, width=width, height=height),
        numbers=frame_numbers(tuple(path.stem for path in files)),
        # Outputs are named by stem. With 1.bmp beside 1.png one would overwrite the other, so these keep their suffix.
        names=tuple(path.stem if stems[path.stem] == 1 else path.name for path in files),
        files=files,
        any_size=stills,
        levels=levels_of_files(files, folder),
    )


def frame_numbers(stems: tuple[str, ...]) -> tuple[int, ...]:
    """Frame numbers from ordered file stems: consecutive for consecutive frames, with gaps where frames are missing.

    If all stems end in numbers that increase strictly, these are divided by their most common step: 0, 5, 10, 25 gives
    0, 1, 2, 5, so a video of which every fifth frame was extracted has no gaps. Any other step is a gap. If no step
    accounts for half of them (stems that are timestamps), they are divided by the median step and rounded. Stems
    without such numbers give 0, 1, 2, ...
    """
    trailing = [_trailing_number(stem) for stem in stems]
    values = [value for value in trailing if value is not None]
    steps = [after - before for before, after in itertools.pairwise(values)]
    if len(values) < len(stems) or not steps or min(steps) <= 0:
        return tuple(range(len(stems)))
    common, count = Counter(steps).most_common(1)[0]
    regular = 2 * count >= len(steps)
    unit = common if regular else median(steps)
    first = int(values[0] / unit)
    numbers = [first]
    for step in steps:
        apart = round(step / unit)
        # In a regular sequence a shorter step, too, means that frames are missing: it must not look like a neighbour.
        least = 2 if regular and step != unit else 1
        numbers.append(numbers[-1] + max(least, apart))
    return tuple(numbers)


def natural_key(text: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key that puts frame2 before frame10. The text itself comes last, to order 01 and 1."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), text


def _trailing_number(stem: str) -> Decimal | None:
    """The number at the end of a stem, or the whole stem if it is a decimal number, such as a time in seconds."""
    match = re.fullmatch(r"[0-9]+\.[0-9]+", stem) or re.search(r"[0-9]+$", stem)
    return Decimal(match.group()) if match else None
