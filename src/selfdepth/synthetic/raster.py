"""Draws one picture of the street: which surface each sample sees, then its colour.

The inverse depth w = 1/z of a plane is affine in the pixel, and so are u w and v w of a quad on it. A quad is
therefore nine numbers per picture, visibility is the largest w, and the footprint of a sample follows exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from selfdepth.geometry.camera import Camera
from selfdepth.synthetic.atlas import Atlas, sample, solid
from selfdepth.synthetic.objects import Quads
from selfdepth.synthetic.props import SKY_TOP_RAD
from selfdepth.synthetic.scene import Scene
from selfdepth.synthetic.textures import GROUND_HALF_WIDTH_M, GROUND_LENGTH_M

NEAR_M = 0.4
FAR_M = 220.0
SKY, GROUND = -2, -1
HAZE_RGB = np.array([200.0, 212.0, 224.0], np.float32)
HAZE_M = 420.0


@dataclass(frozen=True, kw_only=True)
class View:
    """Quads as one camera sees them.

    Attributes:
        planes: rows u w, v w and w of each quad as affine functions (per pixel column, per pixel row, constant).
        ground: the same for the ground plane, where u and v are X and Z relative to the camera, metres.
        boxes: pixel columns x0, x1 and rows y0, y1 that can see each quad.
        order: the quads that can be seen, near ones first.
        nearest_m: depth of each quad's nearest corner.
    """

    planes: Float[ndarray, "n 3 3"]
    ground: Float[ndarray, "3 3"]
    boxes: Float[ndarray, "n 4"]
    order: Int[ndarray, "k"]
    nearest_m: Float[ndarray, "n"]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What each sample of a picture sees: its surface (a quad's number, GROUND or SKY) and 1 / depth."""

    surface: Int[ndarray, "h w"]
    inverse_depth: Float[ndarray, "h w"]
    xs: Float[ndarray, "w"]
    ys: Float[ndarray, "h"]


def look(quads: Quads, T_world_camera: Float[ndarray, "4 4"], camera: Camera) -> View:
    """Project all quads; T_world_camera is in ground coordinates."""
    rotation, centre = T_world_camera[:3, :3], T_world_camera[:3, 3]
    inverse_K = np.linalg.inv(camera.matrix())
    origin, u, v = (quads.origin - centre) @ rotation, quads.edge_u @ rotation, quads.edge_v @ rotation
    frames = np.stack([u, v, origin], axis=-1)
    usable = abs(np.linalg.det(frames)) > 1e-6
    frames[~usable] = np.eye(3)
    planes = np.linalg.inv(frames) @ inverse_K
    corners = np.stack([origin, origin + u, origin + u + v, origin + v], axis=1)
    boxes = _boxes(corners, camera)
    inside = (boxes[:, 0] < camera.width) & (boxes[:, 1] > -1) & (boxes[:, 2] < camera.height) & (boxes[:, 3] > -1)
    near_enough = (corners[..., 2].min(axis=1) < FAR_M) & (corners[..., 2].max(axis=1) > NEAR_M)
    order = np.nonzero(usable & inside & near_enough)[0]
    nearest_m = np.maximum(corners[..., 2].min(axis=1), NEAR_M)
    order = order[np.argsort(nearest_m[order], kind="stable")]
    level = np.stack([rotation[0], rotation[2], -centre[1] * rotation[1]], axis=-1)
    return View(planes=planes, ground=np.linalg.inv(level) @ inverse_K, boxes=boxes, order=order, nearest_m=nearest_m)


def _boxes(corners: Float[ndarray, "n 4 3"], camera: Camera) -> Float[ndarray, "n 4"]:
    """Bounding boxes in pixels of the parts of parallelograms that lie beyond NEAR_M."""
    following = np.roll(corners, -1, axis=1)
    step = following[..., 2] - corners[..., 2]
    part = (NEAR_M - corners[..., 2]) / np.where(step == 0, 1, step)
    crossing = corners + part[..., None] * (following - corners)
    crosses = (step != 0) & (part > 0) & (part < 1)
    points = np.concatenate([corners, crossing], axis=1)
    valid = np.concatenate([corners[..., 2] >= NEAR_M, crosses], axis=1)
    z = np.where(valid, points[..., 2], 1.0)
    x, y = camera.fx * points[..., 0] / z + camera.cx, camera.fy * points[..., 1] / z + camera.cy
    low, high = np.where(valid, 0, np.inf), np.where(valid, 0, -np.inf)
    sides = (x + low).min(1), (x + high).max(1), (y + low).min(1), (y + high).max(1)
    return np.stack(sides, axis=1)


