"""The street of a rendered drive: its houses, trees and parked cars, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.synthetic import fine, props, textures
from selfdepth.synthetic.atlas import Atlas, build_atlas
from selfdepth.synthetic.objects import (
    HATCHBACK,
    SEDAN,
    VAN,
    CarDesign,
    HouseTextures,
    Quads,
    box,
    car,
    house,
    lamp,
    sign,
    tree,
)
from selfdepth.synthetic.road import Road
from selfdepth.synthetic.textures import Colour, HouseStyle

WALLS: tuple[Colour, ...] = (
    (0.80, 0.72, 0.58), (0.72, 0.36, 0.27), (0.86, 0.83, 0.77), (0.58, 0.44, 0.34), (0.66, 0.70, 0.72),
    (0.84, 0.62, 0.44), (0.55, 0.60, 0.50), (0.78, 0.55, 0.50), (0.62, 0.30, 0.24), (0.88, 0.79, 0.55),
)  # fmt: skip
PAINTS: tuple[Colour, ...] = (
    (0.62, 0.08, 0.08), (0.12, 0.22, 0.45), (0.70, 0.71, 0.73), (0.10, 0.10, 0.12), (0.30, 0.33, 0.36),
    (0.13, 0.33, 0.22), (0.82, 0.80, 0.74), (0.78, 0.50, 0.10),
)  # fmt: skip
GREENS: tuple[Colour, ...] = ((0.30, 0.42, 0.16), (0.38, 0.46, 0.17), (0.22, 0.36, 0.17), (0.44, 0.44, 0.16))


_PANELS = 6
"""Different panels of walls; each repeats after some 50 m."""


@dataclass(frozen=True, kw_only=True)
class Kit:
    """The designs and texture indices from which a street is built; `panels` of walls, in streets that have them."""

    houses: tuple[HouseTextures, ...]
    roofs: tuple[int, ...]
    crowns: tuple[int, ...]
    rows: tuple[int, ...]
    fences: tuple[int, ...]
    posts: tuple[int, int]
    plates: tuple[int, ...]
    cars: tuple[CarDesign, ...]
    panels: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Paint:
    """All textures of a street.

    Attributes:
        kit: designs of its objects.
        atlas: textures of the objects and the ground.
        ground: index of the ground's texture in the atlas.
        sky: RGB in [0, 1] by elevation and azimuth.
    """

    kit: Kit
    atlas: Atlas
    ground: int
    sky: Float[ndarray, "256 2048 3"]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything in the street that does not move.

    Attributes:
        road: its course.
        paint: its textures.
        static: all quads that do not move, in ground coordinates.
        parked: (X, Z, heading, half width, half length) of each parked car, for the shade under it.
    """

    road: Road
    paint: Paint
    static: Quads
    parked: Float[ndarray, "p 5"]


@dataclass
class _Painter:
    """Collects textures; `add` returns the index that the texture will have in the atlas."""

    rng: np.random.Generator
    painted: list[ndarray] = field(default_factory=list)

    def add(self, texture: ndarray) -> int:
        self.painted.append(texture.astype(np.float32))
        return len(self.painted) - 1


def paint_street(seed: int, *, fine_only: bool = False) -> Paint:
    """Paint all textures of a street.

    Args:
        fine_only: give the ground fine texture only, and paint panels of walls that have no other either.
    """
    painter = _Painter(np.random.default_rng([seed, 1]))
    ground = painter.add(textures.paint_ground(painter.rng))
    kit = _paint_kit(painter)
    sky = props.paint_sky(painter.rng).astype(np.float32)
    if fine_only:
        painter.painted[ground] = fine.paint_fine_ground(painter.rng).astype(np.float32)
        kit = replace(kit, panels=tuple(painter.add(fine.paint_panel(painter.rng)) for _ in range(_PANELS)))
    return Paint(kit=kit, atlas=build_atlas(painter.painted), ground=ground, sky=sky)


def build_scene(
    rng: np.random.Generator, road: Road, paint: Paint, *, reach_m: float, houses_only: bool = False
) -> Scene:
    """Line a road with houses, greenery and parked cars, from its start to reach_m.

    Args:
        rng: source of every choice.
        reach_m: s of the last object, metres.
        houses_only: leave out what stands nearer to the road than the houses.
    """
    parts: list[Quads] = []
    parked: list[ndarray] = []
    for side in (1, -1):
        parts += _houses(rng, road, paint.kit, side, reach_m)
        if houses_only:
            continue
        parts += _greenery(rng, road, paint.kit, side, reach_m)
        cars, places = _parked_cars(rng, road, paint.kit, side, reach_m)
        parts += cars
        parked += places
    return Scene(
        road=road,
        paint=paint,
        static=Quads.joined(parts),
        parked=np.array(parked).reshape(-1, 5),
    )


