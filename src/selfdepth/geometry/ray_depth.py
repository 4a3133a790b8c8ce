"""Depth along z and along the ray: which pixels have a ray, and how one kind of depth becomes the other.

A point at the distance d along the unit ray r of its pixel has the depth z = d r_z. In arrays, 0 stands for no depth.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from numpy import ndarray

from selfdepth.geometry.camera import Camera

DepthIs = Literal["z", "ray"]
"""What a depth is: along the camera's axis z, or the distance along the ray of its pixel."""


def describe_depth_is(depth_is: DepthIs) -> str:
    """A phrase for what a model's depth is."""
    return "along z" if depth_is == "z" else "the distance along the ray of each pixel"


@lru_cache(maxsize=8)
def rays_of(camera: Camera) -> tuple[Float32[ndarray, "h w 3"], Bool[ndarray, "h w"]]:
    """`Camera.rays`, computed once for each camera; read-only."""
    rays, seen = camera.rays()
    rays = rays.astype(np.float32)
    rays.flags.writeable = seen.flags.writeable = False
    return rays, seen


def black_without_ray(image: UInt8[ndarray, "h w 3"], camera: Camera) -> UInt8[ndarray, "h w 3"]:
    """The image with its pixels black that no ray reaches: the inside of a lens must not count as scenery.

    That of a pinhole is returned as it is.
    """
    if camera.is_pinhole:
        return image
    seen = rays_of(camera)[1]
    return image if seen.all() else np.asarray(np.where(seen[..., None], image, np.uint8(0)))


def converted(depth: Float[ndarray, "h w"], camera: Camera, given: DepthIs, wanted: DepthIs) -> Float[ndarray, "h w"]:
    """A depth of one kind as one of the other, and 0 for pixels where it is not known or there is no such depth.

    Along the ray, a point beside or behind the camera has a depth; along z, it has none.

    Args:
        camera: of the frame that the depth is of, at any size: it is resized to that of the depth.
    """
    if given == wanted:
        return depth
    rays, seen = rays_of(camera.resized(depth.shape[1], depth.shape[0]))
    z = np.where(seen & (rays[..., 2] > 0), rays[..., 2], 0).astype(depth.dtype)
    return depth * z if wanted == "z" else np.asarray(np.divide(depth, z, out=np.zeros_like(depth), where=z > 0))


def points_of(
    depth: Float[ndarray, "h w"], camera: Camera, depth_is: DepthIs, chosen: Bool[ndarray, "h w"]
) -> tuple[Float[ndarray, "n 3"], Bool[ndarray, "h w"]]:
    """The points of the chosen pixels in the camera's frame: x right, y down, z forward.

    Returns:
        The points, in the order of the pixels, and which of the chosen pixels have one: those with a ray (along z, with
        one that points forward).
    """
    if camera.is_pinhole and depth_is == "z":
        rows, columns = np.nonzero(chosen)
        z = depth[chosen]
        x, y = (columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z
        return np.stack([x, y, z], axis=1), chosen
    rays, seen = rays_of(camera)
    chosen = chosen & seen
    if depth_is == "ray":
        return rays[chosen] * depth[chosen][:, None], chosen
    chosen = chosen & (rays[..., 2] > 0)
    return rays[chosen] * (depth[chosen] / rays[chosen][:, 2])[:, None], chosen
