"""A lens in front of the rendered street: a table of directions, one for each sample of the image.

Nothing is drawn for another camera and resampled: colours are looked up where the ray of a sample meets a surface, over
the footprint that the lens gives it, and depth is exact at the centre of every pixel.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.rectify import MOST_DEG
from selfdepth.synthetic.optics import SUPERSAMPLING, Grid, Optics, box_sizes, extremes, sample_positions

_TILES = 32
"""Tiles along the longer side of an image, in which a surface is looked for before it is in samples."""


class LensOptics(Optics):
    """Any lens: the coordinates of a sample are its direction, scaled so that the largest of the three is 1 or -1.

    So scaled, w is 1 / z within 45 degrees of the axis, as for a pinhole, and goes on without a step to all sides.
    """

    def __init__(self, camera: Camera, view_rad: float | None) -> None:
        """
        Args:
            camera: its `unproject` gives the directions.
            view_rad: full angle of the circle outside which the image is black; None for all that the lens has.
        """
        self.camera, self._view_rad = camera, view_rad
        self.to_directions = np.eye(3)
        self._grids = {n: self._table(n) for n in (1, SUPERSAMPLING)}
        rays, seen = self._rays(*sample_positions(camera, 1))
        # Beyond what a pinhole can hold, z says ever less of a distance, and at 90 degrees nothing.
        self.depth_is = "z" if (rays[seen, 2] >= np.cos(np.radians(MOST_DEG))).all() else "ray"
        self._tile = max(8, -(-max(camera.width, camera.height) // _TILES))
        self._cones = self._bounding_cones()

    def grid(self, supersampling: int) -> Grid:
        """See the base class."""
        return self._grids[supersampling]

    def depth(self, inverse_depth: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
        """See the base class."""
        centres = self._grids[1]
        assert centres.z is not None
        length = centres.z if self.depth_is == "z" else np.sqrt(centres.x**2 + centres.y**2 + centres.z**2)
        return np.asarray(length / inverse_depth)

    def distances(self, corners: Float[ndarray, "n 4 3"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
        """Bounds of the largest coordinate, which 1 / w is here."""
        low, high = corners.min(axis=1), corners.max(axis=1)
        across = (low <= 0) & (high >= 0)
        nearest = np.where(across, 0, np.minimum(abs(low), abs(high))).max(axis=1)
        return nearest, abs(corners).max(axis=(1, 2))

    def boxes(self, corners: Float[ndarray, "n 4 3"]) -> Float[ndarray, "n 4"]:
        """The tiles that meet the pyramid from the camera through the parallelogram.

        Four planes through the camera bound the pyramid. A cone around a tile's rays meets a half-space with the inner
        normal n unless n is more than 90 degrees and the cone's half angle from its axis.
        """
        axes, sines, size = self._cones
        normals = np.cross(corners, np.roll(corners, -1, axis=1))
        inwards = np.sign(np.einsum("nij,nj->ni", normals, corners.mean(axis=1)))
        length = np.linalg.norm(normals, axis=-1)
        normals *= (inwards / np.where(length == 0, 1, length))[..., None]
        hit = np.ones((len(corners), axes.shape[1]), bool)
        for i in range(4):
            hit &= normals[:, i] @ axes >= -sines
        tiles: ndarray = hit.reshape(-1, *size)
        (y0, y1), (x0, x1) = (self._ends(np.any(tiles, axis=each)) for each in (2, 1))
        return np.stack([x0, x1, y0, y1], axis=1)

    def extents(self, corners: Float[ndarray, "n 4 3"], boxes: Float[ndarray, "n 4"]) -> Float[ndarray, "n 2"]:
        """Those of the corners' pixels; without bound where a corner has none, which is then near or beside us."""
        pixels, valid = self.camera.project(corners.reshape(-1, 3))
        seen: ndarray = valid.reshape(-1, 4)
        at_corners = box_sizes(extremes(pixels[:, 0].reshape(-1, 4), pixels[:, 1].reshape(-1, 4), seen))
        return np.where(np.all(seen, axis=1, keepdims=True), at_corners, 1e6)

    def _rays(self, xs: ndarray, ys: ndarray) -> tuple[Float[ndarray, "h w 3"], Bool[ndarray, "h w"]]:
        """Unit directions of pixel positions, 0 where the lens sees nothing, and whether it does."""
        pixels = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
        rays, valid = self.camera.unproject(pixels)
        if self._view_rad is not None:
            valid = valid & (rays[:, 2] >= np.cos(self._view_rad / 2))
        shape = len(ys), len(xs)
        return np.where(valid[:, None], rays, 0.0).reshape(*shape, 3), valid.reshape(shape)

    def _table(self, supersampling: int) -> Grid:
        rays, valid = self._rays(*sample_positions(self.camera, supersampling))
        scale = 1 / np.where(valid, abs(rays).max(axis=-1), 1.0)[..., None]
        slopes = np.stack([_slope(rays, valid, axis=axis) for axis in (1, 0)]) * supersampling
        x, y, z = np.moveaxis(rays * scale, -1, 0)
        # A change of d along d itself changes no u and v: how the scale varies from sample to sample does not matter.
        return Grid(x=x, y=y, z=z, slopes=np.moveaxis(slopes * scale, -1, 1), valid=valid)

    def _bounding_cones(self) -> tuple[Float[ndarray, "3 t"], Float[ndarray, "t"], tuple[int, int]]:
        """Of each tile, the axis and the sine of the half angle of a cone around its rays, and the numbers of tiles.

        A tile that sees nothing has a sine of -2, which no product reaches.
        """
        rows, columns = -(-self.camera.height // self._tile), -(-self.camera.width // self._tile)
        axes, sines = np.zeros((3, rows * columns)), np.full(rows * columns, -2.0)
        for number in range(rows * columns):
            row, column = divmod(number, columns)
            inside = []
            for n, grid in self._grids.items():
                part = (
                    slice(row * self._tile * n, (row + 1) * self._tile * n),
                    slice(column * self._tile * n, (column + 1) * self._tile * n),
                )
                assert grid.z is not None and grid.valid is not None
                inside.append(np.stack([grid.x[part], grid.y[part], grid.z[part]], axis=-1)[grid.valid[part]])
            rays = np.concatenate(inside)
            if len(rays) > 0:
                rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
                axis = rays.mean(axis=0)
                axes[:, number] = axis / np.linalg.norm(axis)
                cosine = np.clip((rays @ axes[:, number]).min(), 0, 1)
                sines[number] = np.sqrt(1 - cosine**2) + 1e-6
        return axes, sines, (rows, columns)

    def _ends(self, hit: Bool[ndarray, "n t"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
        """Pixels from the first to the last tile of each row that is hit; from inf to -inf if none is."""
        first, last = hit.argmax(axis=1), hit.shape[1] - hit[:, ::-1].argmax(axis=1)
        some = hit.any(axis=1)
        return np.where(some, first * self._tile - 0.5, np.inf), np.where(some, last * self._tile - 0.5, -np.inf)


def _slope(rays: Float[ndarray, "h w 3"], valid: Bool[ndarray, "h w"], *, axis: int) -> Float[ndarray, "h w 3"]:
    """Change of the direction from sample to sample along an axis: between both neighbours, or to one at the rim."""
    rays, valid = np.moveaxis(rays, axis, 0), np.moveaxis(valid, axis, 0)
    both = (valid[1:] & valid[:-1])[..., None]
    step = np.diff(rays, axis=0) * both
    total, width = np.zeros_like(rays), np.zeros((*valid.shape, 1))
    for side in (slice(1, None), slice(None, -1)):
        total[side] += step
        width[side] += both
    return np.moveaxis(total / np.maximum(width, 1), 0, axis)