def _paint_kit(painter: _Painter) -> Kit:
    rng, add = painter.rng, painter.add
    posts = (
        add(props.paint_post(rng, (0.36, 0.28, 0.21), 0.3)),
        add(props.paint_post(rng, (0.45, 0.47, 0.48), 0.05)),
    )
    return Kit(
        houses=tuple(_paint_house(painter, i) for i in range(16)),
        roofs=tuple(
            add(props.paint_roof(rng, c)) for c in ((0.55, 0.26, 0.19), (0.36, 0.33, 0.33), (0.46, 0.34, 0.26))
        ),
        crowns=tuple(add(props.paint_leaves(rng, 256, 256, GREENS[i % 4], "crown")) for i in range(8)),
        rows=tuple(add(props.paint_leaves(rng, 64, 512, GREENS[i % 4], "row")) for i in range(4)),
        fences=(
            add(props.paint_fence(rng, (0.52, 0.38, 0.26))),
            add(props.paint_fence(rng, (0.75, 0.74, 0.70))),
            add(props.paint_flat(rng, (0.74, 0.70, 0.64), 0.01)),
        ),
        posts=posts,
        plates=tuple(
            add(props.paint_flat(rng, c, 0.02)) for c in ((0.1, 0.25, 0.65), (0.75, 0.1, 0.1), (0.9, 0.75, 0.1))
        ),
        cars=tuple(_paint_car(painter, i) for i in range(11)),
    )


def _paint_house(painter: _Painter, number: int) -> HouseTextures:
    rng = painter.rng
    floors = int(rng.choice([2, 2, 3, 3, 4]))
    width, height = rng.uniform(7.5, 17), floors * rng.uniform(2.7, 3.1)
    # Every eighth front is a plain wall: a surface without texture, where any depth fits.
    style = HouseStyle(
        wall=WALLS[number % len(WALLS)],
        trim=((0.9, 0.89, 0.85), (0.78, 0.74, 0.66), (0.35, 0.31, 0.29))[int(rng.integers(3))],
        floors=floors,
        window_share=0.0 if number % 8 == 7 else 0.94,
        brick=bool(rng.uniform() < 0.55),
        shop=bool(rng.uniform() < 0.3) and number % 8 != 7,
    )
    end = HouseStyle(wall=style.wall, trim=style.trim, floors=floors, window_share=0.3, brick=style.brick, shop=False)
    return HouseTextures(
        front=painter.add(textures.paint_wall(rng, style, width_m=width, height_m=height, columns=256)),
        side=painter.add(textures.paint_wall(rng, end, width_m=9.0, height_m=height, columns=128)),
        gable=painter.add(props.paint_gable(rng, style.wall)),
        width_m=width,
        height_m=height,
    )


def _paint_car(painter: _Painter, number: int) -> CarDesign:
    rng, add = painter.rng, painter.add
    outline, width = ((HATCHBACK, 1.74), (SEDAN, 1.80), (HATCHBACK, 1.74), (VAN, 1.95))[number % 4]
    # Vans are plain white: a large area without texture on an object that moves.
    colour = (0.90, 0.90, 0.89) if outline is VAN else PAINTS[number % len(PAINTS)]
    length, height = outline[-1][0], max(y for _, y in outline)
    return CarDesign(
        side=add(props.paint_car_side(colour, outline, length, height)),
        rear=add(props.paint_car_end(rng, colour, True)),
        front=add(props.paint_car_end(rng, colour, False)),
        paint=add(props.paint_flat(rng, colour, 0.012)),
        glass=add(props.paint_glass(colour)),
        tyre=add(props.paint_flat(rng, (0.07, 0.07, 0.08), 0.01)),
        outline=outline,
        width_m=width,
        length_m=length,
        height_m=height,
    )


