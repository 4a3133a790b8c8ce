"""Painted grounds and walls: colours in range, sizes that can be halved, and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selfdepth.synthetic.textures import (
    GROUND_HALF_WIDTH_M,
    PAVEMENT_EDGE_M,
    HouseStyle,
    fractal_noise,
    paint_ground,
    paint_wall,
)

STYLE = HouseStyle(wall=(0.7, 0.4, 0.3), trim=(0.9, 0.9, 0.85), floors=3, window_share=0.94, brick=True, shop=False)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def wall(style: HouseStyle, seed: int = 0) -> np.ndarray:
    return paint_wall(rng(seed), style, width_m=9.0, height_m=8.4, columns=128)


@pytest.mark.parametrize("shape", [(32, 32), (16, 128)])
def test_noise_is_normalised_periodic_and_smoother_with_a_steeper_slope(shape: tuple[int, int]) -> None:
    rough, smooth = (fractal_noise(rng(), *shape, slope) for slope in (0.3, 1.8))
    for noise in (rough, smooth):
        assert (noise.mean(), noise.std()) == pytest.approx((0, 1), abs=1e-9)
    assert np.abs(np.diff(smooth, axis=1)).mean() < 0.5 * np.abs(np.diff(rough, axis=1)).mean()
    seam, inside = np.abs(smooth[:, 0] - smooth[:, -1]).mean(), np.abs(np.diff(smooth, axis=1)).mean()
    assert seam < 3 * inside, "the last column leads on to the first"


def test_the_ground_is_asphalt_in_the_middle_and_green_at_the_sides() -> None:
    ground = paint_ground(rng())
    assert ground.shape == (1024, 2048, 4)
    assert ground.min() >= 0 and ground.max() <= 1 and (ground[..., 3] == 1).all()
    d = (np.arange(1024) + 0.5) / 1024 * 2 * GROUND_HALF_WIDTH_M - GROUND_HALF_WIDTH_M
    road, garden = ground[abs(d) < 3][..., :3].mean((0, 1)), ground[abs(d) > PAVEMENT_EDGE_M][..., :3].mean((0, 1))
    assert np.ptp(road) < 0.05
    assert garden[1] > garden[[0, 2]].max() + 0.03
    assert np.array_equal(ground, paint_ground(rng()))


def test_a_wall_is_opaque_has_windows_where_its_style_has_them_and_depends_on_the_seed() -> None:
    plain, windowed = wall(replace(STYLE, window_share=0.0)), wall(STYLE)
    for painted in (plain, windowed):
        assert painted.shape == (256, 128, 4)
        assert painted.min() >= 0 and painted.max() <= 1 and (painted[..., 3] == 1).all()
    assert windowed[..., :3].std(axis=1).mean() > 2 * plain[..., :3].std(axis=1).mean(), "along its rows"
    assert np.array_equal(wall(STYLE), wall(STYLE)) and not np.array_equal(wall(STYLE, 1), wall(STYLE))


def test_a_shop_takes_the_ground_floor_alone() -> None:
    with_shop, without = wall(replace(STYLE, shop=True)), wall(STYLE)
    storey = 256 // 3
    lower, upper = (np.abs(with_shop - without)[rows].mean() for rows in (slice(-storey, None), slice(0, storey)))
    assert lower > 0.1 > upper
