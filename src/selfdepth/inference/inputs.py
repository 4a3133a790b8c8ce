"""The inputs of `predict`: images, folders, videos and any other data source, as frames in order."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameSequence, find_gaps
from selfdepth.data.readers.bags import BagSequence
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.file_kinds import TEXT, file_kind, is_image
from selfdepth.data.readers.images import ImageSequence
from selfdepth.data.readers.levels import levels_of_files
from selfdepth.data.readers.pictures import image_size, read_image
from selfdepth.data.sources.choices import refuse_choices
from selfdepth.data.sources.one_camera import require_camera_of_sizes
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, crop
from selfdepth.inference.pixels import require_large_enough
from selfdepth.places import path_of
from selfdepth.weights.models import DepthModel


def no_camera(width: int, height: int) -> Camera | None:
    """The `camera_for` of inputs without a given camera. The predictor then takes the model's, if it fits."""
    return None


_HINTS = (
    (re.compile(r"(?:^|/)[A-Za-z][\w+.-]+:/"), "download it first: nothing is read from addresses"),
    (re.compile(r"[\"']$"), "write the path without quotes"),
    (re.compile(r"[*?\[]"), "name each path: in a list, patterns are not expanded"),
    (re.compile(r"\$"), "write the path out: in a list, variables are not expanded"),
    (re.compile(r"\\"), "write / between folders"),
)
"""What a path that does not exist may have been meant as, by a mark in it."""


