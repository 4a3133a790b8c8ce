"""Painted textures of roofs, trees, poles, cars and the sky: RGBA in [0, 1], sides powers of two."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image, ImageDraw

from selfdepth.synthetic.textures import Colour, fractal_noise

SKY_ROWS, SKY_COLUMNS = 256, 2048
SKY_TOP_RAD = 0.7
"""Elevation of the first row of the sky's texture; its last row is the horizon."""


def paint_roof(rng: np.random.Generator, colour: Colour) -> Float[ndarray, "128 256 4"]:
    """Rows of tiles, each of another brightness."""
    y, x = np.arange(128)[:, None], np.arange(256)[None]
    tile = rng.standard_normal((16, 64))[y // 8 % 16, (x + 2 * (y // 8 % 2)) // 4 % 64]
    shade = 1 + 0.10 * tile + 0.10 * fractal_noise(rng, 128, 256, 1.2) - 0.28 * (y % 8 == 0)
    return _rgba(np.array(colour) * shade[..., None], np.ones((128, 256)))


def paint_leaves(
    rng: np.random.Generator, rows: int, columns: int, colour: Colour, shape: str
) -> Float[ndarray, "rows columns 4"]:
    """Foliage with an irregular outline: a "crown", ragged all around, or a "row", ragged along its top edge."""
    y, x = (np.arange(rows)[:, None] + 0.5) / rows, (np.arange(columns)[None] + 0.5) / columns
    # Darker towards the ground, and mottled: leaves must differ from each other to be matched between frames.
    clumps, fine = fractal_noise(rng, rows, columns, 1.1), fractal_noise(rng, rows, columns, 0.5)
    light = 0.88 - 0.42 * y + 0.26 * clumps + 0.26 * fine
    leaves = np.array(colour) * np.clip(light, 0.12, 2)[..., None]
    if shape == "row":
        bumps = fractal_noise(rng, 2, columns, 1.3)[0]
        solid = y - 0.28 - 0.10 * np.clip(bumps, -2, 2)[None] - 0.05 * clumps
    else:
        # The union of nine discs around the middle, its edge roughened by the noise.
        solid = -np.ones((rows, columns))
        for _ in range(9):
            angle, reach, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.24), rng.uniform(0.16, 0.25)
            cx, cy = 0.5 + reach * np.cos(angle), 0.5 + reach * np.sin(angle)
            solid = np.maximum(solid, radius - np.hypot(x - cx, y - cy))
        solid = solid + 0.022 * clumps + 0.022 * fine - 0.01
    return _rgba(leaves, (solid > 0).astype(float))


def paint_post(rng: np.random.Generator, colour: Colour, contrast: float) -> Float[ndarray, "64 16 4"]:
    """A round post or trunk, lit from one side."""
    across = (np.arange(16) + 0.5) / 8 - 1
    light = 0.55 + 0.6 * np.sqrt(1 - across**2) + 0.18 * across
    shade = light[None] * (1 + contrast * fractal_noise(rng, 64, 16, 0.6))
    return _rgba(np.array(colour) * shade[..., None], np.ones((64, 16)))


def paint_gable(rng: np.random.Generator, colour: Colour) -> Float[ndarray, "64 128 4"]:
    """The triangular wall under a roof, cut out."""
    shade = 0.95 + 0.05 * fractal_noise(rng, 64, 128, 0.8)
    y, x = np.arange(64)[:, None] / 64, (np.arange(128)[None] + 0.5) / 64 - 1
    return _rgba(np.array(colour) * shade[..., None], (abs(x) < y + 0.02).astype(float))


def paint_fence(rng: np.random.Generator, colour: Colour) -> Float[ndarray, "64 256 4"]:
    """Wooden boards, no two alike."""
    board = np.arange(256) // 8
    shade = (0.9 + 0.14 * rng.standard_normal(32))[board] * np.where(np.arange(256) % 8 == 0, 0.5, 1)
    grain = 1 + 0.08 * fractal_noise(rng, 64, 256, 0.5)
    return _rgba(np.array(colour) * (shade[None] * grain)[..., None], np.ones((64, 256)))


def paint_flat(rng: np.random.Generator, colour: Colour, contrast: float) -> Float[ndarray, "32 32 4"]:
    """Sheet metal or plaster: almost no texture, a little lighter at the top. Here every depth fits equally well."""
    shade = 1.06 - 0.14 * np.arange(32)[:, None] / 32 + contrast * fractal_noise(rng, 32, 32, 1.0)
    return _rgba(np.array(colour) * shade[..., None], np.ones((32, 32)))


