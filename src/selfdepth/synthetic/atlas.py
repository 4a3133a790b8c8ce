"""Textures of the rendered street, prefiltered along both axes so that no view of them aliases.

A camera sees a street at grazing angles: a metre of asphalt 40 m ahead covers a tenth of a pixel in one direction and
several pixels in the other. The atlas therefore stores each texture at every pair of horizontal and vertical
resolutions (a rip-map), and a lookup picks the pair that fits the footprint of the sample. Aliasing would be worse than
ugly: a pattern that changes with the view has no photometric error of zero at the true depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy import ndarray

LEVELS = 12
"""Resolutions per axis, each half of the one before: enough for sides of 2^11 texels."""


@dataclass(frozen=True, kw_only=True)
class Atlas:
    """All textures at all resolutions in one array, so that one lookup serves samples of different textures.

    Attributes:
        texels: RGBA from 0 to 255; alpha below 128 is cut out.
        offset: index of the first texel of texture t at horizontal level i and vertical level j; rows follow each
            other.
        columns, rows: size of texture t at each horizontal and vertical level, in texels.
    """

    texels: UInt8[ndarray, "texels 4"]
    offset: Int[ndarray, "t levels levels"]
    columns: Int[ndarray, "t levels"]
    rows: Int[ndarray, "t levels"]


def build_atlas(textures: Sequence[Shaped[ndarray, "_h _w 4"]]) -> Atlas:
    """Prefilter RGBA textures with values in [0, 1]. Their sides are powers of two, at most 2^11."""
    count = len(textures)
    offset = np.zeros((count, LEVELS, LEVELS), np.int64)
    columns, rows = np.ones((count, LEVELS), np.int64), np.ones((count, LEVELS), np.int64)
    parts: list[ndarray] = []
    end = 0
    for t, texture in enumerate(textures):
        tall: ndarray = texture.astype(np.float32)
        for j in range(LEVELS):
            if j > 0 and tall.shape[0] > 1:
                tall = (tall[0::2] + tall[1::2]) / 2
            rows[t, j] = tall.shape[0]
            if j > 0 and rows[t, j] == rows[t, j - 1]:  # already a single row: all coarser levels share it
                offset[t, :, j] = offset[t, :, j - 1]
                continue
            both: ndarray = tall
            for i in range(LEVELS):
                if i > 0 and both.shape[1] > 1:
                    both = (both[:, 0::2] + both[:, 1::2]) / 2
                columns[t, i] = both.shape[1]
                if i > 0 and columns[t, i] == columns[t, i - 1]:
                    offset[t, i, j] = offset[t, i - 1, j]
                    continue
                offset[t, i, j] = end
                parts.append(np.rint(both * 255).clip(0, 255).astype(np.uint8).reshape(-1, 4))
                end += len(parts[-1])
    return Atlas(texels=np.concatenate(parts), offset=offset, columns=columns, rows=rows)


def sample(
    atlas: Atlas,
    texture: Int[ndarray, "m"],
    uv: Float[ndarray, "2 m"],
    footprint: Float[ndarray, "2 m"],
    *,
    wrap: bool = False,
) -> Float[ndarray, "m 4"]:
    """Look up colours, each averaged over the footprint of its sample.

    Args:
        texture: index of each sample's texture.
        uv: position in it; 0 to 1 spans the texture, u to the right, v down.
        footprint: extent of each sample along u and v, in the same unit.
        wrap: whether u repeats beyond the texture. If not, it is clamped. v is always clamped.

    Returns:
        RGBA from 0 to 255.
    """
    level_u = _level(footprint[0], atlas.columns[texture, 0])
    level_v = _level(footprint[1], atlas.rows[texture, 0])
    width, height = atlas.columns[texture, level_u], atlas.rows[texture, level_v]
    start = atlas.offset[texture, level_u, level_v]
    left, right, fx = _neighbours(uv[0], width, wrap)
    top, bottom, fy = _neighbours(uv[1], height, False)
    top, bottom = start + top * width, start + bottom * width
    fx, fy = fx[:, None], fy[:, None]
    above = _blend(atlas.texels, top + left, top + right, fx)
    below = _blend(atlas.texels, bottom + left, bottom + right, fx)
    return np.asarray(above + (below - above) * fy)


def solid(
    atlas: Atlas, texture: int, u: Float[ndarray, "m"], v: Float[ndarray, "m"], extent: tuple[float, float]
) -> Bool[ndarray, "m"]:
    """Whether one texture is solid, not cut out, at each sample.

    Args:
        texture: index of the texture.
        u, v: positions in it, 0 to 1.
        extent: width and height of the whole texture in the image, in samples. It chooses one level for all samples.
    """
    i, j = _level(1 / np.maximum(extent, 1.0), np.array([atlas.columns[texture, 0], atlas.rows[texture, 0]]))
    columns, rows = int(atlas.columns[texture, i]), int(atlas.rows[texture, j])
    column = np.minimum((u * columns).astype(np.int64), columns - 1)
    row = np.minimum((v * rows).astype(np.int64), rows - 1)
    return np.asarray(atlas.texels[atlas.offset[texture, i, j] + row * columns + column, 3] > 127)


def _level(footprint: ndarray, size: ndarray) -> Int[ndarray, "m"]:
    texels = np.maximum(footprint * size, 1.0)
    # The bias of 0.35 switches to the coarser level before the footprint has doubled, at 1.6 texels: most samples stay
    # between a slight blur and a slight aliasing.
    level = np.log2(texels, dtype=np.float32) + np.float32(0.35)
    return np.asarray(np.minimum(level, LEVELS - 1), np.int64)


def _neighbours(position: ndarray, size: ndarray, wrap: bool) -> tuple[ndarray, ndarray, ndarray]:
    """The two texels on either side of a position in [0, 1], and the weight of the second."""
    x = position * size - 0.5  # texel i covers i to i + 1, so its centre lies at i + 1/2
    floor = np.floor(x)
    first = floor.astype(np.int64)
    weight = (x - floor).astype(np.float32)
    if wrap:
        return first % size, (first + 1) % size, weight
    return np.clip(first, 0, size - 1), np.clip(first + 1, 0, size - 1), weight


def _blend(texels: ndarray, a: ndarray, b: ndarray, weight: ndarray) -> Float[ndarray, "m 4"]:
    first = texels[a].astype(np.float32)
    return np.asarray(first + (texels[b].astype(np.float32) - first) * weight)
