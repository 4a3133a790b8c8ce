"""The pinhole camera, and the operations that change an image and its camera together.

Conventions (docs/conventions.md): pixel centres are integers, (0, 0) is the first. Resizing by s maps
u' = (u + 1/2) s - 1/2; a horizontal flip maps u' = W - 1 - u. There is no call that changes the image or the
camera alone: a forgotten principal point is the commonest silent bug of this method.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from selfdepth.errors import DataError

PixelConvention = Literal["center", "corner"]


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


def resize(
    image: UInt8[ndarray, "h w 3"], camera: Camera, *, width: int, height: int
) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
    """Resample an image (Lanczos, antialiased) to width x height, and its camera with it."""
    _check_size(image, camera)
    sx, sy = width / camera.width, height / camera.height
    resized = Camera(
        fx=camera.fx * sx,
        fy=camera.fy * sy,
        cx=(camera.cx + 0.5) * sx - 0.5,
        cy=(camera.cy + 0.5) * sy - 0.5,
        width=width,
        height=height,
    )
    if (width, height) == (camera.width, camera.height):
        return image, resized
    pixels = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
    return pixels, resized


def crop(
    image: UInt8[ndarray, "h w 3"], camera: Camera, *, top: int, bottom: int, left: int, right: int
) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
    """Cut that many pixels off each side of an image, and move its principal point with it."""
    _check_size(image, camera)
    width, height = camera.width - left - right, camera.height - top - bottom
    if min(top, bottom, left, right) < 0 or width < 1 or height < 1:
        raise DataError(
            "the crop leaves nothing of the image",
            where="--crop top,bottom,left,right",
            expected=f"pixels to cut off each side of {camera.width}x{camera.height}",
            got=f"{top},{bottom},{left},{right}",
        )
    cropped = Camera(fx=camera.fx, fy=camera.fy, cx=camera.cx - left, cy=camera.cy - top, width=width, height=height)
    return image[top : camera.height - bottom, left : camera.width - right], cropped


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
