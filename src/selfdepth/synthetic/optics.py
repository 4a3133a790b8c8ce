"""How a camera looks at the rendered street: the direction of every sample, and where in the image a surface may show.

Along the direction d of a sample, a plane has the inverse depth w, which is linear in d, and so are u w and v w of a
quad on it. That holds for any lens, however it bends straight lines in the image. A pinhole has the direction
d = K^-1 (column, row, 1); any other lens has a table of directions (`lens_optics`). No image is resampled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.ray_depth import DepthIs

NEAR_M = 0.4
FAR_M = 220.0
"""Depths between which surfaces are drawn; the ground ends at FAR_M, and what lies beyond is sky."""
SUPERSAMPLING = 2
"""Samples along each side of a pixel. With one, flickering edges would disturb the photometric error."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The samples of an image, and linear functions of their directions.

    Attributes:
        x, y: first two coordinates of the samples; arrays that broadcast to h w.
        z: the third; None where it is 1.
        slopes: change of the coordinates per pixel along the columns and along the rows; None for a pinhole, whose
            coordinates are the pixel's.
        valid: where the lens sees anything; None for everywhere.
    """

    x: Float[ndarray, "#h #w"]
    y: Float[ndarray, "#h #w"]
    z: Float[ndarray, "h w"] | None = None
    slopes: Float[ndarray, "2 3 h w"] | None = None
    valid: Bool[ndarray, "h w"] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of samples."""
        return self.y.shape[0], self.x.shape[1]

    def plane(self, c: Float[ndarray, "3"]) -> Float[ndarray, "h w"]:
        """A linear function of all samples: c0 x + c1 y + c2 z."""
        return np.asarray(c[0] * self.x + (c[1] * self.y + (c[2] if self.z is None else c[2] * self.z)))

    def planes(self, c: Float[ndarray, "n 3"], rows: slice, columns: slice) -> Float[ndarray, "n _h _w"]:
        """As `plane`, several linear functions of the samples of some rows and columns."""
        x = self.x[rows if self.x.shape[0] > 1 else slice(None), columns]
        y = self.y[rows, columns if self.y.shape[1] > 1 else slice(None)]
        c0, c1, c2 = c.T[..., None, None]
        return np.asarray(c0 * x + (c1 * y + (c2 if self.z is None else c2 * self.z[rows, columns])))

    def at(self, rows: Int[ndarray, "m"], columns: Int[ndarray, "m"]) -> Points:
        """Single samples."""
        x, y = (np.broadcast_to(each, self.shape)[rows, columns] for each in (self.x, self.y))
        return Points(
            x=x,
            y=y,
            z=None if self.z is None else self.z[rows, columns],
            slopes=None if self.slopes is None else self.slopes[:, :, rows, columns],
        )


@dataclass(frozen=True, kw_only=True)
class Points:
    """Single samples of a grid; attributes as there."""

    x: Float[ndarray, "m"]
    y: Float[ndarray, "m"]
    z: Float[ndarray, "m"] | None
    slopes: Float[ndarray, "2 3 m"] | None

    def value(self, c: Float[ndarray, "*m 3"]) -> Float[ndarray, "m"]:
        """A linear function of each sample, with coefficients of its own or common ones."""
        return np.asarray(
            c[..., 0] * self.x + c[..., 1] * self.y + (c[..., 2] if self.z is None else c[..., 2] * self.z)
        )

    def slope(self, c: Float[ndarray, "*m 3"], axis: int) -> Float[ndarray, "*_m"]:
        """The change of `value` per pixel along the columns (axis 0) or the rows (axis 1); one for all if it is."""
        if self.slopes is None:
            return np.asarray(c[..., axis])
        return np.asarray(sum(c[..., i] * self.slopes[axis, i] for i in range(3)))