def paint_car_side(
    colour: Colour, body: tuple[tuple[float, float], ...], length: float, height: float
) -> Float[ndarray, "128 256 4"]:
    """The side view of a car, its bonnet to the right.

    Args:
        body: `CarDesign.outline`, metres.
        length, height: of the car, metres.
    """
    paint, glass, tyre = _ink(colour), _ink((0.13, 0.15, 0.18)), _ink((0.06, 0.06, 0.07))
    to_px = np.array([1024 / length, 512 / height])

    def px(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * to_px[0], 512 - y * to_px[1]) for x, y in points]

    picture = Image.new("RGB", (1024, 512), paint)
    cut = Image.new("L", (1024, 512), 0)
    draw, mask = ImageDraw.Draw(picture), ImageDraw.Draw(cut)
    # A little wider than the body behind it: a gap along the seam would show the background through the car.
    mask.polygon(px(*body), fill=255)
    mask.line(px(*body, body[0]), fill=255, width=14)
    belt, roof = 0.95 / 1.45 * height, height - 0.10
    pane = (body[2][0] + 0.12, belt), (body[3][0] + 0.10, roof), (body[4][0] - 0.06, roof), (body[5][0], belt)
    draw.polygon(px(*pane), fill=glass)
    for x in np.linspace(pane[0][0] + 0.5, pane[3][0] - 0.3, 3)[:2]:
        draw.line(px((x + 0.25, belt), (x + 0.25, roof)), fill=paint, width=18)
        draw.line(px((x + 0.25, belt), (x + 0.25, 0.35)), fill=_ink(tuple(0.7 * c for c in colour)), width=5)
    draw.rectangle([px((0.0, 0.38))[0], px((length, 0.2))[0]], fill=_ink(tuple(0.45 * c for c in colour)))
    draw.rectangle([px((0.0, belt - 0.08))[0], px((0.18, belt - 0.28))[0]], fill=_ink((0.7, 0.08, 0.07)))
    for x in (0.19 * length, 0.80 * length):
        for radius, ink in ((0.33, tyre), (0.20, _ink((0.6, 0.61, 0.63))), (0.07, _ink((0.3, 0.3, 0.3)))):
            box = [px((x - radius, 0.33 + radius))[0], px((x + radius, 0.33 - radius))[0]]
            draw.ellipse(box, fill=ink)
            mask.ellipse(box, fill=255)
    small = picture.resize((256, 128), Image.Resampling.BOX)
    rgb = np.asarray(small) / 255.0 * (1.04 - 0.10 * np.arange(128) / 128)[:, None, None]
    return _rgba(rgb, np.asarray(cut.resize((256, 128), Image.Resampling.BOX)) / 255.0)


def paint_car_end(rng: np.random.Generator, colour: Colour, rear: bool) -> Float[ndarray, "128 256 4"]:
    """The lower half of a car's rear or front, from the bumper to the lower edge of the windows."""
    picture = Image.new("RGB", (512, 256), _ink(colour))
    draw = ImageDraw.Draw(picture)
    dark = _ink(tuple(0.35 * c + 0.03 for c in colour))
    draw.rectangle((0, 172, 512, 256), fill=dark)
    lamp = _ink((0.75, 0.06, 0.05)) if rear else _ink((0.95, 0.95, 0.88))
    for x in (12, 410):
        draw.rectangle((x, 34, x + 90, 92), fill=lamp)
        draw.rectangle((x + 20, 74, x + 70, 92), fill=_ink((0.95, 0.6, 0.2)))
    if not rear:
        draw.rectangle((130, 50, 382, 120), fill=_ink((0.07, 0.07, 0.08)))
    draw.rectangle((176, 118, 336, 162), fill=_ink((0.93, 0.92, 0.82)))
    for x in range(190, 320, 22):
        if rng.uniform() < 0.85:
            draw.rectangle((x, 126, x + 12, 154), fill=_ink((0.1, 0.1, 0.12)))
    draw.line((0, 20, 512, 20), fill=_ink(tuple(1.15 * c + 0.05 for c in colour)), width=8)
    small = np.asarray(picture.resize((256, 128), Image.Resampling.BOX)) / 255.0
    return _rgba(small * (1.05 - 0.2 * np.arange(128) / 128)[:, None, None], np.ones((128, 256)))


def paint_glass(colour: Colour) -> Float[ndarray, "64 128 4"]:
    """A car window in its frame. The sky is reflected in it, painted on, so that depth and colour still agree."""
    picture = Image.new("RGB", (512, 256), _ink(colour))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((36, 20, 476, 246), fill=_ink((0.16, 0.18, 0.21)))
    draw.polygon([(36, 20), (330, 20), (150, 246), (36, 246)], fill=_ink((0.38, 0.43, 0.48)))
    draw.rectangle((110, 150, 200, 246), fill=_ink((0.07, 0.07, 0.08)))
    draw.rectangle((312, 150, 402, 246), fill=_ink((0.07, 0.07, 0.08)))
    return _rgba(np.asarray(picture.resize((128, 64), Image.Resampling.BOX)) / 255.0, np.ones((64, 128)))


def paint_sky(rng: np.random.Generator) -> Float[ndarray, "256 2048 3"]:
    """Clouds in all directions, from the elevation SKY_TOP_RAD down to the horizon."""
    height = 1 - (np.arange(SKY_ROWS)[:, None] + 0.5) / SKY_ROWS
    # Clouds, thinner above, over a blue that fades into haze at the horizon.
    cover = fractal_noise(rng, SKY_ROWS, SKY_COLUMNS, 1.8) + 0.3 * fractal_noise(rng, SKY_ROWS, SKY_COLUMNS, 1.3)
    cloud = np.clip(0.35 + 0.5 * cover, 0, 1)[..., None] * (0.95 - 0.25 * height)[..., None]
    blue = np.array([0.36, 0.56, 0.84]) * height[..., None] ** 0.6
    haze = np.array([0.80, 0.86, 0.92]) * (1 - height[..., None] ** 0.6)
    shade = np.clip(0.93 + 0.05 * fractal_noise(rng, SKY_ROWS, SKY_COLUMNS, 0.9), 0.7, 1)[..., None]
    return np.asarray((blue + haze) * (1 - cloud) + cloud * shade * np.array([0.96, 0.97, 0.98]))


def _ink(colour: tuple[float, ...]) -> tuple[int, int, int]:
    red, green, blue = (int(255 * min(max(c, 0.0), 1.0)) for c in colour)
    return red, green, blue


def _rgba(rgb: ndarray, alpha: ndarray) -> ndarray:
    return np.concatenate([np.clip(rgb, 0, 1), alpha[..., None]], axis=-1)
