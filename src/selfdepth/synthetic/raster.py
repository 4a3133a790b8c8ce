"""Draws one image of the street: first the surface that each sample hits, then its colour.

The inverse depth w of a plane is linear in the direction of a sample, and so are u w and v w of a quad on it. Nine
numbers per image therefore describe a quad, the visible surface is the one with the largest w, and the derivatives that
give the footprint of a sample follow from how the direction changes. `optics` knows the directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from selfdepth.synthetic.atlas import Atlas, sample, solid
from selfdepth.synthetic.objects import Quads
from selfdepth.synthetic.optics import FAR_M, NEAR_M, Grid, Optics, Points
from selfdepth.synthetic.props import SKY_TOP_RAD
from selfdepth.synthetic.scene import Scene
from selfdepth.synthetic.textures import GROUND_HALF_WIDTH_M, GROUND_LENGTH_M

SKY, GROUND = -2, -1
"""Surfaces that are not quads, in `Samples.surface`."""
HAZE_RGB = np.array([200.0, 212.0, 224.0], np.float32)
HAZE_M = 420.0
"""Distance over which haze leaves 1/e of a colour. It also hides the step at FAR_M."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Quads projected into one camera.

    Attributes:
        planes: u w, v w and w of each quad (rows) as linear functions of a sample's coordinates (columns).
        ground: the same for the ground plane, where u and v are X and Z relative to the camera, metres.
        boxes: bounding box of each quad in pixels: columns x0, x1, rows y0, y1.
        extents: width and height of each whole quad in pixels.
        order: indices of the quads that may be visible, nearest first.
        nearest_m: depth of the nearest corner of each quad, at least NEAR_M.
    """

    planes: Float[ndarray, "n 3 3"]
    ground: Float[ndarray, "3 3"]
    boxes: Float[ndarray, "n 4"]
    extents: Float[ndarray, "n 2"]
    order: Int[ndarray, "k"]
    nearest_m: Float[ndarray, "n"]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The surface that each sample of an image hits.

    Attributes:
        surface: index of the quad, or GROUND or SKY.
        inverse_depth: w, 1/m; of a pinhole 1 / z.
        grid: the samples.
    """

    surface: Int[ndarray, "h w"]
    inverse_depth: Float[ndarray, "h w"]
    grid: Grid


def project(quads: Quads, T_ground_camera: Float[ndarray, "4 4"], optics: Optics) -> View:
    """Project all quads, which are in ground coordinates, into the camera."""
    camera = optics.camera
    rotation, centre = T_ground_camera[:3, :3], T_ground_camera[:3, 3]
    origin, u, v = (quads.origin - centre) @ rotation, quads.edge_u @ rotation, quads.edge_v @ rotation
    frames = np.stack([u, v, origin], axis=-1)
    # A ray d meets the quad at d / w = origin + u edge_u + v edge_v: (u w, v w, w) = frames^-1 d. A quad seen edge-on
    # has no inverse and no area.
    usable = abs(np.linalg.det(frames)) > 1e-6
    frames[~usable] = np.eye(3)
    planes = np.linalg.inv(frames) @ optics.to_directions
    corners = np.stack([origin, origin + u, origin + u + v, origin + v], axis=1)
    boxes = optics.boxes(corners)
    inside = (boxes[:, 0] < camera.width) & (boxes[:, 1] > -1) & (boxes[:, 2] < camera.height) & (boxes[:, 3] > -1)
    nearest, farthest = optics.distances(corners)
    near_enough = (nearest < FAR_M) & (farthest > NEAR_M)
    order = np.nonzero(usable & inside & near_enough)[0]
    nearest_m = np.maximum(nearest, NEAR_M)
    # Nearest first, so that most quads behind others are skipped whole. Stable, so that equal depths keep their order.
    order = order[np.argsort(nearest_m[order], kind="stable")]
    # The same for the ground: the plane Y = 0 with unit edges along X and Z, its origin below the camera.
    level = np.stack([rotation[0], rotation[2], -centre[1] * rotation[1]], axis=-1)
    return View(
        planes=planes,
        ground=np.linalg.inv(level) @ optics.to_directions,
        boxes=boxes,
        extents=optics.extents(corners, boxes),
        order=order,
        nearest_m=nearest_m,
    )