class Optics(ABC):
    """A camera as the renderer needs it.

    Attributes:
        camera: the camera.
        to_directions: 3x3 matrix from the coordinates of a sample to a direction in the camera's frame.
        depth_is: whether depth is along z, or the distance along the ray.
    """

    camera: Camera
    to_directions: Float[ndarray, "3 3"]
    depth_is: DepthIs

    @abstractmethod
    def grid(self, supersampling: int) -> Grid:
        """The samples, 1 or SUPERSAMPLING along each side of a pixel; with 1, a sample is the centre of its pixel."""

    @abstractmethod
    def depth(self, inverse_depth: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
        """Depth of the pixels in metres, as `depth_is` says, from the inverse depth at the centres of the pixels."""

    @abstractmethod
    def distances(self, corners: Float[ndarray, "n 4 3"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
        """Bounds of 1 / w on each parallelogram: none of its points is nearer, none farther."""

    @abstractmethod
    def boxes(self, corners: Float[ndarray, "n 4 3"]) -> Float[ndarray, "n 4"]:
        """Columns x0, x1 and rows y0, y1 in pixels, outside which a parallelogram cannot show."""

    @abstractmethod
    def extents(self, corners: Float[ndarray, "n 4 3"], boxes: Float[ndarray, "n 4"]) -> Float[ndarray, "n 2"]:
        """Width and height in pixels of each whole parallelogram."""


class PinholeOptics(Optics):
    """A pinhole: the coordinates of a sample are its pixel (column, row, 1), and w = 1 / z."""

    depth_is: DepthIs = "z"

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.to_directions = np.linalg.inv(camera.matrix())

    def grid(self, supersampling: int) -> Grid:
        """See the base class."""
        xs, ys = sample_positions(self.camera, supersampling)
        return Grid(x=xs[None], y=ys[:, None])

    def depth(self, inverse_depth: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
        """See the base class."""
        return np.asarray(1 / inverse_depth)

    def distances(self, corners: Float[ndarray, "n 4 3"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
        """See the base class."""
        return corners[..., 2].min(axis=1), corners[..., 2].max(axis=1)

    def boxes(self, corners: Float[ndarray, "n 4 3"]) -> Float[ndarray, "n 4"]:
        """Bounding boxes, in pixels, of those parts of parallelograms that lie beyond NEAR_M.

        Corners behind the camera have no projection: where an edge crosses NEAR_M, the crossing takes the corner's
        place.
        """
        camera = self.camera
        following = np.roll(corners, -1, axis=1)
        step = following[..., 2] - corners[..., 2]
        part = (NEAR_M - corners[..., 2]) / np.where(step == 0, 1, step)
        crossing = corners + part[..., None] * (following - corners)
        crosses = (step != 0) & (part > 0) & (part < 1)
        points = np.concatenate([corners, crossing], axis=1)
        valid = np.concatenate([corners[..., 2] >= NEAR_M, crosses], axis=1)
        z = np.where(valid, points[..., 2], 1.0)
        x, y = camera.fx * points[..., 0] / z + camera.cx, camera.fy * points[..., 1] / z + camera.cy
        return extremes(x, y, valid)

    def extents(self, corners: Float[ndarray, "n 4 3"], boxes: Float[ndarray, "n 4"]) -> Float[ndarray, "n 2"]:
        """See the base class."""
        return box_sizes(boxes)


def sample_positions(camera: Camera, supersampling: int) -> tuple[Float[ndarray, "w"], Float[ndarray, "h"]]:
    """Pixel coordinates of the columns and the rows of samples."""
    n = supersampling
    xs = ((np.arange(camera.width * n) + 0.5) / n - 0.5).astype(np.float64)
    ys = ((np.arange(camera.height * n) + 0.5) / n - 0.5).astype(np.float64)
    return xs, ys


def extremes(x: Float[ndarray, "n k"], y: Float[ndarray, "n k"], valid: Bool[ndarray, "n k"]) -> Float[ndarray, "n 4"]:
    """Smallest and largest x and y of the valid points of each row; inf and -inf where there is none."""
    low, high = np.where(valid, 0, np.inf), np.where(valid, 0, -np.inf)
    sides = (x + low).min(1), (x + high).max(1), (y + low).min(1), (y + high).max(1)
    return np.stack(sides, axis=1)


def box_sizes(boxes: Float[ndarray, "n 4"]) -> Float[ndarray, "n 2"]:
    """Width and height of boxes given as x0, x1, y0, y1."""
    return np.stack([boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]], axis=1)