def trace(view: View, quads: Quads, atlas: Atlas, camera: Camera, supersampling: int) -> Samples:
    """Find the nearest surface of each of supersampling^2 samples a pixel; 1 is the pixel's centre."""
    n = supersampling
    xs = ((np.arange(camera.width * n) + 0.5) / n - 0.5).astype(np.float64)
    ys = ((np.arange(camera.height * n) + 0.5) / n - 0.5).astype(np.float64)
    g = view.ground[2]
    w = g[0] * xs[None] + (g[1] * ys + g[2])[:, None]
    grounded = w > 1 / FAR_M
    best = np.where(grounded, w, 1 / FAR_M)
    surface = np.where(grounded, GROUND, SKY).astype(np.int32)
    limits = np.array([len(xs), len(xs), len(ys), len(ys)])
    spans = np.clip((np.clip(view.boxes, -1e6, 1e6) + 0.5) * n - 0.5, -1, limits)
    for k in view.order:
        x0, x1, y0, y1 = spans[k]
        columns, rows = slice(max(0, int(np.ceil(x0))), int(x1) + 1), slice(max(0, int(np.ceil(y0))), int(y1) + 1)
        x, y = xs[columns], ys[rows, None]
        if x.size == 0 or y.size == 0 or best[rows, columns].min() >= 1 / view.nearest_m[k]:
            continue
        pu, pv, pw = view.planes[k]
        w = pw[0] * x + (pw[1] * y + pw[2])
        u = pu[0] * x + (pu[1] * y + pu[2])
        v = pv[0] * x + (pv[1] * y + pv[2])
        seen = (u >= 0) & (u <= w) & (v >= 0) & (v <= w) & (w > best[rows, columns]) & (w < 1 / NEAR_M)
        if quads.cutout[k] and seen.any():
            extent = (view.boxes[k, 1] - view.boxes[k, 0], view.boxes[k, 3] - view.boxes[k, 2])
            seen[seen] = solid(
                atlas, int(quads.texture[k]), u[seen] / w[seen], v[seen] / w[seen], (extent[0] * n, extent[1] * n)
            )
        np.copyto(best[rows, columns], w, where=seen)
        np.copyto(surface[rows, columns], k, where=seen)
    return Samples(surface=surface, inverse_depth=best, xs=xs, ys=ys)


def _footprint(plane: ndarray, uv: ndarray, w: ndarray, n: int) -> Float[ndarray, "2 m"]:
    """Extent of a sample in u and v: the derivative of (u w) / w by the pixel's column and row."""
    along_x = abs(plane[:, :2, 0].T - uv * plane[:, 2, 0])
    along_y = abs(plane[:, :2, 1].T - uv * plane[:, 2, 1])
    return np.asarray(np.maximum(along_x, along_y) / (w * n))


def shade(
    samples: Samples, view: View, quads: Quads, scene: Scene, T_world_camera: ndarray, shades: ndarray, n: int
) -> Float32[ndarray, "h w 3"]:
    """Colours from 0 to 255 of all samples.

    Args:
        shades: (X, Z, heading, half width, half length) of every car, which darkens the ground under it.
        n: samples along a pixel's side.
    """
    colours = np.zeros((*samples.surface.shape, 3), np.float32)
    _shade_quads(colours, samples, view, quads, scene.paint.atlas, n)
    _shade_ground(colours, samples, view, scene, (T_world_camera[:3, 3], shades), n)
    far = np.exp(-1 / (HAZE_M * samples.inverse_depth.astype(np.float32)))[..., None]
    colours = HAZE_RGB + (colours - HAZE_RGB) * far
    rows, columns = np.nonzero(samples.surface == SKY)
    colours[rows, columns] = _sky(scene.paint.sky, view, T_world_camera[1, 3], samples.xs[columns], samples.ys[rows])
    return colours


