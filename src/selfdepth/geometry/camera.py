"""The camera, and the operations that change an image and its camera together.

Conventions (docs/conventions.md): pixel centres are integers, (0, 0) is the first. Resizing by s maps
u' = (u + 1/2) s - 1/2; a horizontal flip maps u' = W - 1 - u.

Code that holds both an image and its camera changes them in one call, `resize`, `crop`, `flip` or `downscale`: a
forgotten principal point is the commonest silent bug of this method. `Camera.resized` and `Camera.cropped` are for a
camera without images (a calibration for another size), `resample` for images without a camera (network inputs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from selfdepth.errors import DataError
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.lens import PINHOLE, Lens, project, unproject

PixelConvention = Literal["center", "corner"]
FILTER = Image.Resampling.LANCZOS
"""Resampling filter of training and prediction alike: a network trained on one filter's sharpness expects it."""
MAX_ASPECT_ERROR = 0.01
"""Relative difference allowed between the aspects of image and camera: enough for rounding to whole pixels, too little
for a crop to pass as a resize."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera and the size of the image it belongs to.

    It looks along z; x is to the right, y is down. What `lens` puts at (x, y) of the normalised image plane is seen at
    the pixel (fx x + cx, fy y + cy).

    Attributes:
        fx, fy: focal lengths in pixels, finite and positive.
        cx, cy: principal point in pixels, finite (integer pixel centres).
        width, height: image size in pixels to which fx, fy, cx and cy refer.
        lens: a pinhole by default.

    Raises:
        DataError: for a focal length that is not positive and finite, a principal point that is not finite, or an
            empty size.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    lens: Lens = PINHOLE

    def __post_init__(self) -> None:
        for name in ("fx", "fy"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise DataError(
                    f"invalid focal length {name} of the camera",
                    expected="a positive number of pixels",
                    got=str(value),
                    fix="correct the calibration, or give --camera fx,fy,cx,cy",
                )
        if not (math.isfinite(self.cx) and math.isfinite(self.cy)):
            raise DataError(
                "invalid principal point of the camera",
                expected="two finite numbers of pixels",
                got=f"{self.cx}, {self.cy}",
                fix="correct the calibration, or give --camera fx,fy,cx,cy",
            )
        if self.width < 1 or self.height < 1:
            raise DataError(
                "invalid image size of the camera", expected="at least 1x1", got=f"{self.width}x{self.height}"
            )

    @staticmethod
    def from_fov(horizontal_deg: float, *, width: int, height: int) -> Camera:
        """A camera with square pixels and a centred principal point.

        Args:
            horizontal_deg: field of view in degrees, between 0 and 180, from the left edge of the first column to the
                right edge of the last.

        Raises:
            DataError: for any other field of view, or an empty size.
        """
        if not 0 < horizontal_deg < 180:
            raise DataError(
                "invalid field of view",
                expected="degrees between 0 and 180",
                got=str(horizontal_deg),
            )
        # The image spans -1/2 to width - 1/2, so its half-width is width / 2 and its middle (width - 1) / 2.
        focal_px = width / 2 / math.tan(math.radians(horizontal_deg) / 2)
        return Camera(fx=focal_px, fy=focal_px, cx=(width - 1) / 2, cy=(height - 1) / 2, width=width, height=height)

    @property
    def principal_point_inside(self) -> bool:
        """Whether the principal point lies inside the image, as it does in any image that was not cropped."""
        # Pixels extend half a pixel beyond their centres.
        return -0.5 <= self.cx <= self.width - 0.5 and -0.5 <= self.cy <= self.height - 0.5

    def matrix(self) -> Float[ndarray, "3 3"]:
        """K in pixels, float64."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    def has_aspect_of(self, width: int, height: int) -> bool:
        """Whether images of this size have the camera's aspect ratio, to 1 %. Most crops change it."""
        return abs((width / self.width) / (height / self.height) - 1) <= MAX_ASPECT_ERROR

    def resized(self, width: int, height: int) -> Camera:
        """The camera of its images after a resize to width x height: u' = (u + 1/2) s - 1/2."""
        if (width, height) == (self.width, self.height):
            return self  # the formula below could change the last bit, and a store would seem to be another one
        sx, sy = width / self.width, height / self.height
        cx, cy = (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5
        return replace(self, fx=self.fx * sx, fy=self.fy * sy, cx=cx, cy=cy, width=width, height=height)

    def cropped(self, sides: Crop) -> Camera:
        """The camera of its images after a crop. Raises DataError if nothing is left of them."""
        width, height = sides.size_of(self.width, self.height)
        return replace(self, cx=self.cx - sides.left, cy=self.cy - sides.top, width=width, height=height)

    def mirrored(self) -> Camera:
        """The camera of its images after a horizontal flip: u' = W - 1 - u."""
        return replace(self, cx=self.width - 1 - self.cx, lens=self.lens.mirrored())

    @property
    def is_pinhole(self) -> bool:
        """Whether straight lines are straight in its images: the lens does nothing."""
        return self.lens.is_pinhole

    def project(self, points: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "n 2"], Bool[ndarray, " n"]]:
        """The pixels (u, v) at which points in the camera's frame are seen, in the image or beside it.

        Returns:
            Pixels, float64, and whether the lens sees the point. The pixel of one that it does not see is finite, and
            says nothing.
        """
        x, y, z = torch.from_numpy(np.asarray(points, np.float64)).unbind(-1)
        x, y, seen = project(self.lens.model, self._lens_values(), x, y, z)
        return torch.stack([self.fx * x + self.cx, self.fy * y + self.cy], -1).numpy(), seen.numpy()

    def unproject(self, pixels: Float[ndarray, "n 2"]) -> tuple[Float[ndarray, "n 3"], Bool[ndarray, " n"]]:
        """The rays of pixels (u, v), in the image or beside it, in the camera's frame: the inverse of `project`.

        Returns:
            Unit rays, float64, and whether the lens has one there. Those of other pixels are finite, and say nothing.
        """
        u, v = torch.from_numpy(np.asarray(pixels, np.float64)).unbind(-1)
        *ray, seen = unproject(self.lens.model, self._lens_values(), (u - self.cx) / self.fx, (v - self.cy) / self.fy)
        return torch.stack(ray, -1).numpy(), seen.numpy()

    def rays(self) -> tuple[Float[ndarray, "h w 3"], Bool[ndarray, "h w"]]:
        """The unit rays of all pixel centres, and which pixels have one, as `unproject` returns them."""
        rows, columns = np.mgrid[: self.height, : self.width]
        rays, seen = self.unproject(np.stack([columns.ravel(), rows.ravel()], -1).astype(np.float64))
        return rays.reshape(self.height, self.width, 3), seen.reshape(self.height, self.width)

    def to_json(self) -> dict[str, Any]:
        """Its fields, for JSON; a pinhole has no entry `lens`."""
        values: dict[str, Any] = {name: getattr(self, name) for name in ("fx", "fy", "cx", "cy", "width", "height")}
        return values if self.lens == PINHOLE else {**values, "lens": self.lens.to_json()}

    @staticmethod
    def from_json(values: dict[str, Any]) -> Camera:
        """The inverse of `to_json`. Raises DataError, KeyError or TypeError for anything else."""
        return Camera(**{**values, "lens": Lens.from_json(values.get("lens"))})

    def _lens_values(self) -> list[Tensor]:
        return [torch.tensor(value, dtype=torch.float64) for value in self.lens.values]


