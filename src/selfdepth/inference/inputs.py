"""The inputs of `predict`: images, folders, videos and any other data, as frames in order."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameSequence, find_gaps
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.images import IMAGE_SUFFIXES, image_size, read_image
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, crop
from selfdepth.weights.files import LoadedWeights


def no_camera(width: int, height: int) -> Camera | None:
    """For frames whose camera was not given: the prediction carries the model's, where that fits."""
    return None


@dataclass(frozen=True, kw_only=True)
class PredictionInput:
    """Frames to predict, in order.

    Attributes:
        name: of the input, for a folder of its own where several inputs are written.
        names: one output name per frame, all different.
        read: starts decoding; gives RGB frames, one per name.
        first_size: width and height of the first frame, pixels.
        rate: frames per second of a video made of them.
        continuous: frames follow each other in time: their colours shall not flicker, and the camera can be followed.
        gaps: places where frames are missing, over which the camera cannot be followed: number before, number after.
        times_s: seconds of each frame, increasing; None where they are not known.
        camera_for: intrinsics of a frame from its width and height, or None.
        files: where the frames come from; never overwritten.
    """

    name: str
    names: tuple[str, ...]
    read: Callable[[], Iterator[UInt8[ndarray, "_h _w 3"]]]
    first_size: tuple[int, int]
    rate: Fraction = Fraction(10)
    continuous: bool = True
    gaps: tuple[tuple[int, int], ...] = ()
    camera_for: Callable[[int, int], Camera | None] = no_camera
    times_s: tuple[float, ...] | None = None
    files: tuple[Path, ...] = ()


def open_inputs(inputs: tuple[str, ...], *, camera: str | None) -> list[PredictionInput]:
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


def _single_images(files: list[Path]) -> PredictionInput:
    """Images that were named one by one: they need not follow each other in time."""
    return PredictionInput(
        name="images",
        names=_different([path.stem for path in files], [path.name for path in files]),
        read=lambda: map(read_image, files),
        first_size=image_size(files[0]),
        continuous=False,
        files=tuple(files),
    )


def _open(path: Path) -> list[PredictionInput]:
    if not path.exists():
        raise DataError("there is no such input", where=path, expected="an image, a folder of images, or a video")
    return [_of_sequence(sequence, path) for sequence in recognise(path).sequences_to_predict()]


def _of_sequence(sequence: FrameSequence, path: Path) -> PredictionInput:
    root = path.resolve()
    own_name = path.is_file() or sequence.name == root.name
    # Names of images that end in numbers are those of a video's frames; others may be any stills.
    continuous = sequence.fps is not None or all(name[-1].isdecimal() for name in sequence.names)
    return PredictionInput(
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


def _with_different_names(sources: list[PredictionInput]) -> list[PredictionInput]:
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


def cropped_as_trained(source: PredictionInput, weights: LoadedWeights) -> PredictionInput:
    """The source, its frames cropped as those that the model was trained on, where they are of the same size.

    Other frames stay whole: nobody knows what of them would have to go. Cameras follow.
    """
    whole, sides = weights.camera, weights.config.crop_px
    if not sides or whole is None or source.first_size != (whole.width, whole.height):
        return source
    size = sides.size_of(whole.width, whole.height)

    def read() -> Iterator[UInt8[ndarray, "_h _w 3"]]:
        for image in source.read():
            if image.shape[:2] == (whole.height, whole.width):
                image, _ = crop(image, whole, sides)
            yield image

    def camera_for(width: int, height: int) -> Camera | None:
        if (width, height) != size:
            return source.camera_for(width, height)
        return (source.camera_for(whole.width, whole.height) or whole).cropped(sides)

    return replace(source, read=read, first_size=size, camera_for=camera_for)
