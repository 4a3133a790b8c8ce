"""Follow points of one image through its neighbours (Lucas and Kanade, IJCAI 1981), led by depth and motion.

What a network believes of depth and motion says where a point goes, whatever it believes of the focal length: all of
them are fitted to the same images. Its belief is good to a pixel or two; the patch around the point then finds the
place in the other image to a tenth of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.ndimage import gaussian_filter, map_coordinates

from selfdepth.geometry.camera import Camera

_HALF = 4
"""A patch has 9 x 9 pixels."""
_CELL = 6
"""At most one corner in each square of this many pixels, so that they lie all over the image."""
_BORDER = _HALF + 1
_ITERATIONS = 12
_LEAST_CORRELATION = 0.9
"""Below, the patch is another one: covered, or out of the image."""
_LARGEST_ERROR_PX = 2.0
"""Further off what depth and motion say, it is a mistake, or something that moves."""
_LARGEST_ZOOM = 3.0


@dataclass(frozen=True, kw_only=True)
class Window:
    """An image, the anchor, with its neighbours in time, and what is believed of them.

    Attributes:
        images: grey values; the anchor is image number `anchor`.
        T_image_anchor: motion from the anchor to each image. That to itself is the identity.
        points: where the pixels of the anchor are, in its camera's coordinates, in the unit of the motions; 0 where
            that is not known.
        camera: of all images, at their size.
    """

    images: Float[ndarray, "n h w"]
    anchor: int
    T_image_anchor: Float[ndarray, "n 4 4"]
    points: Float[ndarray, "h w 3"]
    camera: Camera


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Where points of an anchor were found in other images.

    Attributes:
        start_px: the points in the anchor.
        distance: of the points from the anchor's camera, as believed.
        T_image_anchor: motion from the anchor to each of the other images, as believed.
        image, point, found_px: for each time that a point was found: in which of them, which point, and where.
    """

    start_px: Float[ndarray, "points 2"]
    distance: Float[ndarray, "points"]
    T_image_anchor: Float[ndarray, "images 4 4"]
    image: Int[ndarray, "found"]
    point: Int[ndarray, "found"]
    found_px: Float[ndarray, "found 2"]


