"""Painted textures of the rendered street: RGBA in [0, 1], sides powers of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image, ImageDraw

Colour = tuple[float, float, float]
GROUND_LENGTH_M = 102.4
"""Length after which the ground repeats: 2048 texels of 5 cm."""
GROUND_HALF_WIDTH_M = 20.48
ROAD_EDGE_M = 5.7
PAVEMENT_EDGE_M = 8.3
"""Distances from the road's centre line to the edge of the painted ground, of the road and of the pavement."""


@dataclass(frozen=True, kw_only=True)
class HouseStyle:
    """The looks of a house.

    Attributes:
        wall, trim: RGB in [0, 1]; the trim is that of windows, doors and ledges.
        floors: number of storeys.
        window_share: probability that a bay of a floor has a window; 0 for a plain wall.
        brick: whether the wall shows bricks.
        shop: whether the ground floor is a shop window.
    """

    wall: Colour
    trim: Colour
    floors: int
    window_share: float
    brick: bool
    shop: bool


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, slope: float = 1.0
) -> Float[ndarray, "height width"]:
    """Periodic noise whose amplitude falls as 1 / frequency^slope; zero mean, unit standard deviation.

    Natural images have such a spectrum: texture at every scale, from near and from far.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    fy, fx = np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width
    # Frequencies in cycles per length of the longer side, so that the noise looks alike along both axes.
    radius = np.maximum(np.hypot(fy * max(1, width // height), fx * max(1, height // width)), 1.0)
    noise = np.fft.irfft2(spectrum / radius**slope, s=(height, width))
    noise -= noise.mean()
    return np.asarray(noise / noise.std())


def _opaque(rgb: ndarray) -> ndarray:
    return np.concatenate([np.clip(rgb, 0, 1), np.ones((*rgb.shape[:2], 1), rgb.dtype)], axis=-1)


def _plain(rng: np.random.Generator, height: int, width: int, colour: Colour, contrast: float) -> ndarray:
    grain = 0.6 * fractal_noise(rng, height, width, 1.0) + 0.4 * fractal_noise(rng, height, width, 0.3)
    return np.asarray(np.array(colour) * (1 + contrast * grain[..., None]))


def paint_ground(rng: np.random.Generator) -> Float[ndarray, "1024 2048 4"]:
    """The ground along the road. Rows run across it (d, from left to right), columns along it (s); periodic in s."""
    height, width = 1024, 2048
    d = (((np.arange(height) + 0.5) / height * 2 - 1)[:, None] * GROUND_HALF_WIDTH_M).astype(np.float32)
    s = (((np.arange(width) + 0.5) / width)[None] * GROUND_LENGTH_M).astype(np.float32)
    out = abs(d)
    # Wear in clouds, blotches, and the grain of the asphalt: texture for near and for distant views.
    broad, mid, fine = (fractal_noise(rng, height, width, slope).astype(np.float32) for slope in (1.4, 0.9, 0.35))
    grey = 0.40 + 0.035 * broad + 0.03 * mid + 0.045 * fine
    # Wheel tracks, 0.75 m on either side of the middle of each lane.
    grey *= 1 - 0.10 * np.exp(-(((abs(out - 1.75) - 0.75) / 0.28) ** 2)) * (out < 3.4)
    image = np.asarray(grey[..., None] * np.array([0.99, 1.0, 1.04], np.float32))
    # The parking lane is darker, and repairs are patches of another asphalt.
    _dim(image, (out > 3.5) & (s >= 0), 0.85)
    for _ in range(26):
        s0, d0, length, breadth = rng.uniform(0, 96), rng.uniform(-5.4, 4.4), *rng.uniform(0.8, 5, 2)
        patch = (s > s0) & (s < s0 + length) & (d > d0) & (d < d0 + breadth * 0.5)
        _dim(image, patch, float(rng.choice([0.72, 0.8, 1.2])))
    # Cracks: the lines along which a noise crosses zero.
    _dim(image, (abs(mid) < 0.035) & (np.roll(broad, 300, axis=1) > 0.4), 0.62)
    # Markings: the dashed centre line, a zebra crossing with its stop line, and the edge of the lane.
    white = (0.86 + 0.07 * fine + 0.05 * mid)[..., None] * np.array([1.0, 0.99, 0.95], np.float32)
    dash = (out < 0.08) & ((s % (GROUND_LENGTH_M / 16)) < 3.0)
    zebra = (s > 60) & (s < 63.2) & (out < 3.3) & (((d + 20) % 1.0) < 0.5)
    stop = (s > 58.3) & (s < 58.8) & (d > 0.1) & (d < 3.4)
    _lay(image, dash | zebra | stop | ((out > 3.42) & (out < 3.56)), white)
    for s0 in rng.uniform(2, 100, 9):  # manholes
        hole = (s - s0) ** 2 + (d - rng.uniform(-3, 3)) ** 2 < 0.16
        _lay(image, hole, (0.24 + 0.05 * fine)[..., None])
    _paint_roadside(rng, image, d, s, (broad, mid, fine))
    return _opaque(image)


def _paint_roadside(
    rng: np.random.Generator, image: ndarray, d: ndarray, s: ndarray, noises: tuple[ndarray, ndarray, ndarray]
) -> None:
    """Paint kerbs, paving slabs, and front gardens with driveways onto the image."""
    broad, mid, fine = noises
    out = abs(d)
    rows, columns = ((d + GROUND_HALF_WIDTH_M) / 0.8).astype(int) % 64, (s / 0.8).astype(int) % 256
    slabs = rng.uniform(-0.07, 0.07, (64, 256)).astype(np.float32)[rows, columns]
    joint = ((d % 0.8) < 0.045) | ((s % 0.8) < 0.06)
    pavement = (0.60 + slabs + 0.03 * mid + 0.035 * fine) * np.where(joint, np.float32(0.74), np.float32(1))
    garden = (1 + 0.16 * broad + 0.16 * mid + 0.2 * fine)[..., None] * np.array([0.31, 0.42, 0.19], np.float32)
    garden += np.maximum(broad, 0)[..., None] * np.array([0.10, 0.05, 0.03], np.float32)
    kerb = np.where((s % 1.6) < 0.07, np.float32(0.5), np.float32(0.76)) + 0.04 * fine
    _lay(image, out > ROAD_EDGE_M - 0.25, (0.27 + 0.04 * fine)[..., None])
    _lay(image, out > ROAD_EDGE_M, kerb[..., None])
    _lay(image, out > ROAD_EDGE_M + 0.2, pavement[..., None] * np.array([1.0, 0.965, 0.91], np.float32))
    _lay(image, out > PAVEMENT_EDGE_M, garden)
    gravel = (0.52 + 0.04 * mid + 0.05 * fine)[..., None]
    for _ in range(12):
        s0, side = rng.uniform(0, 98), rng.choice([-1, 1])
        driveway = (s > s0) & (s < s0 + rng.uniform(2.5, 4)) & (d * side > PAVEMENT_EDGE_M)
        _lay(image, driveway, gravel)
        _dim(image, driveway, rng.choice(PAVINGS))


PAVINGS = ((1.0, 0.97, 0.92), (1.05, 0.8, 0.7), (0.85, 0.86, 0.9))


def _lay(image: ndarray, where: ndarray, colour: ndarray) -> None:
    if where.shape[1] == 1:
        image[where[:, 0]] = np.broadcast_to(colour, image.shape)[where[:, 0]]
        return
    box, mask = _boxed(where)
    part = image[box]
    part[mask] = np.broadcast_to(colour, image.shape)[box][mask]


def _dim(image: ndarray, where: ndarray, factor: float | ndarray) -> None:
    box, mask = _boxed(where)
    image[box] *= np.where(mask[..., None], np.asarray(factor, image.dtype), image.dtype.type(1))


def _boxed(where: ndarray) -> tuple[tuple[slice, slice], ndarray]:
    """The bounding box of a mask, and the mask inside it. Painting a box is faster than painting the whole image."""
    rows, columns = np.nonzero(where.any(axis=1))[0], np.nonzero(where.any(axis=0))[0]
    if len(rows) == 0:
        return (slice(0), slice(0)), where[:0, :0]
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return box, where[box]


def paint_wall(
    rng: np.random.Generator, style: HouseStyle, *, width_m: float, height_m: float, columns: int
) -> Float[ndarray, "256 columns 4"]:
    """A wall with rows of windows, and a door or a shop on the ground floor.

    Args:
        width_m, height_m: of the wall.
        columns: width of the texture, a power of two.
    """
    rows = 256
    wall = _plain(rng, rows, columns, style.wall, 0.055)
    if style.brick:
        length = max(3, round(0.36 / width_m * columns))
        course, shift = np.arange(rows) // 4, (np.arange(rows) // 4 % 2) * (length // 2)
        cell = ((np.arange(columns)[None] + shift[:, None]) // length) % 64
        wall *= 1 + 0.075 * rng.standard_normal((64, 64))[course[:, None], cell][..., None]
        wall[np.arange(rows) % 4 == 0] *= 1.1
    wall[int(rows * 0.92) :] *= 0.72
    wall *= 1 - 0.10 * np.clip(fractal_noise(rng, rows, columns, 1.5), 0, 3)[..., None] * 0.5
    # Drawn at twice the size and averaged down, so that the edges of the windows are smooth.
    picture = Image.fromarray((np.clip(wall, 0, 1) * 255).astype(np.uint8)).resize((columns * 2, rows * 2))
    draw = ImageDraw.Draw(picture)
    to_px = np.array([columns * 2 / width_m, rows * 2 / height_m])
    storey = height_m / style.floors
    bays = max(1, int(width_m / rng.uniform(2.1, 3.2)))
    size = (min(rng.uniform(1.0, 1.6), width_m / bays * 0.62), rng.uniform(1.2, 1.65))
    for floor in range(style.floors):
        top = height_m - (floor + 1) * storey
        if floor == 0 and style.shop:
            _draw_shop(rng, draw, to_px, (width_m, top, storey), style)
            continue
        door = int(rng.integers(bays)) if floor == 0 else -1
        for bay in range(bays):
            x = (bay + 0.5) * width_m / bays
            if bay == door and style.window_share > 0.5:
                _draw_box(draw, to_px, (x - 0.62, height_m - 2.35, x + 0.62, height_m), style.trim)
                panel = tuple(float(v) for v in rng.uniform(0.08, 0.4, 3))
                _draw_box(draw, to_px, (x - 0.48, height_m - 2.2, x + 0.48, height_m), panel)
            elif rng.uniform() < style.window_share:
                middle = top + storey * 0.47
                box = (x - size[0] / 2, middle - size[1] / 2, x + size[0] / 2, middle + size[1] / 2)
                _draw_window(rng, draw, to_px, box, style.trim)
        _draw_box(draw, to_px, (0.0, top, width_m, top + 0.14), style.trim)
    return _opaque(np.asarray(picture.resize((columns, rows), Image.Resampling.BOX)) / 255.0)


Box = tuple[float, float, float, float]


def _draw_box(draw: ImageDraw.ImageDraw, to_px: ndarray, box: Box, colour: tuple[float, ...]) -> None:
    x0, y0, x1, y1 = (np.array(box).reshape(2, 2) * to_px).ravel()
    fill = tuple(int(255 * min(max(c, 0.0), 1.0)) for c in colour)
    draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), fill=fill)


def _draw_window(rng: np.random.Generator, draw: ImageDraw.ImageDraw, to_px: ndarray, box: Box, trim: Colour) -> None:
    x0, y0, x1, y1 = box
    _draw_box(draw, to_px, (x0 - 0.13, y0 - 0.13, x1 + 0.13, y1 + 0.18), trim)
    dark = rng.uniform(0.10, 0.24)
    _draw_box(draw, to_px, box, (dark, dark * 1.08, dark * 1.22))
    sky = rng.uniform(0.3, 0.62)
    _draw_box(draw, to_px, (x0, y0, x1, y0 + (y1 - y0) * rng.uniform(0.2, 0.6)), (sky * 0.8, sky * 0.9, sky))
    if rng.uniform() < 0.5:
        cloth = tuple(float(v) for v in rng.uniform(0.6, 0.9, 3))
        part = (x1 - x0) * rng.uniform(0.15, 0.35)
        _draw_box(draw, to_px, (x0, y0, x0 + part, y1), cloth)
        _draw_box(draw, to_px, (x1 - part, y0, x1, y1), cloth)
    middle = (x0 + x1) / 2
    _draw_box(draw, to_px, (middle - 0.045, y0, middle + 0.045, y1), trim)


def _draw_shop(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    to_px: ndarray,
    place: tuple[float, float, float],
    style: HouseStyle,
) -> None:
    width, top, storey = place
    _draw_box(draw, to_px, (0.0, top, width, top + storey), tuple(0.6 * c for c in style.trim))
    sign = tuple(float(v) for v in rng.permutation([0.75, rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.3)]))
    _draw_box(draw, to_px, (0.2, top + 0.15, width - 0.2, top + 0.85), sign)
    for x in np.arange(0.6, width - 1.2, 0.55):
        if rng.uniform() < 0.7:
            _draw_box(draw, to_px, (x, top + 0.32, x + rng.uniform(0.15, 0.4), top + 0.68), (0.95, 0.93, 0.85))
    panes = max(2, int(width / 2.4))
    for pane in range(panes):
        x0 = 0.2 + pane * (width - 0.4) / panes
        x1 = x0 + (width - 0.4) / panes - 0.2
        glass = rng.uniform(0.12, 0.3)
        _draw_box(draw, to_px, (x0, top + 1.0, x1, top + storey - 0.35), (glass, glass, glass * 1.15))
        for _ in range(5):
            x, y = rng.uniform(x0, x1 - 0.4), rng.uniform(top + 1.3, top + storey - 0.9)
            goods = tuple(float(v) for v in rng.uniform(0.15, 0.8, 3))
            _draw_box(draw, to_px, (x, y, x + 0.35, y + 0.45), goods)