def resize(
    image: UInt8[ndarray, "h w 3"], camera: Camera, *, width: int, height: int
) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
    """Resample an image (Lanczos, antialiased) to width x height, and its camera with it.

    Raises:
        DataError: if the image does not have the camera's size.
    """
    _check_size(image, camera)
    return resample(image, width, height), camera.resized(width, height)


def crop(
    image: Shaped[ndarray, "h w *channels"], camera: Camera, sides: Crop
) -> tuple[Shaped[ndarray, "_h _w *channels"], Camera]:
    """Cut pixels off the sides of an image or a depth map, and shift the principal point with it.

    Returns:
        A view of the image, and its camera.

    Raises:
        DataError: if the image does not have the camera's size, or nothing is left of it.
    """
    _check_size(image, camera)
    return image[sides.window(camera.width, camera.height)], camera.cropped(sides)


def resample(image: UInt8[ndarray, "h w 3"], width: int, height: int) -> UInt8[ndarray, "_h _w 3"]:
    """The pixels of `resize` for an image without a camera: the networks read pixels alone."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), FILTER))


def flip(
    images: Float[Tensor, "b *views 3 h w"], K: Float[Tensor, "b 3 3"]
) -> tuple[Float[Tensor, "b *views 3 h w"], Float[Tensor, "b 3 3"]]:
    """Mirror images left to right, and their cameras: cx' = W - 1 - cx. K is in pixels."""
    # The focal length keeps its sign: the flipped image is what an ordinary camera sees of a mirrored world. Motions
    # and the stereo partner are mirrored to match (se3.mirror).
    mirrored = K.clone()
    mirrored[:, 0, 2] = images.shape[-1] - 1 - K[:, 0, 2]
    return images.flip(-1), mirrored


def downscale(
    images: Float[Tensor, "b views 3 h w"], K: Float[Tensor, "b 3 3"], scale: int, convention: PixelConvention
) -> tuple[Float[Tensor, "b views 3 _h _w"], Float[Tensor, "b 3 3"]]:
    """Average images over blocks of 2^scale x 2^scale pixels, and scale their cameras with them.

    Args:
        K: intrinsics in pixels at the images' size.
        convention: "center" is exact for integer pixel centres. "corner" divides all of K by 2^scale, as published,
            which is off by half a coarse pixel less half a fine one.
    """
    if scale == 0:
        return images, K
    # The average of a block is centred on the block, which is where the half-pixel rule puts the coarse pixel.
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
            "the camera was given for another image size",
            expected=f"an image of {camera.width}x{camera.height}",
            got=f"{image.shape[1]}x{image.shape[0]}",
            fix="give --camera for the size of these frames, or sort frames of different sizes into folders",
        )
