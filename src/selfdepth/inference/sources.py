"""What `predict` was asked to look at: images, folders and videos as sources of frames."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from selfdepth.data.frames import FrameSequence, find_gaps
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.images import IMAGE_SUFFIXES, image_size, read_image
from selfdepth.data.sources.recognise import recognise
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
    sources = [_single_images(images)] if images else []
    for path in paths:
        if path not in images:
            sources += _open(path)
    if camera is not None:
        camera_for = functools.cache(lambda width, height: parse_camera(camera, width=width, height=height))
        sources = [replace(source, camera_for=camera_for) for source in sources]
        for source in sources:
            camera_for(*source.first_size)  # a camera that cannot be used is refused before the work begins
    return _with_different_names(sources)


def _single_images(files: list[Path]) -> FrameSource:
    """Images that were named one by one: they need not follow each other in time."""
    return FrameSource(
        name="images",
        names=_different([path.stem for path in files], [path.name for path in files]),
        read=lambda: map(read_image, files),
        first_size=image_size(files[0]),
        continuous=False,
        files=tuple(files),
    )


def _open(path: Path) -> list[FrameSource]:
    if not path.exists():
        raise DataError("there is no such input", where=path, expected="an image, a folder of images, or a video")
    return [_of_sequence(sequence, path) for sequence in recognise(path).sequences_to_predict()]


def _of_sequence(sequence: FrameSequence, path: Path) -> FrameSource:
    root = path.resolve()
    own_name = path.is_file() or sequence.name == root.name
    # Names of images that end in numbers are those of a video's frames; others may be any stills.
    continuous = sequence.fps is not None or all(name[-1].isdecimal() for name in sequence.names)
    return FrameSource(
        name=sequence.name if own_name else f"{root.name}_{sequence.name.replace('/', '_')}",
        names=sequence.names,
        read=lambda: sequence.read(sequence.numbers),
        first_size=(sequence.camera.width, sequence.camera.height),
        rate=Fraction(10) if sequence.fps is None else Fraction(sequence.fps or 25).limit_denominator(1001),
        continuous=continuous,
        gaps=find_gaps(sequence.numbers) if continuous else (),
        times_s=tuple(number / sequence.fps for number in sequence.numbers) if sequence.fps else None,
        files=sequence.files,
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
