"""The objects along the rendered street, each a few textured parallelograms in a frame of its own.

The frame of an object: x to the right of the road, y down with 0 at the ground, z along the road; metres. Only the
faces that a camera on the road can see are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

Vector = tuple[float | int, float | int, float | int]


@dataclass(frozen=True, kw_only=True)
class Quads:
    """Textured parallelograms: points origin + u edge_u + v edge_v with u, v in [0, 1].

    Attributes:
        origin: corner at u = v = 0, metres.
        edge_u, edge_v: edges from the origin, metres.
        texture: index in the atlas.
        tint: factor on the RGB of the texture.
        cutout: whether the alpha of the texture cuts a shape out of the parallelogram.
    """

    origin: Float[ndarray, "n 3"]
    edge_u: Float[ndarray, "n 3"]
    edge_v: Float[ndarray, "n 3"]
    texture: Int[ndarray, "n"]
    tint: Float[ndarray, "n 3"]
    cutout: Bool[ndarray, "n"]

    def placed(self, position: Float[ndarray, "2"], heading_rad: float) -> Quads:
        """The same quads at the ground point (X, Z), turned to a heading (0 is along Z, positive turns right)."""
        cos, sin = np.cos(heading_rad), np.sin(heading_rad)
        # Transposed, because points are rows here.
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T
        return Quads(
            origin=self.origin @ turn + np.array([position[0], 0.0, position[1]]),
            edge_u=self.edge_u @ turn,
            edge_v=self.edge_v @ turn,
            texture=self.texture,
            tint=self.tint,
            cutout=self.cutout,
        )

    @staticmethod
    def joined(parts: Sequence[Quads]) -> Quads:
        """The quads of all parts, in their order."""
        return Quads(
            origin=np.concatenate([part.origin for part in parts]),
            edge_u=np.concatenate([part.edge_u for part in parts]),
            edge_v=np.concatenate([part.edge_v for part in parts]),
            texture=np.concatenate([part.texture for part in parts]),
            tint=np.concatenate([part.tint for part in parts]),
            cutout=np.concatenate([part.cutout for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.texture)


@dataclass(frozen=True)
class Face:
    """One quad as it is written down: the fields of `Quads`, with one light for all channels or one for each."""

    origin: Vector
    edge_u: Vector
    edge_v: Vector
    texture: int
    light: float | Vector = 1.0
    cutout: bool = False


def quads(faces: Sequence[Face]) -> Quads:
    """Convert faces to arrays."""
    return Quads(
        origin=np.array([face.origin for face in faces], float),
        edge_u=np.array([face.edge_u for face in faces], float),
        edge_v=np.array([face.edge_v for face in faces], float),
        texture=np.array([face.texture for face in faces], np.int64),
        tint=np.array([np.broadcast_to(face.light, 3) for face in faces], float),
        cutout=np.array([face.cutout for face in faces], bool),
    )


@dataclass(frozen=True, kw_only=True)
class HouseTextures:
    """Texture indices of one house design, and its size in metres."""

    front: int
    side: int
    gable: int
    width_m: float
    height_m: float


def house(
    design: HouseTextures, *, roof: int, depth_m: float, roof_m: float, side: int, tint: Vector, sun: float
) -> Quads:
    """A house whose front faces the road.

    Args:
        roof: texture of the roof.
        depth_m: extent away from the road.
        roof_m: height of the roof; 0 for a flat one.
        side: 1 for a house right of the road, -1 for one left of it.
        tint: factor on the RGB of the walls.
        sun: light on the front. The wall towards the camera faces another way: it gets more where the front gets less.
    """
    w, h, deep = design.width_m, design.height_m, depth_m * side
    red, green, blue = tint
    front = (red * sun, green * sun, blue * sun)
    end_light = 1.75 - sun
    end = (red * end_light, green * end_light, blue * end_light)
    faces = [
        Face((0, -h, side * w / 2), (0, 0, -side * w), (0, h, 0), design.front, front),
        Face((min(0, deep), -h, -w / 2), (depth_m, 0, 0), (0, h, 0), design.side, end),
    ]
    if roof_m > 0:
        eave, over = -0.4 * side, 0.3  # the roof projects beyond the front and the end walls
        rise, run = roof_m + 0.15, deep / 2 - eave
        faces.append(
            Face(
                (deep / 2, -h - roof_m, side * (w / 2 + over)),
                (0, 0, -side * (w + 2 * over)),
                (-run, rise, 0),
                roof,
                sun,
            )
        )
        faces.append(
            Face((min(0, deep), -h - roof_m, -w / 2), (depth_m, 0, 0), (0, roof_m, 0), design.gable, end, True)
        )
    else:
        ledge = (0.0, -h - 0.25, side * w / 2)
        faces.append(Face(ledge, (0, 0, -side * w), (0, 0.3, 0), roof, sun * 0.8))
        faces.append(Face((min(0, deep), -h - 0.25, -w / 2), (depth_m, 0, 0), (0, 0.3, 0), roof, end_light * 0.8))
    return quads(faces)


def tree(
    crowns: Sequence[int], bark: int, *, height_m: float, radius_m: float, offsets: Float[ndarray, "n 3"]
) -> Quads:
    """A trunk, and irregular discs of leaves one behind the other. They occlude each other and the background.

    Args:
        crowns: texture of each disc.
        offsets: displacement of each disc (right, down) and its size, each from -1 to 1.
    """
    stem = height_m - 1.25 * radius_m
    trunk = 0.07 * radius_m + 0.07
    faces = [
        Face((-trunk, -stem, 0), (2 * trunk, 0, 0), (0, stem, 0), bark, 0.8),
        Face((0, -stem, -trunk), (0, 0, 2 * trunk), (0, stem, 0), bark, 0.7),
    ]
    depths = np.linspace(-0.75, 0.75, len(offsets))
    for i, (offset, z) in enumerate(zip(offsets, depths, strict=True)):
        r = radius_m * (1.0 - 0.25 * abs(z)) * (0.95 + 0.15 * offset[2])
        x, y = 0.22 * radius_m * offset[0], -stem - 0.35 * radius_m + 0.18 * radius_m * offset[1]
        light = 1.08 - 0.12 * i
        faces.append(
            Face((x - r, y - r, z * radius_m), (2 * r, 0, 0.15 * r * offset[0]), (0, 2 * r, 0), crowns[i], light, True)
        )
    return quads(faces)


def box(size_m: Vector, textures: tuple[int, int], cutout: bool = False) -> Quads:
    """A hedge, fence, wall, bin or post: its near end, both long sides and its top.

    Args:
        size_m: width, height and length.
        textures: of the end and of the sides.
        cutout: whether the textures have a shape. A box with one has no top, which would show as a flat lid.
    """
    w, h, length = size_m
    end, side = textures
    faces = [
        Face((-w / 2, -h, -length / 2), (w, 0, 0), (0, h, 0), end, 0.9, cutout),
        Face((-w / 2, -h, length / 2), (0, 0, -length), (0, h, 0), side, 0.75, cutout),
        Face((w / 2, -h, -length / 2), (0, 0, length), (0, h, 0), side, 1.0, cutout),
    ]
    if not cutout:
        faces.append(Face((-w / 2, -h, length / 2), (w, 0, 0), (0, 0, -length), end, 1.15))
    return quads(faces)


def lamp(post: int, head: int, side: int) -> Quads:
    """A street lamp whose arm reaches over the road. `side` is 1 right of the road and -1 left of it."""
    reach = -1.3 * side
    return quads(
        [
            Face((-0.08, -5.6, 0), (0.16, 0, 0), (0, 5.6, 0), post),
            Face((0, -5.6, -0.08), (0, 0, 0.16), (0, 5.6, 0), post, 0.8),
            Face((min(0, reach), -5.65, 0), (abs(reach), 0, 0), (0, 0.12, 0), head, 0.9),
            Face((reach - 0.25, -5.72, 0), (0.5, 0, 0), (0, 0.2, 0), head, 1.2),
        ]
    )


def sign(post: int, plate: int) -> Quads:
    """A traffic sign that faces the camera."""
    return quads(
        [
            Face((-0.04, -2.6, 0.02), (0.08, 0, 0), (0, 2.6, 0), post),
            Face((-0.35, -2.7, 0), (0.7, 0, 0), (0, 0.7, 0), plate),
        ]
    )


@dataclass(frozen=True, kw_only=True)
class CarDesign:
    """Texture indices, side view and size of one kind of car.

    Attributes:
        outline: (along, up) of the corners of its side view, metres, from the lower rear over the roof to the lower
            front.
    """

    side: int
    rear: int
    front: int
    paint: int
    glass: int
    tyre: int
    outline: tuple[tuple[float, float], ...]
    width_m: float
    length_m: float
    height_m: float


HATCHBACK = ((0.0, 0.3), (0.0, 0.92), (0.12, 0.98), (0.55, 1.42), (2.45, 1.45), (3.2, 0.97), (4.1, 0.82), (4.1, 0.28))
SEDAN = ((0.0, 0.3), (0.0, 0.92), (0.75, 0.98), (1.35, 1.40), (2.75, 1.42), (3.55, 0.95), (4.6, 0.80), (4.6, 0.28))
VAN = ((0.0, 0.35), (0.0, 1.1), (0.03, 1.2), (0.15, 2.1), (3.9, 2.15), (4.6, 1.3), (5.2, 1.05), (5.2, 0.3))


def car(design: CarDesign) -> Quads:
    """A car that faces along z, centred over the origin."""
    w, length, outline = design.width_m, design.length_m, design.outline
    # The corners of the side view, as (height, along). Between neighbours, a face spans the width of the car.
    lower, belt, shelf, back, roof, screen, nose, _ = [(y, z - length / 2) for z, y in outline]
    half = w / 2

    def across(top: tuple[float, float], bottom: tuple[float, float], texture: int, light: float) -> Face:
        rise, run = top[0] - bottom[0], bottom[1] - top[1]
        return Face((-half, -top[0], top[1]), (w, 0, 0), (0, rise, run), texture, light)

    height = design.height_m
    return quads(
        [
            Face((-half, -height, -length / 2), (0, 0, length), (0, height, 0), design.side, 0.82, True),
            Face((half, -height, -length / 2), (0, 0, length), (0, height, 0), design.side, 1.0, True),
            across(belt, lower, design.rear, 0.95),
            across(shelf, belt, design.paint, 1.15),
            across(back, shelf, design.glass, 1.0),
            across(roof, back, design.paint, 1.3),
            across(roof, screen, design.glass, 1.1),
            across(screen, nose, design.paint, 1.2),
            across(nose, (0.28, nose[1]), design.front, 0.95),
            *[
                Face((x, -0.4, z * length), (0.22, 0, 0), (0, 0.4, 0), design.tyre)
                for x in (-half + 0.02, half - 0.24)
                for z in (-0.36, 0.36)
            ],
        ]
    )
