"""The pinhole camera, and the operations that change an image and its camera together.

Conventions (docs/conventions.md): pixel centres are integers, (0, 0) is the first. Resizing by s maps
u' = (u + 1/2) s - 1/2; a horizontal flip maps u' = W - 1 - u.

Whatever has both an image and its camera changes them in one call, `resize`, `crop`, `flip` or `downscale`: a forgotten
principal point is the commonest silent bug of this method. `Camera.resized` and `Camera.cropped` are for a camera
without images (a calibration for another size), `resample` for images without a camera (what a network sees).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from selfdepth.errors import DataError
from selfdepth.geometry.crop import Crop

PixelConvention = Literal["center", "corner"]
FILTER = Image.Resampling.LANCZOS
"""With which images are resized, for training and for prediction."""
MAX_ASPECT_ERROR = 0.01
"""Share by which the aspect of images may differ from the camera's: rounding to whole pixels, but no crop."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """An ideal pinhole camera and the size of the image it belongs to.

    Attributes:
        fx, fy: focal lengths in pixels, finite and positive.
        cx, cy: principal point in pixels (integer pixel centres).
        width, height: size in pixels of the images that these numbers refer to.

    Raises:
        DataError: for a focal length that is zero, negative or not finite, a principal point that is not
            finite, or an empty size.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for name in ("fx", "fy"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise DataError(
                    f"the camera's focal length {name} cannot be used",
                    expected="a positive number of pixels",
                    got=str(value),
                    fix="correct the calibration, or give --camera fx,fy,cx,cy",
                )
        if not (math.isfinite(self.cx) and math.isfinite(self.cy)):
            raise DataError(
                "the camera's principal point cannot be used",
                expected="two finite numbers of pixels",
                got=f"{self.cx}, {self.cy}",
                fix="correct the calibration, or give --camera fx,fy,cx,cy",
            )
        if self.width < 1 or self.height < 1:
            raise DataError("the camera's image size is empty", got=f"{self.width}x{self.height}")

    @staticmethod
    def from_fov(horizontal_deg: float, *, width: int, height: int) -> Camera:
        """Square pixels, centred principal point, and a horizontal field of view in degrees (0 to 180)."""
        if not 0 < horizontal_deg < 180:
            raise DataError(
                "the field of view cannot be used",
                expected="degrees between 0 and 180",
                got=str(horizontal_deg),
            )
        focal_px = width / 2 / math.tan(math.radians(horizontal_deg) / 2)
        return Camera(fx=focal_px, fy=focal_px, cx=(width - 1) / 2, cy=(height - 1) / 2, width=width, height=height)

    @property
    def principal_point_inside(self) -> bool:
        """Whether the principal point lies inside the image, as it does for any uncropped camera."""
        return -0.5 <= self.cx <= self.width - 0.5 and -0.5 <= self.cy <= self.height - 0.5

    def matrix(self) -> Float[ndarray, "3 3"]:
        """K in pixels, float64."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    def has_aspect_of(self, width: int, height: int) -> bool:
        """Whether images of that size have the aspect of the camera's own, to 1 %; after a crop they have not."""
        return abs((width / self.width) / (height / self.height) - 1) <= MAX_ASPECT_ERROR

    def resized(self, width: int, height: int) -> Camera:
        """The camera of the same images resized to width x height: u' = (u + 1/2) s - 1/2."""
        if (width, height) == (self.width, self.height):
            return self
        sx, sy = width / self.width, height / self.height
        return Camera(
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
            width=width,
            height=height,
        )

    def cropped(self, sides: Crop) -> Camera:
        """The camera of what is left of the same images. Raises DataError if that is nothing."""
        width, height = sides.size_of(self.width, self.height)
        return replace(self, cx=self.cx - sides.left, cy=self.cy - sides.top, width=width, height=height)


def resize(
    image: UInt8[ndarray, "h w 3"], camera: Camera, *, width: int, height: int
) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
    """Resample an image (Lanczos, antialiased) to width x height, and its camera with it.

    Raises:
        DataError: if the image is not of the camera's size.
    """
    _check_size(image, camera)
    return resample(image, width, height), camera.resized(width, height)


def crop(
    image: Shaped[ndarray, "h w *channels"], camera: Camera, sides: Crop
) -> tuple[Shaped[ndarray, "_h _w *channels"], Camera]:
    """Cut pixels off the sides of an image or a depth map (a view of it), and move its principal point with it.

    Raises:
        DataError: if the image is not of the camera's size, or nothing is left of it.
    """
    _check_size(image, camera)
    return image[sides.window(camera.width, camera.height)], camera.cropped(sides)


def resample(image: UInt8[ndarray, "h w 3"], width: int, height: int) -> UInt8[ndarray, "_h _w 3"]:
    """The pixels that `resize` gives, for images whose camera is not known: networks see an image without it."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), FILTER))


def flip(
    images: Float[Tensor, "b *views 3 h w"], K: Float[Tensor, "b 3 3"]
) -> tuple[Float[Tensor, "b *views 3 h w"], Float[Tensor, "b 3 3"]]:
    """Mirror images left to right; the principal point becomes cx' = W - 1 - cx."""
    mirrored = K.clone()
    mirrored[:, 0, 2] = images.shape[-1] - 1 - K[:, 0, 2]
    return images.flip(-1), mirrored


def downscale(
    images: Float[Tensor, "b views 3 h w"], K: Float[Tensor, "b 3 3"], scale: int, convention: PixelConvention
) -> tuple[Float[Tensor, "b views 3 _h _w"], Float[Tensor, "b 3 3"]]:
    """Average images over blocks of 2^scale x 2^scale pixels, and their camera with them.

    Args:
        convention: "center" is exact for integer pixel centres; "corner" divides K by 2^scale as the
            published code does, which is half a pixel off at the coarser size.
    """
    if scale == 0:
        return images, K
    block = 2**scale
    small = F.avg_pool2d(images.flatten(0, 1), block)
    small = small.reshape(*images.shape[:3], *small.shape[-2:])
    K_small = K.clone()
    K_small[:, :2] = K[:, :2] / block
    if convention == "center":
        K_small[:, :2, 2] = (K[:, :2, 2] + 0.5) / block - 0.5
    return small, K_small


def _check_size(image: ndarray, camera: Camera) -> None:
    if image.shape[:2] != (camera.height, camera.width):
        raise DataError(
            "the camera belongs to images of another size",
            expected=f"{camera.width}x{camera.height}",
            got=f"{image.shape[1]}x{image.shape[0]}",
            fix="give --camera for the size of these frames, or sort frames of different sizes into folders",
        )