def trace(view: View, quads: Quads, atlas: Atlas, optics: Optics, supersampling: int) -> Samples:
    """Find the nearest surface of each sample.

    Args:
        supersampling: samples along each side of a pixel; with 1, the sample is the centre of the pixel.
    """
    n = supersampling
    grid = optics.grid(n)
    height, width = grid.shape
    # The ground first, up to FAR_M; quads then replace it where they are nearer.
    w = grid.plane(view.ground[2])
    grounded = w > 1 / FAR_M
    best = np.where(grounded, w, 1 / FAR_M)
    surface = np.where(grounded, GROUND, SKY).astype(np.int32)
    limits = np.array([width, width, height, height])
    spans = np.clip((np.clip(view.boxes, -1e6, 1e6) + 0.5) * n - 0.5, -1, limits)
    for k in view.order:
        x0, x1, y0, y1 = spans[k]
        columns, rows = slice(max(0, int(np.ceil(x0))), int(x1) + 1), slice(max(0, int(np.ceil(y0))), int(y1) + 1)
        if best[rows, columns].size == 0 or best[rows, columns].min() >= 1 / view.nearest_m[k]:
            continue  # outside the image, or hidden behind nearer surfaces in its whole box
        u, v, w = grid.planes(view.planes[k], rows, columns)
        # u and v still carry the factor w, so that the quad spans 0 to w.
        visible = (u >= 0) & (u <= w) & (v >= 0) & (v <= w) & (w > best[rows, columns]) & (w < 1 / NEAR_M)
        if quads.cutout[k] and visible.any():
            extent = view.extents[k]
            u, v = u[visible] / w[visible], v[visible] / w[visible]
            visible[visible] = solid(atlas, int(quads.texture[k]), u, v, (extent[0] * n, extent[1] * n))
        np.copyto(best[rows, columns], w, where=visible)
        np.copyto(surface[rows, columns], k, where=visible)
    return Samples(surface=surface, inverse_depth=best, grid=grid)


def _footprint(points: Points, plane: ndarray, uv: ndarray, w: ndarray, n: int) -> Float[ndarray, "2 m"]:
    """Extent of a sample in u and v: the larger of the derivatives of (u w) / w by pixel column and by pixel row."""
    along_x, along_y = (
        abs(np.stack([points.slope(plane[:, i], axis) for i in range(2)]) - uv * points.slope(plane[:, 2], axis))
        for axis in range(2)
    )
    return np.asarray(np.maximum(along_x, along_y) / (w * n))


def shade(
    samples: Samples, view: View, quads: Quads, scene: Scene, T_ground_camera: ndarray, shades: ndarray, n: int
) -> Float32[ndarray, "h w 3"]:
    """Colours from 0 to 255 of all samples.

    Args:
        shades: (X, Z, heading, half width, half length) of every car, which darkens the ground below it.
        n: samples along each side of a pixel.
    """
    colours = np.zeros((*samples.surface.shape, 3), np.float32)
    _shade_quads(colours, samples, view, quads, scene.paint.atlas, n)
    _shade_ground(colours, samples, view, scene, (T_ground_camera[:3, 3], shades), n)
    # Distant colours fade into haze: brightness as a cue for distance, as in real streets.
    clear = np.exp(-1 / (HAZE_M * samples.inverse_depth.astype(np.float32)))[..., None]
    colours = HAZE_RGB + (colours - HAZE_RGB) * clear
    rows, columns = np.nonzero(samples.surface == SKY)
    colours[rows, columns] = _sky(scene.paint.sky, view, T_ground_camera[1, 3], samples.grid.at(rows, columns))
    if samples.grid.valid is not None:
        colours[~samples.grid.valid] = 0
    return colours


def _shade_quads(colours: ndarray, samples: Samples, view: View, quads: Quads, atlas: Atlas, n: int) -> None:
    rows, columns = np.nonzero(samples.surface >= 0)
    k = samples.surface[rows, columns]
    plane, w = view.planes[k], samples.inverse_depth[rows, columns]
    points = samples.grid.at(rows, columns)
    uv = np.stack([points.value(plane[:, i]) / w for i in range(2)])
    rgba = sample(atlas, quads.texture[k], uv, _footprint(points, plane, uv, w, n))
    colours[rows, columns] = rgba[:, :3] * quads.tint.astype(np.float32)[k]


