"""Brings frames to the size of the network's input: crops, then resizes, and changes the camera with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.geometry.camera import FILTER, Camera, crop, resize
from selfdepth.geometry.crop import NO_CROP, Crop

_REDUCTIONS = (8, 4, 2)
"""Factors by which a JPEG decoder can shrink an image while decoding, for a fraction of the work. Largest first."""


@dataclass(frozen=True, kw_only=True)
class CropResize:
    """A crop, then a resize.

    Attributes:
        width, height: size after both, pixels.
        crop: pixels to cut off first, counted at the frame's own size.
    """

    width: int
    height: int
    crop: Crop = NO_CROP

    def __call__(self, image: UInt8[ndarray, "h w 3"], camera: Camera) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
        """Crop and resize an image, and its camera with it. Raises DataError where `crop` and `resize` do."""
        return resize(*crop(image, camera, self.crop), width=self.width, height=self.height)

    def camera(self, camera: Camera) -> Camera:
        """The camera that `__call__` and `reduced` return, computed without an image."""
        return camera.cropped(self.crop).resized(self.width, self.height)

    def reduction(self, camera: Camera) -> int:
        """The factor (1, 2, 4 or 8) by which the decoder may shrink frames and still leave enough pixels to resize."""
        width, height = self.crop.size_of(camera.width, camera.height)
        spare = min(width / self.width, height / self.height)
        return next((reduction for reduction in _REDUCTIONS if reduction <= spare), 1)

    def reduced(self, image: UInt8[ndarray, "_h _w 3"], camera: Camera) -> tuple[UInt8[ndarray, "_h2 _w2 3"], Camera]:
        """As `__call__`, for an image that the decoder may have shrunk by `reduction`. `camera` has the full size."""
        if image.shape[:2] == (camera.height, camera.width):
            return self(image, camera)
        # The crop in pixels of the smaller image may be fractional. Rounding it would move the principal point. The box
        # also leaves out the padding of a decoder that rounds odd sizes up.
        reduction, sides = self.reduction(camera), self.crop
        right, bottom = camera.width - sides.right, camera.height - sides.bottom
        box = (sides.left / reduction, sides.top / reduction, right / reduction, bottom / reduction)
        small = Image.fromarray(image).resize((self.width, self.height), FILTER, box=box)
        return np.asarray(small), self.camera(camera)
