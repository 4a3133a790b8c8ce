"""What `predict` was asked to look at: images, folders and videos as sources of frames."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.frames import find_gaps
from selfdepth.data.readers.cameras import ANY_CAMERA, parse_camera
from selfdepth.data.readers.images import (
    IMAGE_SUFFIXES,
    find_image_folders,
    frame_numbers,
    image_size,
    list_images,
    read_image,
)
from selfdepth.data.readers.video import open_video
from selfdepth.errors import DataError
from selfdepth.inference.save import FrameSource


def open_inputs(inputs: tuple[str, ...], *, camera: str | None) -> list[FrameSource]:
    """Sources for all inputs, in their order, with different names. Single images are one source together.

    Args:
        inputs: images, folders of images (or of such folders), videos.
        camera: as `parse_camera` reads it, for frames of any of their sizes; None: not known.

    Raises:
        DataError: for an input that is missing, empty or of no known kind.
    """
    paths = [Path(path).expanduser() for path in inputs]
    images = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    sources = [_open_images("images", images, continuous=False)] if images else []
    for path in paths:
        if path.is_dir():
            sources += _open_folders(path)
        elif path not in images:
            sources.append(_open_video(path))
    if camera is not None:
        camera_for = functools.cache(lambda width, height: parse_camera(camera, width=width, height=height))
        sources = [replace(source, camera_for=camera_for) for source in sources]
        for source in sources:
            camera_for(*source.first_size)  # a camera that cannot be used is refused before the work begins
    return _with_different_names(sources)


def _open_folders(root: Path) -> list[FrameSource]:
    folders = find_image_folders(root)
    if not folders:
        raise DataError(
            "the folder holds no images", where=root, expected=f"files ending in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return [
        _open_images(
            "_".join((root.resolve().name, *folder.relative_to(root).parts)), list_images(folder), continuous=True
        )
        for folder in folders
    ]


def _open_images(name: str, files: tuple[Path, ...] | list[Path], *, continuous: bool) -> FrameSource:
    def read() -> Iterator[UInt8[ndarray, "h w 3"]]:
        return map(read_image, files)

    stems = tuple(path.stem for path in files)
    continuous = continuous and all(stem[-1].isdecimal() for stem in stems)
    return FrameSource(
        name=name,
        names=_different(list(stems), [path.name for path in files]),
        read=read,
        first_size=image_size(files[0]),
        continuous=continuous,
        gaps=find_gaps(frame_numbers(stems)) if continuous else (),
        files=tuple(files),
    )


def _open_video(path: Path) -> FrameSource:
    if not path.exists():
        raise DataError("there is no such input", where=path, expected="an image, a folder of images, or a video")
    sequence = open_video(path, camera=ANY_CAMERA, min_frames=1)
    return FrameSource(
        name=path.stem,
        names=sequence.names,
        read=lambda: sequence.read(sequence.numbers),
        first_size=(sequence.camera.width, sequence.camera.height),
        rate=Fraction(sequence.fps or 25).limit_denominator(1001),
        times_s=tuple(number / sequence.fps for number in sequence.numbers) if sequence.fps else None,
        files=(path,),
    )


def _with_different_names(sources: list[FrameSource]) -> list[FrameSource]:
    names = [source.name for source in sources]
    return [replace(source, name=name) for source, name in zip(sources, _different(names, names), strict=True)]


def _different(names: list[str], longer: list[str]) -> tuple[str, ...]:
    """The names; the longer ones where several are the same, numbered where those are the same too."""
    counts = Counter(names)
    chosen = [name if counts[name] == 1 else long for name, long in zip(names, longer, strict=True)]
    taken: set[str] = set()
    for index, name in enumerate(chosen):
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique)
        chosen[index] = unique
    return tuple(chosen)
