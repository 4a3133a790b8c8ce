"""Kinds of streets, each hard for what one of the paper's three contributions is there for.

The plain street has a little of every difficulty. The others have much of one:

- `occlusions`: poles, bollards and young trees in close rows on both sides of the lane. They pass at 1.6 m, so that one
  of two neighbouring frames often does not see what the target sees (minimum reprojection).
- `comoving`: cars ahead in both lanes keep exactly the camera's speed, and all of them wait together for a quarter of
  the time (auto-mask). The camera neither sways nor nods: a motion of the picture would give the standing cars away.
- `fine`: walls and asphalt whose texture vanishes in an image averaged to an eighth (full-resolution multi-scale).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy import ndarray

from selfdepth.synthetic.fine import PANEL_HEIGHT_M, PANEL_LENGTH_M
from selfdepth.synthetic.objects import Face, Quads, box, quads, sign, tree
from selfdepth.synthetic.road import Road
from selfdepth.synthetic.scene import Kit, Scene

WALL_M = 5.95
"""Distance of the walls of `fine` from the road's centre line: behind the kerb."""
ROW_RIGHT_M, ROW_LEFT_M = 3.4, 0.0
"""Where the rows of `occlusions` stand: at the edge of the lane, and between the lanes."""


@dataclass(frozen=True, kw_only=True)
class Street:
    """What is particular about the streets of a kind.

    Attributes:
        rows: poles and trees stand close to the lane, on both sides.
        convoy: the cars ahead keep the camera's speed, and wait with it.
        fine: walls and ground have fine texture only, and nothing else stands beside the road but houses behind it.
        sway: factor on how much the camera sways and nods.
    """

    rows: bool = False
    convoy: bool = False
    fine: bool = False
    sway: float = 1.0


KINDS: dict[str, Street] = {
    "street": Street(),
    "occlusions": Street(rows=True),
    "comoving": Street(convoy=True, sway=0.0),
    "fine": Street(fine=True),
}
"""The kinds of `DriveSpec.kind`."""


def furnish(rng: np.random.Generator, scene: Scene, street: Street, *, reach_m: float) -> Scene:
    """Add what a kind of street has beyond the plain one.

    Args:
        rng: source of every choice; not used for a plain street.
        reach_m: s of the last object, metres.
    """
    parts: list[Quads] = []
    if street.rows:
        parts += _row(rng, scene.road, scene.paint.kit, ROW_RIGHT_M, reach_m)
        parts += _row(rng, scene.road, scene.paint.kit, ROW_LEFT_M, reach_m)
    if street.fine:
        parts += [wall for side in (1, -1) for wall in _walls(rng, scene.road, scene.paint.kit, side, reach_m)]
    return replace(scene, static=Quads.joined([scene.static, *parts])) if parts else scene


def _row(rng: np.random.Generator, road: Road, kit: Kit, d: float, reach_m: float) -> list[Quads]:
    """Poles, bollards, signs and young trees; between the lanes nothing that reaches over them."""
    parts: list[Quads] = []
    s = road.start_m + rng.uniform(0, 3)
    while s < reach_m:
        place, heading = road.place(s, d)
        parts.append(_slim(rng, kit, between_lanes=d == ROW_LEFT_M).placed(place, heading))
        s += rng.uniform(1.6, 3.4)
    return parts


def _slim(rng: np.random.Generator, kit: Kit, *, between_lanes: bool) -> Quads:
    choice, bark, metal = rng.uniform(), *kit.posts
    plate = kit.plates[int(rng.integers(len(kit.plates)))]
    if choice < 0.35:
        thick = rng.uniform(0.10, 0.18)
        return box((thick, rng.uniform(2.6, 4.5), thick), (metal, metal))
    if choice < 0.60 or between_lanes:
        return box((0.2, rng.uniform(0.9, 1.2), 0.2), (plate, plate)) if choice < 0.85 else sign(metal, plate)
    picks = rng.integers(len(kit.crowns), size=3)
    return tree(
        [kit.crowns[int(i)] for i in picks],
        bark,
        height_m=rng.uniform(4.4, 5.6),
        radius_m=rng.uniform(0.8, 1.1),
        offsets=rng.uniform(-1, 1, (3, 3)),
    )


def _walls(rng: np.random.Generator, road: Road, kit: Kit, side: int, reach_m: float) -> list[Quads]:
    """A wall along one side, in panels that meet at their ends in bends too."""
    ends = np.arange(road.start_m, reach_m, PANEL_LENGTH_M)
    corners = [road.place(float(s), side * WALL_M)[0] for s in ends]
    return [_panel(begin, end, kit.panels[int(rng.integers(len(kit.panels)))]) for begin, end in pairwise(corners)]


def _panel(begin: ndarray, end: ndarray, texture: int) -> Quads:
    along = end - begin
    return quads(
        [
            Face(
                (float(begin[0]), -PANEL_HEIGHT_M, float(begin[1])),
                (float(along[0]), 0, float(along[1])),
                (0, PANEL_HEIGHT_M, 0),
                texture,
            )
        ]
    )