@dataclass(frozen=True, kw_only=True)
class PredictionInput:
    """Frames to predict, in order.

    Attributes:
        name: unique among the inputs; names the folder of its results where each input gets its own.
        names: output names of the frames, all different.
        read: starts decoding; yields RGB frames, one per name.
        first_size: width and height of the first frame, pixels.
        rate: frames per second of the video that `--save mp4` writes.
        continuous: whether the frames follow each other in time. If so, the colour range is smoothed over them, and the
            camera can be followed.
        gaps: where frames are missing, as (number before, number after). The camera cannot be followed across them.
        camera_for: maps width and height of a frame to its intrinsics, or to None if they are unknown.
        times_s: time of each frame in seconds, increasing; None if unknown.
        files: the files of the frames, which results must not overwrite.
        any_size: whether the files are images that may differ in size from the first.
        own_camera: that of frames of the first size, where the data is calibrated: what tells others where the pixels
            are. None if it is not known.
        bag: the topic of a ROS bag that the frames are from; else None.
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
    any_size: bool = False
    own_camera: Camera | None = None
    bag: BagSequence | None = None

    def sizes(self) -> Iterator[tuple[tuple[int, int], str]]:
        """Width and height in pixels of every frame that may have a size of its own, with its name."""
        if not self.any_size:
            yield self.first_size, self.name
            return
        for file in self.files:
            with suppress(DataError):  # what cannot be read is reported when the frames are
                yield image_size(file), str(file)

    def place(self, index: int) -> str:
        """Where a frame comes from, for errors: its file, or its name in its video."""
        alone = len(self.files) == len(self.names)
        return str(self.files[index]) if alone else f"frame {self.names[index]} of {self.name}"

    def seconds_from_start(self, index: int) -> float | None:
        """Seconds from the first frame to another; None if the times are unknown."""
        return None if self.times_s is None else self.times_s[index] - self.times_s[0]


def open_inputs(
    inputs: tuple[str, ...], *, camera: str | None, stream: int | None = None, topic: str | None = None
) -> list[PredictionInput]:
    """Open all inputs, in their order, under unique names. Images that are named one by one form one input, the first.

    Args:
        inputs: images, folders of images (or of such folders), videos, or roots of other known data.
        camera: in any form that `parse_camera` reads, for frames of every size; None: unknown.
        stream: number of the video stream to take of each input; None: the one with the most frames.
        topic: name of the topic of a bag to take of each input; None: that of its only camera.

    Raises:
        ConfigError: for a stream of an input that is no video, or a topic of one that is no bag.
        DataError: for an input that is missing, empty, too small or of no known kind, or an invalid camera.
    """
    paths = [path_of(path) for path in inputs]
    # One input, so that they share the batches of the network.
    images = [path for path in paths if path.is_file() and is_image(path)]
    if images:
        refuse_choices(str(images[0]), stream=stream, topic=topic)
    sources = [_single_images(images)] if images else []
    for path in paths:
        if path not in images:
            sources += _open(path, stream, topic)
    for source in sources:
        require_large_enough(*source.first_size, where=source.place(0))
    if camera is not None:
        sources = _with_camera(camera, sources)
    return _with_unique_names(sources)


def _with_camera(camera: str, sources: list[PredictionInput]) -> list[PredictionInput]:
    """The inputs with one camera for all. Raises DataError, before the model is loaded, if it cannot be used."""
    camera_for = functools.cache(lambda width, height: parse_camera(camera, width=width, height=height))
    camera_for(*sources[0].first_size)
    first_of: dict[tuple[int, int], str] = {}
    for source in sources:
        for size, name in source.sizes():
            first_of.setdefault(size, name)
    require_camera_of_sizes(camera, first_of)
    for size in first_of:
        camera_for(*size)
    return [replace(source, camera_for=camera_for) for source in sources]


def _single_images(files: list[Path]) -> PredictionInput:
    """Images that are named one by one, and so need not follow each other in time."""
    levels = levels_of_files(files, where=files[0] if len(files) == 1 else Path(f"the {len(files)} images"))
    return PredictionInput(
        name="images",
        names=_unique([path.stem for path in files], [path.name for path in files]),
        read=lambda: (read_image(file, levels=levels) for file in files),
        first_size=image_size(files[0]),
        continuous=False,
        files=tuple(files),
        any_size=True,
    )


def _open(path: Path, stream: int | None, topic: str | None) -> list[PredictionInput]:
    if not path.exists():
        expected = "an image, a folder of images, a video, or a ROS bag"
        fix = next((hint for mark, hint in _HINTS if mark.search(str(path))), None)
        raise DataError("there is no such input", where=path, expected=expected, fix=fix)
    if path.is_file() and file_kind(path) is TEXT:
        raise DataError("a text is no input", where=path, fix="if it is a list of inputs, give --shard 1/1 with it")
    source = recognise(path, stream, topic)
    return [_from_sequence(sequence, path, source) for sequence in source.sequences_to_predict()]


def _from_sequence(sequence: FrameSequence, path: Path, source: DataSource) -> PredictionInput:
    root = path.resolve()
    bag = sequence if isinstance(sequence, BagSequence) else None
    # A bag knows it already; to ask the source would read its files once more.
    calibrated = bag.calibrated if bag is not None else source.camera_origin(None) == "calibration"
    own_name = path.is_file() or sequence.name == root.name
    # Images whose names are times or end in numbers are taken for the frames of a video; others may be stills of
    # different places.
    timed = sequence.fps is not None or sequence.times_s is not None
    continuous = timed or all(name[-1].isdecimal() for name in sequence.names)
    return PredictionInput(
        name=sequence.name if own_name else f"{root.name}_{sequence.name.replace('/', '_')}",
        names=sequence.names,
        read=lambda: sequence.read(sequence.numbers),
        first_size=(sequence.camera.width, sequence.camera.height),
        rate=_rate(sequence),
        continuous=continuous,
        gaps=find_gaps(sequence.numbers) if continuous else (),
        times_s=sequence.times_s,
        files=sequence.files,
        any_size=isinstance(sequence, ImageSequence) and sequence.any_size,
        # Of a camera that comes with the data only the lens matters here: without it, frames are taken as they are.
        camera_for=no_camera if sequence.camera.is_pinhole else functools.partial(_resized, sequence.camera),
        own_camera=sequence.camera if calibrated else None,
        bag=bag,
    )


def _resized(camera: Camera, width: int, height: int) -> Camera | None:
    """A camera for frames of this size; None if it cannot be theirs."""
    return camera.resized(width, height) if camera.has_aspect_of(width, height) else None


def _rate(sequence: FrameSequence) -> Fraction:
    """Frames per second of the video of the results."""
    if sequence.fps is None:
        times = sequence.times_s
        # Images have no rate, unless their names are times; 10 is that of KITTI's cameras.
        mean = (len(times) - 1) / (times[-1] - times[0]) if times is not None and len(times) > 1 else 10.0
        return Fraction(min(max(mean, 1.0), 240.0)).limit_denominator(1001)
    # A video without a rate in its header plays at 25. The rate is a float here. This turns NTSC's 29.97 back into
    # 30000/1001; MPEG-4 refuses large denominators.
    return Fraction(sequence.fps or 25).limit_denominator(1001)


def _with_unique_names(sources: list[PredictionInput]) -> list[PredictionInput]:
    names = [source.name for source in sources]
    return [replace(source, name=name) for source, name in zip(sources, _unique(names, names), strict=True)]


def _unique(names: list[str], longer: list[str]) -> tuple[str, ...]:
    """The names made unique: the longer form where several are equal, with a number where those are equal too."""
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


def cropped_as_trained(source: PredictionInput, weights: DepthModel) -> PredictionInput:
    """The input with its frames cropped as at training, and their cameras with them.

    Only frames of the training frames' own size are cropped: the crop is in pixels of that size, and removes a bonnet
    or an overlay whose place in other frames is unknown. Inputs that begin with another size are returned unchanged.
    """
    whole, sides = weights.camera, weights.fit.crop
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

    own = None if source.own_camera is None else source.own_camera.cropped(sides)
    return replace(source, read=read, first_size=size, camera_for=camera_for, own_camera=own)
