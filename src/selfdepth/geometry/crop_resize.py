"""How frames are brought to the size at which networks see them: cropped, then resized, and their camera with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.geometry.camera import FILTER, Camera, crop, resize
from selfdepth.geometry.crop import NO_CROP, Crop

_REDUCTIONS = (8, 4, 2)
"""At which JPEGs can be decoded at a fraction of the work."""


@dataclass(frozen=True, kw_only=True)
class CropResize:
    """A crop, then a size.

    Attributes:
        width, height: size after it, pixels.
        crop: pixels cut off before resizing.
    """

    width: int
    height: int
    crop: Crop = NO_CROP

    def __call__(self, image: UInt8[ndarray, "h w 3"], camera: Camera) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
        """Crop and resize an image, and its camera with it. Raises DataError as `crop` and `resize`."""
        return resize(*crop(image, camera, self.crop), width=self.width, height=self.height)

    def camera(self, camera: Camera) -> Camera:
        """The camera that `__call__` and `reduced` give, without an image."""
        return camera.cropped(self.crop).resized(self.width, self.height)

    def reduction(self, camera: Camera) -> int:
        """By how much frames may be decoded smaller: as far as they stay at least as large as wanted."""
        width, height = self.crop.size_of(camera.width, camera.height)
        spare = min(width / self.width, height / self.height)
        return next((reduction for reduction in _REDUCTIONS if reduction <= spare), 1)

    def reduced(self, image: UInt8[ndarray, "_h _w 3"], camera: Camera) -> tuple[UInt8[ndarray, "_h2 _w2 3"], Camera]:
        """As `__call__`, for an image that may have been decoded at 1/`reduction` of its camera's size."""
        if image.shape[:2] == (camera.height, camera.width):
            return self(image, camera)
        # The crop in pixels of the smaller image: fractions of a pixel are kept, so that the camera stays exact.
        reduction, sides = self.reduction(camera), self.crop
        right, bottom = camera.width - sides.right, camera.height - sides.bottom
        box = (sides.left / reduction, sides.top / reduction, right / reduction, bottom / reduction)
        small = Image.fromarray(image).resize((self.width, self.height), FILTER, box=box)
        return np.asarray(small), self.camera(camera)