def _shade_quads(colours: ndarray, samples: Samples, view: View, quads: Quads, atlas: Atlas, n: int) -> None:
    rows, columns = np.nonzero(samples.surface >= 0)
    k = samples.surface[rows, columns]
    plane, w = view.planes[k], samples.inverse_depth[rows, columns]
    x, y = samples.xs[columns], samples.ys[rows]
    uv = np.stack([(plane[:, i, 0] * x + plane[:, i, 1] * y + plane[:, i, 2]) / w for i in range(2)])
    found = sample(atlas, quads.texture[k], uv, _footprint(plane, uv, w, n))
    colours[rows, columns] = found[:, :3] * quads.tint.astype(np.float32)[k]


def _shade_ground(
    colours: ndarray, samples: Samples, view: View, scene: Scene, place: tuple[ndarray, ndarray], n: int
) -> None:
    centre, shades = place
    rows, columns = np.nonzero(samples.surface == GROUND)
    x, y, w = samples.xs[columns], samples.ys[rows], samples.inverse_depth[rows, columns]
    g = view.ground
    flat = np.stack([(g[i, 0] * x + g[i, 1] * y + g[i, 2]) / w for i in range(2)])
    X, Z = flat[0] + centre[0], flat[1] + centre[2]
    s, d, index, stretch = scene.road.locate(X, Z)
    index = index.astype(np.int64)
    cos, sin = np.cos(scene.road.heading_rad)[index], np.sin(scene.road.heading_rad)[index]
    extent = np.zeros((2, len(w)))
    for axis in range(2):
        by_x, by_z = ((g[i, axis] - flat[i] * g[2, axis]) / (w * n) for i in range(2))
        extent[0] = np.maximum(extent[0], abs(by_x * sin + by_z * cos) * stretch)
        extent[1] = np.maximum(extent[1], abs(by_x * cos - by_z * sin))
    # Beyond the painted strip the garden goes on, folded back and forth.
    over = np.maximum(abs(d) - 19.0, 0)
    d = np.sign(d) * (np.minimum(abs(d), 19.0) - abs((over + 7.0) % 14.0 - 7.0))
    size = np.array([[GROUND_LENGTH_M], [2 * GROUND_HALF_WIDTH_M]])
    uv = np.stack([s, d + GROUND_HALF_WIDTH_M]) / size
    found = sample(scene.paint.atlas, np.full(len(w), scene.paint.ground), uv, extent / size, wrap=True)[:, :3]
    colours[rows, columns] = found * _car_shade(X, Z, shades)[:, None]


def _car_shade(X: ndarray, Z: ndarray, shades: Float[ndarray, "c 5"]) -> Float32[ndarray, "m"]:
    """Light that is left on the ground: a soft dark rectangle under each car."""
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


def _sky(sky: ndarray, view: View, down_m: float, x: ndarray, y: ndarray) -> Float32[ndarray, "m 3"]:
    """The colour of the sky in the direction of each sample; it turns with the camera and never comes nearer."""
    # The rows of the ground's plane are the ray's X, its Z, and its Y over the camera's height.
    g = view.ground * np.array([[1.0], [1.0], [-down_m]])
    ray = [g[i, 0] * x + g[i, 1] * y + g[i, 2] for i in range(3)]
    azimuth = np.arctan2(ray[0], ray[1]) / (2 * np.pi) * sky.shape[1]
    elevation = np.arctan2(-ray[2], np.hypot(ray[0], ray[1]))
    row = np.clip((1 - elevation / SKY_TOP_RAD) * sky.shape[0] - 0.5, 0, sky.shape[0] - 1.001)
    i, j = row.astype(np.int64), np.floor(azimuth).astype(np.int64)
    fi, fj = (row - i).astype(np.float32)[:, None], (azimuth - j).astype(np.float32)[:, None]
    j0, j1 = j % sky.shape[1], (j + 1) % sky.shape[1]
    above = sky[i, j0] + (sky[i, j1] - sky[i, j0]) * fj
    below = sky[i + 1, j0] + (sky[i + 1, j1] - sky[i + 1, j0]) * fj
    return np.asarray(255 * (above + (below - above) * fi), np.float32)
