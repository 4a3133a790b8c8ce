"""Painted roofs, trees, cars and sky: in range, the same for the same seed, cut out where they should be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from selfdepth.synthetic import props
from selfdepth.synthetic.objects import HATCHBACK, VAN

RED = (0.7, 0.1, 0.1)
Paint = Callable[[np.random.Generator], np.ndarray]
PAINTED: dict[str, Paint] = {
    "roof": lambda rng: props.paint_roof(rng, RED),
    "crown": lambda rng: props.paint_leaves(rng, 64, 64, (0.3, 0.4, 0.2), "crown"),
    "row": lambda rng: props.paint_leaves(rng, 32, 128, (0.3, 0.4, 0.2), "row"),
    "post": lambda rng: props.paint_post(rng, RED, 0.1),
    "gable": lambda rng: props.paint_gable(rng, RED),
    "fence": lambda rng: props.paint_fence(rng, RED),
    "flat": lambda rng: props.paint_flat(rng, RED, 0.02),
    "rear": lambda rng: props.paint_car_end(rng, RED, True),
    "front": lambda rng: props.paint_car_end(rng, RED, False),
    "side": lambda rng: props.paint_car_side(RED, HATCHBACK, 4.1, 1.45),
    "glass": lambda rng: props.paint_glass(RED),
}
CUT_OUT = {"crown", "row", "gable", "side"}


def painted(name: str, seed: int = 0) -> np.ndarray:
    return PAINTED[name](np.random.default_rng(seed))


@pytest.mark.parametrize("name", PAINTED)
def test_colours_are_in_range_sides_can_be_halved_and_the_seed_decides(name: str) -> None:
    texture = painted(name)
    rows, columns, channels = texture.shape
    assert channels == 4 and rows & (rows - 1) == 0 and columns & (columns - 1) == 0
    assert texture.min() >= 0 and texture.max() <= 1
    assert np.array_equal(texture, painted(name))
    assert np.array_equal(texture, painted(name, seed=1)) == (name in ("side", "glass")), "these two are not random"


@pytest.mark.parametrize("name", PAINTED)
def test_what_has_an_outline_is_cut_out_and_all_else_is_whole(name: str) -> None:
    solid = (painted(name)[..., 3] > 0.5).mean()
    assert 0.2 < solid < 0.95 if name in CUT_OUT else solid == 1


def test_a_row_of_leaves_is_ragged_at_the_top_alone() -> None:
    alpha = painted("row")[..., 3]
    assert alpha[-8:].min() == 1
    assert alpha[0].mean() < 0.2


def test_a_car_stands_on_its_wheels_and_is_cut_to_its_outline() -> None:
    side = props.paint_car_side(RED, VAN, VAN[-1][0], 2.15)
    alpha = side[..., 3] > 0.5
    assert not alpha[0, -1], "above the bonnet there is air"
    assert 0 < alpha[-2].mean() < 0.4, "between the wheels too"


def test_sheet_metal_has_next_to_no_texture() -> None:
    flat, roof = painted("flat")[..., :3], painted("roof")[..., :3]
    assert np.abs(np.diff(flat, axis=1)).mean() < 0.4 * np.abs(np.diff(roof, axis=1)).mean()


def test_the_sky_goes_all_around_and_is_haze_at_the_horizon() -> None:
    sky = props.paint_sky(np.random.default_rng(0))
    assert sky.shape == (props.SKY_ROWS, props.SKY_COLUMNS, 3)
    assert sky.min() >= 0 and sky.max() <= 1.1
    blueness = sky[..., 2] - sky[..., 0]
    assert blueness[0].mean() > blueness[-1].mean() + 0.05
    step = np.abs(np.diff(sky[..., 0], axis=1)).mean()
    assert np.abs(sky[:, 0, 0] - sky[:, -1, 0]).mean() < 5 * step, "the last column leads on to the first"
