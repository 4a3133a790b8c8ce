"""Brings frames to the size of the network's input: crops, resizes or rectifies, and changes the camera with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.geometry.camera import FILTER, Camera, crop, resize
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.ray_depth import black_without_ray
from selfdepth.geometry.rectify import MOST_DEG, Rectification, rectification, view_of

_REDUCTIONS = (8, 4, 2)
"""Factors by which a JPEG decoder can shrink an image while decoding, for a fraction of the work. Largest first."""


@dataclass(frozen=True, kw_only=True)
class CropResize:
    """A crop, then a resize; or, of a camera with a lens, the rectified view of what the crop leaves.

    Attributes:
        width, height: size after both, pixels.
        crop: pixels to cut off first, counted at the frame's own size.
        rectify: whether frames of cameras with a lens become those of a pinhole camera.
    """

    width: int
    height: int
    crop: Crop = NO_CROP
    rectify: bool = False

    def __call__(self, image: UInt8[ndarray, "h w 3"], camera: Camera) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
        """Bring an image to this size, and its camera with it. Pixels without a ray come out black.

        Raises:
            DataError: where `crop` and `resize` do.
        """
        if self.rectifies(camera):
            table = self._rectification(camera)
            return table(image), table.view
        fitted, resized = resize(*crop(image, camera, self.crop), width=self.width, height=self.height)
        return black_without_ray(fitted, resized), resized

    def camera(self, camera: Camera) -> Camera:
        """The camera that `__call__` and `reduced` return, computed without an image."""
        cropped = camera.cropped(self.crop)
        if self.rectifies(camera):
            return view_of(cropped, self.width, self.height)
        return cropped.resized(self.width, self.height)

    def rectifies(self, camera: Camera) -> bool:
        """Whether the frames of a camera are rectified, and not only resized."""
        return self.rectify and not camera.is_pinhole

    def lost(self, camera: Camera) -> float:
        """The share of a frame's pixels, after the crop, that rectifying it loses."""
        return self._rectification(camera).lost if self.rectifies(camera) else 0.0

    def reduction(self, camera: Camera) -> int:
        """The factor (1, 2, 4 or 8) by which the decoder may shrink frames and still leave enough pixels to resize."""
        if self.rectifies(camera):
            return self._rectification(camera).reduction
        width, height = self.crop.size_of(camera.width, camera.height)
        spare = min(width / self.width, height / self.height)
        return next((reduction for reduction in _REDUCTIONS if reduction <= spare), 1)

    def reduced(self, image: UInt8[ndarray, "_h _w 3"], camera: Camera) -> tuple[UInt8[ndarray, "_h2 _w2 3"], Camera]:
        """As `__call__`, for an image that the decoder may have shrunk by `reduction`. `camera` has the full size."""
        if self.rectifies(camera) or image.shape[:2] == (camera.height, camera.width):
            return self(image, camera)
        # The crop in pixels of the smaller image may be fractional. Rounding it would move the principal point. The box
        # also leaves out the padding of a decoder that rounds odd sizes up.
        reduction, sides = self.reduction(camera), self.crop
        right, bottom = camera.width - sides.right, camera.height - sides.bottom
        box = (sides.left / reduction, sides.top / reduction, right / reduction, bottom / reduction)
        small = Image.fromarray(image).resize((self.width, self.height), FILTER, box=box)
        resized = self.camera(camera)
        return black_without_ray(np.asarray(small), resized), resized

    def describe_lenses(self, cameras: Iterable[Camera]) -> str | None:
        """A sentence: what happens to the frames of those of these cameras that have a lens; None if none has one."""
        lenses = [camera for camera in dict.fromkeys(cameras) if not camera.is_pinhole]
        if not lenses:
            return None
        names = " and ".join(dict.fromkeys(camera.lens.model for camera in lenses))
        if not self.rectify:
            return f"lens {names}: the frames stay as they are, and depth is the distance along the ray"
        tables = [self._rectification(camera) for camera in lenses]
        black, lost = max(table.black for table in tables), max(table.lost for table in tables)
        return (
            f"lens {names}: the frames are rectified, into a pinhole's view of {self.width}x{self.height}, {black:.0%} "
            f"of which is black; {lost:.1%} of the frames' pixels are lost"
            + (f", beyond {MOST_DEG:g} degrees from the axis or without a ray" if lost else "")
        )

    def _rectification(self, camera: Camera) -> Rectification:
        return rectification(camera, self.crop, self.width, self.height)
