"""Frames without what was cut off at training: a model knows the rest alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.geometry.camera import Camera, crop
from selfdepth.inference.save import FrameSource
from selfdepth.weights.files import LoadedWeights


def cropped_as_trained(source: FrameSource, weights: LoadedWeights) -> FrameSource:
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
