"""Surfaces that are plain from afar and speckled from near: texture that an image averaged to an eighth no longer has.

The paper compares every scale at full resolution. Where a surface has fine texture only, an image at 1/8 of the size is
one grey there, and a scale that is compared at its own resolution finds every depth equally good.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.synthetic.textures import GROUND_HALF_WIDTH_M, GROUND_LENGTH_M

ALONG_M, ACROSS_M = (0.3, 1.2), (0.12, 0.32)
"""Shortest and longest wavelength of the texture, along the road and across it (on a wall: upwards). Along the road it
is longer, because the camera sees that direction foreshortened."""
CONTRAST = 0.14
"""Standard deviation of the brightness, as a share of it."""
PANEL_LENGTH_M, PANEL_HEIGHT_M = 8.0, 5.0
"""Size of the wall that one texture covers."""
_CONCRETE = (0.60, 0.59, 0.56)
_ASPHALT = (0.42, 0.42, 0.44)


def band_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    size_m: tuple[float, float],
    bands_m: tuple[tuple[float, float], tuple[float, float]],
) -> Float[ndarray, "h w"]:
    """Periodic noise that holds a band of wavelengths along each axis and nothing else; zero mean, unit deviation.

    Args:
        shape: rows and columns.
        size_m: extent of the rows and of the columns, metres.
        bands_m: shortest and longest wavelength along the rows' axis, and along the columns'.
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    frequencies = np.fft.fftfreq(shape[0]) * shape[0] / size_m[0], np.fft.rfftfreq(shape[1]) * shape[1] / size_m[1]
    keep = [
        (abs(f) >= 1 / longest) & (abs(f) <= 1 / shortest)
        for f, (shortest, longest) in zip(frequencies, bands_m, strict=True)
    ]
    noise = np.fft.irfft2(spectrum * (keep[0][:, None] & keep[1][None]), s=shape)
    return np.asarray(noise / noise.std())


def paint_panel(rng: np.random.Generator) -> Float[ndarray, "256 256 4"]:
    """PANEL_LENGTH_M of a concrete wall along the road; rows run down it."""
    noise = band_noise(rng, (256, 256), (PANEL_HEIGHT_M, PANEL_LENGTH_M), (ACROSS_M, ALONG_M))
    return _speckled(_CONCRETE, noise)


def paint_fine_ground(rng: np.random.Generator) -> Float[ndarray, "1024 2048 4"]:
    """The ground along the road, laid out as in `paint_ground`: asphalt everywhere, with the markings of the lanes."""
    height, width = 1024, 2048
    noise = band_noise(rng, (height, width), (2 * GROUND_HALF_WIDTH_M, GROUND_LENGTH_M), (ACROSS_M, ALONG_M))
    rgba = _speckled(_ASPHALT, noise.astype(np.float32))
    out = abs(((np.arange(height) + 0.5) / height * 2 - 1)[:, None] * GROUND_HALF_WIDTH_M)
    s = ((np.arange(width) + 0.5) / width)[None] * GROUND_LENGTH_M
    dash = (out < 0.08) & ((s % (GROUND_LENGTH_M / 16)) < 3.0)
    edge = (out > 3.42) & (out < 3.56) & (s >= 0)
    rgba[dash | edge, :3] = 0.86
    return rgba


def _speckled(colour: tuple[float, float, float], noise: ndarray) -> ndarray:
    """RGBA of a colour whose brightness follows the noise."""
    # Clipped on both sides alike: a clipped peak on one side alone would change the mean, which shows from afar.
    shade = 1 + CONTRAST * np.clip(noise, -2.5, 2.5)
    rgb = np.clip(np.array(colour, noise.dtype) * shade[..., None], 0, 1)
    return np.concatenate([rgb, np.ones((*noise.shape, 1), noise.dtype)], axis=-1)