def _houses(rng: np.random.Generator, road: Road, kit: Kit, side: int, reach_m: float) -> list[Quads]:
    """A row of houses along the pavement, with gaps; a taller row behind it; and a line of trees at the back.

    Without the second row and the trees, the gaps would show the sky, which has no depth to learn.
    """
    parts: list[Quads] = []
    sun = 1.0 if side > 0 else 0.80  # the sun stands on the left, and lights the fronts on the right
    # Per row: nearest and farthest distance from the centre line, a quarter of the widest gap, share of narrow gaps,
    # and scale of the roofs.
    rows = ((10.0, 14.0, 5.0, 0.62, 1.0), (30.0, 48.0, 18.0, 1.0, 1.35))
    for near, far, gap, tight, scale in rows:
        s = road.start_m + rng.uniform(0, 8)
        while s < reach_m:
            design = kit.houses[int(rng.integers(len(kit.houses)))]
            d, deep = side * rng.uniform(near, far), rng.uniform(7.5, 11)
            s += design.width_m / 2
            roof_m = 0.0 if design.height_m > 10.5 else deep / 2 * rng.uniform(0.6, 0.95)
            # Houses share 16 designs; a tint of their own keeps neighbours of one design apart.
            tint = np.clip(rng.normal(1, 0.025, 3), 0.94, 1.06) * rng.uniform(0.88, 1.08)
            built = house(
                design,
                roof=kit.roofs[int(rng.integers(len(kit.roofs)))],
                depth_m=deep,
                roof_m=roof_m * scale,
                side=side,
                tint=(float(tint[0]), float(tint[1]), float(tint[2])),
                sun=sun,
            )
            parts += _stand(road, built, s, d, 9.2)
            s += design.width_m / 2 + (rng.uniform(0.3, 2.5) if rng.uniform() < tight else rng.uniform(5, 4 * gap))
    for s in np.arange(road.start_m, reach_m, 38.0):
        row = box((1.0, rng.uniform(8, 13), 42.0), (kit.rows[0], kit.rows[int(rng.integers(4))]), cutout=True)
        parts += _stand(road, row, s, side * rng.uniform(55, 64), 30.0)
    return parts


def _greenery(rng: np.random.Generator, road: Road, kit: Kit, side: int, reach_m: float) -> list[Quads]:
    """Trees, hedges, fences, walls, lamps and signs between the road and the houses."""
    parts: list[Quads] = []
    s = road.start_m + rng.uniform(0, 10)
    while s < reach_m:
        picks = rng.integers(len(kit.crowns), size=4)
        grown = tree(
            [kit.crowns[int(i)] for i in picks],
            kit.posts[0],
            height_m=rng.uniform(5.0, 8.0),
            radius_m=rng.uniform(1.6, 3.0),
            offsets=rng.uniform(-1, 1, (4, 3)),
        )
        garden = rng.uniform() < 0.35
        parts += _stand(road, grown, s, side * (rng.uniform(15, 27) if garden else rng.uniform(7.0, 7.6)), 4.2)
        s += rng.uniform(5, 22)
    for s in np.arange(road.start_m + 6, reach_m, 27.0):
        parts += _stand(road, lamp(kit.posts[1], kit.posts[1], side), s + rng.uniform(-3, 3), side * 6.15, 4.2)
        plate = kit.plates[int(rng.integers(len(kit.plates)))]
        parts += _stand(road, sign(kit.posts[1], plate), s + rng.uniform(6, 20), side * 6.3, 5.6)
    s = road.start_m
    while s < reach_m:
        length, kind = rng.uniform(4, 14), int(rng.integers(6))
        if kind < 3:
            fence = kit.fences[kind]
            built = box((0.12, rng.uniform(0.8, 1.7), length), (fence, fence))
        else:
            leaves = kit.rows[int(rng.integers(len(kit.rows)))]
            built = box((0.7, rng.uniform(0.9, 2.0), length), (leaves, leaves), cutout=True)
        parts += _stand(road, built, s + length / 2, side * rng.uniform(8.5, 9.4), 8.0)
        s += length + rng.uniform(1, 14)
    return parts


def _parked_cars(
    rng: np.random.Generator, road: Road, kit: Kit, side: int, reach_m: float
) -> tuple[list[Quads], list[ndarray]]:
    parts: list[Quads] = []
    places: list[ndarray] = []
    s = road.start_m + rng.uniform(2, 12)
    while s < reach_m:
        design = kit.cars[int(rng.integers(len(kit.cars)))]
        place, heading = road.place(s, side * rng.uniform(4.5, 4.7))
        turned = heading + (0.0 if side > 0 else np.pi)
        parts.append(car(design).placed(place, turned))
        places.append(np.array([*place, turned, design.width_m / 2, design.length_m / 2]))
        s += rng.uniform(6.0, 8.5) if rng.uniform() < 0.55 else rng.uniform(12, 34)
    return parts, places


def _stand(road: Road, built: Quads, s: float, d: float, clear_m: float) -> list[Quads]:
    """Place an object at (s, d), unless it comes closer than clear_m to the road's centre line, as it may in a bend."""
    place, heading = road.place(s, d)
    placed = built.placed(place, heading)
    corners = placed.origin[:, None] + np.stack(
        [np.zeros_like(placed.edge_u), placed.edge_u, placed.edge_v, placed.edge_u + placed.edge_v], axis=1
    )
    return [placed] if road.clearance_m(corners.reshape(-1, 3)[:, [0, 2]]) > clear_m else []
