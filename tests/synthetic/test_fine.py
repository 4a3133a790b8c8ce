"""Fine texture holds the wavelengths that it should, and no others."""

from __future__ import annotations

import numpy as np

from selfdepth.synthetic.fine import ACROSS_M, ALONG_M, CONTRAST, band_noise, paint_fine_ground, paint_panel
from selfdepth.synthetic.textures import GROUND_HALF_WIDTH_M


def test_noise_has_the_wavelengths_of_its_bands_alone() -> None:
    noise = band_noise(np.random.default_rng(0), (128, 64), (4.0, 8.0), ((0.2, 0.5), (1.0, 2.0)))
    assert abs(noise.mean()) < 1e-12 and abs(noise.std() - 1) < 1e-12
    power = abs(np.fft.fft2(noise)) ** 2
    rows, columns = abs(np.fft.fftfreq(128) * 128 / 4.0), abs(np.fft.fftfreq(64) * 64 / 8.0)
    allowed = ((rows >= 2) & (rows <= 5))[:, None] & ((columns >= 0.5) & (columns <= 1))[None]
    assert power[~allowed].max() < 1e-12 * power.max()
    assert (power[allowed] > 0).all()


def test_a_panel_is_one_grey_from_afar_and_speckled_from_near() -> None:
    panel = paint_panel(np.random.default_rng(0))[..., :3].mean(axis=-1)
    assert 0.8 * CONTRAST < panel.std() / panel.mean() < 1.1 * CONTRAST
    # The longest wavelengths are 0.32 m up and 1.2 m along: means over 1.25 m squares no longer know of them.
    blocks = panel.reshape(4, 64, 8, 32).mean(axis=(1, 3))
    assert blocks.std() < 0.1 * panel.std()
    assert ACROSS_M[1] < 0.5 * ALONG_M[1]


def test_the_ground_has_the_markings_of_the_lanes_and_nothing_else_that_shows_from_afar() -> None:
    ground = paint_fine_ground(np.random.default_rng(0))
    d = ((np.arange(1024) + 0.5) / 1024 * 2 - 1) * GROUND_HALF_WIDTH_M
    by_row = ground[..., :3].mean(axis=(1, 2))
    edges, dashes = (abs(d) > 3.42) & (abs(d) < 3.56), abs(d) < 0.08
    assert (by_row[edges] > 0.8).all()
    assert 0.45 < by_row[dashes].mean() < 0.75, "with gaps"
    assert by_row[~edges & ~dashes].max() < 0.45
    plain = ground[(abs(d) > 4) & (abs(d) < 8), :, 0]
    assert plain.mean(axis=1).std() < 0.01