def follow(window: Window, *, most: int = 120) -> Tracks:
    """Follow corners of the anchor through the images before and after it, as far as each of them is seen.

    Args:
        most: number of corners to begin with. Those that are seen in fewer than a third of the images are left out.
    """
    start_px = corners(window.images[window.anchor], most)
    column, row = start_px.T.astype(int)
    points = window.points[row, column]
    has_depth = np.linalg.norm(points, axis=1) > 0
    start_px, points = start_px[has_depth], points[has_depth]
    found = [
        *_follow(window, start_px, points, range(window.anchor - 1, -1, -1)),
        *_follow(window, start_px, points, range(window.anchor + 1, len(window.images))),
    ]
    image, point = (np.array([each[i] for each in found], dtype=int) for i in (0, 1))
    found_px = np.array([each[2] for each in found]).reshape(-1, 2)
    times = np.bincount(point, minlength=len(start_px))
    often = times >= max(3, (len(window.images) - 1) // 3)
    kept = often[point]
    chosen, images = np.flatnonzero(often), np.unique(image[kept])
    return Tracks(
        start_px=start_px[chosen],
        distance=np.linalg.norm(points[chosen], axis=1),
        T_image_anchor=window.T_image_anchor[images],
        image=np.searchsorted(images, image[kept]),
        point=np.searchsorted(chosen, point[kept]),
        found_px=found_px[kept],
    )


def corners(image: Float[ndarray, "h w"], most: int) -> Float[ndarray, "n 2"]:
    """The places with the best gradients both ways (Shi and Tomasi, CVPR 1994), as (u, v), best first."""
    du, dv = gaussian_filter(image, 0.7, order=(0, 1)), gaussian_filter(image, 0.7, order=(1, 0))
    uu, uv, vv = (gaussian_filter(each, 1.5) for each in (du * du, du * dv, dv * dv))
    smaller = (uu + vv) / 2 - np.hypot((uu - vv) / 2, uv)  # eigenvalue
    smaller[:_BORDER], smaller[-_BORDER:], smaller[:, :_BORDER], smaller[:, -_BORDER:] = 0, 0, 0, 0
    best = []
    for top in range(0, image.shape[0], _CELL):
        for left in range(0, image.shape[1], _CELL):
            cell = smaller[top : top + _CELL, left : left + _CELL]
            v, u = np.unravel_index(int(cell.argmax()), cell.shape)
            if cell[v, u] > 0:
                best.append((float(cell[v, u]), left + int(u), top + int(v)))
    best.sort(reverse=True)
    return np.array([(u, v) for _, u, v in best[:most]], dtype=float).reshape(-1, 2)


def _follow(
    window: Window, start_px: Float[ndarray, "n 2"], points: Float[ndarray, "n 3"], order: range
) -> list[tuple[int, int, Float[ndarray, "2"]]]:
    """(image, point, place) from image to image, until the point is lost."""
    height, width = window.images.shape[1:]
    at, believed, alive = start_px, start_px, np.ones(len(start_px), dtype=bool)
    found = []
    for i in order:
        T = window.T_image_anchor[i]
        seen = points @ T[:3, :3].T + T[:3, 3]
        where, ahead = window.camera.project(seen)
        # The belief about the step only: what it was wrong about before is known by now.
        guess = at + np.where(ahead[:, None], where - believed, 0)
        believed = np.where(ahead[:, None], where, believed)
        zoom = np.linalg.norm(points, axis=1) / np.maximum(np.linalg.norm(seen, axis=1), 1e-9)
        zoom = zoom.clip(1 / _LARGEST_ZOOM, _LARGEST_ZOOM)
        place, correlation = _find(window.images[window.anchor], start_px, window.images[i], guess, zoom)
        alive &= ahead & (correlation > _LEAST_CORRELATION)
        alive &= np.linalg.norm(place - guess, axis=1) < _LARGEST_ERROR_PX
        alive &= ((place > _BORDER) & (place < [width - 1 - _BORDER, height - 1 - _BORDER])).all(axis=1)
        at = np.where(alive[:, None], place, guess)
        found += [(i, int(n), place[n]) for n in np.flatnonzero(alive)]
        if not alive.any():
            break
    return found


def _find(
    anchor: Float[ndarray, "h w"],
    start_px: Float[ndarray, "n 2"],
    image: Float[ndarray, "h w"],
    guess: Float[ndarray, "n 2"],
    zoom: Float[ndarray, "n"],
) -> tuple[Float[ndarray, "n 2"], Float[ndarray, "n"]]:
    """The places whose patches are like the anchor's, but for brightness and contrast; and how like (-1 to 1).

    The gradients are the anchor's (inverse compositional: Baker and Matthews, IJCV 2004), and computed once.
    """
    ones = np.ones(len(start_px))
    template, template_size = _centred(_patches(anchor, start_px, ones))
    du, dv = (
        _centred(_patches(anchor, start_px + half, ones) - _patches(anchor, start_px - half, ones))[0]
        for half in ((0.5, 0.0), (0.0, 0.5))
    )
    uu, uv, vv = (du * du).sum(1), (du * dv).sum(1), (dv * dv).sum(1)
    determinant = uu * vv - uv * uv + 1e-12
    place = guess
    for _ in range(_ITERATIONS):
        patch, size = _centred(_patches(image, place, zoom))
        missing = template - patch * (template_size / size)[:, None]
        u, v = (du * missing).sum(1), (dv * missing).sum(1)
        step = np.stack([vv * u - uv * v, uu * v - uv * u], axis=1) * (zoom / determinant)[:, None]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        place = place + step * np.minimum(1, 1 / np.maximum(length, 1e-9))
    patch, size = _centred(_patches(image, place, zoom))
    return place, (patch * template).sum(1) / (size * template_size)


def _patches(image: Float[ndarray, "h w"], at: Float[ndarray, "n 2"], zoom: Float[ndarray, "n"]) -> ndarray:
    v, u = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1].reshape(2, -1)
    where = at[:, None] + np.stack([u, v], axis=-1) * zoom[:, None, None]
    return np.asarray(map_coordinates(image, [where[..., 1], where[..., 0]], order=1, mode="nearest"))


def _centred(patches: Float[ndarray, "n pixels"]) -> tuple[ndarray, ndarray]:
    """Patches without their means, and what is left as a length."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred, np.linalg.norm(centred, axis=1) + 1e-6
