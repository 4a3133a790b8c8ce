"""What stands along the street: it stands on the ground, has its size, and turns with its heading."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.synthetic.objects import (
    HATCHBACK,
    SEDAN,
    VAN,
    CarDesign,
    Face,
    HouseTextures,
    Quads,
    box,
    car,
    house,
    lamp,
    quads,
    sign,
    tree,
)

DESIGN = HouseTextures(front=0, side=1, gable=2, width_m=10.0, height_m=6.0)


def corners(parts: Quads) -> np.ndarray:
    o, u, v = parts.origin, parts.edge_u, parts.edge_v
    return np.stack([o, o + u, o + v, o + u + v], axis=1).reshape(-1, 3)


def built_house(*, side: int, roof_m: float) -> Quads:
    return house(DESIGN, roof=3, depth_m=8.0, roof_m=roof_m, side=side, tint=(1.0, 1.0, 1.0), sun=1.0)


def objects() -> dict[str, Quads]:
    designs = {
        name: CarDesign(
            **dict.fromkeys(("side", "rear", "front", "paint", "glass", "tyre"), 0),
            outline=outline,
            width_m=1.8,
            length_m=outline[-1][0],
            height_m=max(y for _, y in outline),
        )
        for name, outline in (("hatchback", HATCHBACK), ("sedan", SEDAN), ("van", VAN))
    }
    return {
        **{name: car(design) for name, design in designs.items()},
        "house": built_house(side=1, roof_m=2.0),
        "flat house": built_house(side=-1, roof_m=0.0),
        "tree": tree([0, 1, 2, 3], 4, height_m=7.0, radius_m=2.0, offsets=np.zeros((4, 3))),
        "hedge": box((0.7, 1.5, 5.0), (0, 1), cutout=True),
        "wall": box((0.2, 1.2, 4.0), (0, 1)),
        "lamp": lamp(0, 1, 1),
        "sign": sign(0, 1),
    }


@pytest.mark.parametrize("name", objects())
def test_everything_stands_on_the_ground_and_goes_up_from_it(name: str) -> None:
    down = corners(objects()[name])[:, 1]
    assert down.max() == pytest.approx(0, abs=1e-9), "y points down, and nothing is below the ground"
    assert down.min() < -1


def test_a_car_has_the_size_of_its_design_and_stands_over_the_origin() -> None:
    for name, outline in (("hatchback", HATCHBACK), ("van", VAN)):
        low, high = corners(objects()[name]).min(0), corners(objects()[name]).max(0)
        length, height = outline[-1][0], max(y for _, y in outline)
        assert high - low == pytest.approx([1.8, height, length], abs=0.02)
        assert (low + high)[[0, 2]] == pytest.approx([0, 0], abs=0.02)


@pytest.mark.parametrize("side", [1, -1])
def test_a_house_stands_away_from_the_road_on_its_own_side(side: int) -> None:
    away = side * corners(built_house(side=side, roof_m=2.0))[:, 0]
    assert away.min() >= -0.5, "but for its eaves"
    assert away.max() == pytest.approx(8.0)


def test_a_roof_makes_a_house_higher() -> None:
    heights = [-corners(built_house(side=1, roof_m=roof_m))[:, 1].min() for roof_m in (0.0, 2.0)]
    assert heights == pytest.approx([6.25, 8.0])


def test_placed_quads_are_turned_to_the_heading_and_moved() -> None:
    arrow = quads([Face((0, -1, 0), (0, 0, 2), (0, 1, 0), 5, 0.5, True)])
    ahead = arrow.placed(np.array([3.0, 10.0]), 0.0)
    assert ahead.origin.tolist() == [[3, -1, 10]] and ahead.edge_u.tolist() == [[0, 0, 2]]
    right = arrow.placed(np.array([3.0, 10.0]), np.pi / 2)
    np.testing.assert_allclose(right.edge_u, [[2, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(right.edge_v, [[0, 1, 0]], atol=1e-12)
    assert (right.texture.tolist(), right.cutout.tolist(), right.tint.tolist()) == ([5], [True], [[0.5] * 3])


def test_joined_quads_are_all_of_them_in_their_order() -> None:
    first, second = box((1, 1, 1), (0, 1)), sign(2, 3)
    joined = Quads.joined([first, second])
    assert len(joined) == len(first) + len(second)
    assert joined.texture.tolist() == [*first.texture, *second.texture]
    np.testing.assert_array_equal(joined.origin[len(first) :], second.origin)