def _shade_ground(
    colours: ndarray, samples: Samples, view: View, scene: Scene, place: tuple[ndarray, ndarray], n: int
) -> None:
    # The ground is no quad: its texture follows the bends of the road, so each point is looked up in road coordinates.
    centre, shades = place
    rows, columns = np.nonzero(samples.surface == GROUND)
    points, w = samples.grid.at(rows, columns), samples.inverse_depth[rows, columns]
    g = view.ground
    flat = np.stack([points.value(g[i]) / w for i in range(2)])
    X, Z = flat[0] + centre[0], flat[1] + centre[2]
    s, d, index, stretch = scene.road.locate(X, Z)
    index = index.astype(np.int64)
    # The footprint on the ground, turned from X and Z to along and across the road.
    cos, sin = np.cos(scene.road.heading_rad)[index], np.sin(scene.road.heading_rad)[index]
    extent = np.zeros((2, len(w)))
    for axis in range(2):
        by_x, by_z = ((points.slope(g[i], axis) - flat[i] * points.slope(g[2], axis)) / (w * n) for i in range(2))
        extent[0] = np.maximum(extent[0], abs(by_x * sin + by_z * cos) * stretch)
        extent[1] = np.maximum(extent[1], abs(by_x * cos - by_z * sin))
    # Beyond the painted strip the texture of the garden is mirrored back and forth, without a seam.
    over = np.maximum(abs(d) - 19.0, 0)
    d = np.sign(d) * (np.minimum(abs(d), 19.0) - abs((over + 7.0) % 14.0 - 7.0))
    size = np.array([[GROUND_LENGTH_M], [2 * GROUND_HALF_WIDTH_M]])
    uv = np.stack([s, d + GROUND_HALF_WIDTH_M]) / size
    rgb = sample(scene.paint.atlas, np.full(len(w), scene.paint.ground), uv, extent / size, wrap=True)[:, :3]
    colours[rows, columns] = rgb * _car_shade(X, Z, shades)[:, None]


def _car_shade(X: ndarray, Z: ndarray, shades: Float[ndarray, "c 5"]) -> Float32[ndarray, "m"]:
    """Factor on the light of each ground point: a soft dark rectangle under each car."""
    light = np.ones(len(X), np.float32)
    for x, z, heading, half_width, half_length in shades:
        near = np.nonzero((abs(X - x) < 4) & (abs(Z - z) < 4))[0]
        if len(near) == 0:
            continue
        ex, ez = X[near] - x, Z[near] - z
        cos, sin = np.cos(heading), np.sin(heading)
        side = abs(ex * cos - ez * sin) - half_width
        along = abs(ex * sin + ez * cos) - half_length
        dark = np.clip(0.6 - side / 0.5, 0, 1) * np.clip(0.6 - along / 0.5, 0, 1)
        light[near] *= 1 - 0.72 * dark
    return light


def _sky(sky: ndarray, view: View, down_m: float, points: Points) -> Float32[ndarray, "m 3"]:
    """The colour of the sky in the direction of each sample. Directions only: the sky is infinitely far away."""
    # The rows of view.ground are the ray's X, its Z, and its Y divided by the height of the camera.
    g = view.ground * np.array([[1.0], [1.0], [-down_m]])
    ray = [points.value(g[i]) for i in range(3)]
    azimuth = np.arctan2(ray[0], ray[1]) / (2 * np.pi) * sky.shape[1]
    elevation = np.arctan2(-ray[2], np.hypot(ray[0], ray[1]))
    row = np.clip((1 - elevation / SKY_TOP_RAD) * sky.shape[0] - 0.5, 0, sky.shape[0] - 1.001)
    i, j = row.astype(np.int64), np.floor(azimuth).astype(np.int64)
    fi, fj = (row - i).astype(np.float32)[:, None], (azimuth - j).astype(np.float32)[:, None]
    j0, j1 = j % sky.shape[1], (j + 1) % sky.shape[1]
    above = sky[i, j0] + (sky[i, j1] - sky[i, j0]) * fj
    below = sky[i + 1, j0] + (sky[i + 1, j1] - sky[i + 1, j0]) * fj
    return np.asarray(255 * (above + (below - above) * fi), np.float32)
