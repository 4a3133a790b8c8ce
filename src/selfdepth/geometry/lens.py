"""Lenses: where on the image plane a camera sees a direction.

A lens acts on the normalised image plane: whatever it does, the pixel is u = fx x + cx, v = fy y + cy. So a crop and a
resize change fx, fy, cx and cy alone, and of a flip the lens need only be mirrored.

brown: radial and tangential distortion of a pinhole's image (distortion.py).
kannala-brandt: radius = t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8), where t is the angle from the axis (Kannala and
    Brandt, 2006); OpenCV's fisheye, ROS's equidistant.
ucm: the unified model: (x, y) / (z + xi |X|), then the distortion k1 k2 p1 p2 (Mei and Rives, 2007); KITTI-360.
eucm: (x, y) / (alpha d + (1 - alpha) z), d^2 = beta (x^2 + y^2) + z^2 (Khomutenko et al., 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from selfdepth.errors import DataError
from selfdepth.geometry.distortion import NEGLIGIBLE, distort, invert_increasing, largest_radius, undistort, within

LensModel = Literal["pinhole", "brown", "kannala-brandt", "ucm", "eucm"]
N_COEFFICIENTS: dict[str, int] = {"pinhole": 0, "brown": 8, "kannala-brandt": 4, "ucm": 5, "eucm": 2}
NAMES: dict[str, tuple[str, ...]] = {
    "pinhole": (),
    "brown": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "kannala-brandt": ("k1", "k2", "k3", "k4"),
    "ucm": ("xi", "k1", "k2", "p1", "p2"),
    "eucm": ("alpha", "beta"),
}
"""The coefficients of each model, in their order."""
_MIN_Z = 1e-6
"""Smallest z in front of a pinhole, as in warp.py."""
_BEHIND = 1e-4
"""How far before the last direction that UCM and EUCM see they end: there, directions meet in one point."""


@dataclass(frozen=True)
class Lens:
    """A lens model with its coefficients.

    Attributes:
        model: its name.
        coefficients: in the order of `NAMES`; missing ones at the end are 0.

    Raises:
        DataError: for an unknown model, too many coefficients, one that is not finite, or one outside its range.
    """

    model: LensModel = "pinhole"
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in get_args(LensModel):
            raise DataError("unknown lens model", expected=", ".join(get_args(LensModel)), got=str(self.model)[:40])
        n = N_COEFFICIENTS[self.model]
        given = tuple(float(value) for value in self.coefficients)
        if len(given) > n:
            raise DataError(f"too many coefficients for the lens model {self.model}", expected=str(n), got=f"{given}")
        if not all(map(math.isfinite, given)):
            raise DataError(f"a coefficient of the lens {self.model} is not finite", expected="numbers", got=f"{given}")
        object.__setattr__(self, "coefficients", given + (0.0,) * (n - len(given)))
        c = self.coefficients
        if self.model == "ucm" and c[0] < 0:
            raise DataError("invalid xi of the lens", expected="0 or more", got=f"{c[0]:g}")
        if self.model == "eucm" and not (0 <= c[0] <= 1 and c[1] > 0):
            raise DataError(
                "invalid lens eucm", expected="alpha from 0 to 1, beta above 0", got=f"alpha {c[0]:g}, beta {c[1]:g}"
            )

    @property
    def is_pinhole(self) -> bool:
        """Whether the lens does nothing."""
        return self.model == "pinhole" or (self.model == "brown" and not any(self.coefficients))

    @cached_property
    def limit(self) -> float:
        """Where the lens ends: the largest radius in the ideal plane (brown; ucm, before its distortion), the largest
        angle in radians (kannala-brandt), or the largest radius of the image (eucm)."""
        c = self.coefficients
        if self.model == "kannala-brandt":
            return _largest_angle(c)
        if self.model == "ucm":
            radius = largest_radius((*c[1:], 0, 0, 0, 0))
            return radius if c[0] <= 1 else min(radius, 1 / math.sqrt(c[0] ** 2 - 1))
        if self.model == "eucm":
            alpha, beta = c
            return largest_radius((0.0,) * 8) if alpha <= 0.5 else 1 / math.sqrt(beta * (2 * alpha - 1))
        return largest_radius(c or (0.0,) * 8)

    @property
    def values(self) -> tuple[float, ...]:
        """The coefficients, then `limit`: what `project` and `unproject` take."""
        return (*self.coefficients, self.limit)

    def mirrored(self) -> Lens:
        """The lens of the same images flipped left to right."""
        return replace(self, coefficients=mirrored_values(self.model, self.coefficients))

    def to_json(self) -> dict[str, Any]:
        """The model and its coefficients, for JSON."""
        return {"model": self.model, "coefficients": list(self.coefficients)}

    @staticmethod
    def from_json(values: dict[str, Any] | None) -> Lens:
        """The inverse of `to_json`; None is a pinhole. Raises DataError, KeyError or TypeError for anything else."""
        return PINHOLE if values is None else Lens(values["model"], tuple(map(float, values["coefficients"])))


PINHOLE = Lens()


def mirrored_values(model: LensModel, values: tuple[float, ...]) -> tuple[float, ...]:
    """Coefficients (and what follows them) after a flip: p2 changes its sign."""
    if "p2" not in NAMES[model]:
        return values
    at = NAMES[model].index("p2")
    return (*values[:at], -values[at], *values[at + 1 :])


def project(
    model: LensModel, values: Sequence[Tensor], x: Tensor, y: Tensor, z: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Where points are seen on the normalised image plane. Differentiable in points and values.

    Args:
        values: `Lens.values`, each of a shape that broadcasts against the points.
        x, y, z: points in the camera's frame, in any unit, of one shape.

    Returns:
        x and y on the plane, and whether the lens sees the point. The place of one that it does not see is finite, and
        says nothing.
    """
    if model == "kannala-brandt":
        return _project_by_angle(values, x, y, z)
    if model == "ucm":
        return _project_unified(values, x, y, z)
    if model == "eucm":
        return _project_extended(values, x, y, z)
    limit = values[-1]
    in_front = z > _MIN_Z
    inverse_z = 1 / torch.where(in_front, z, torch.ones_like(z))
    a, b = x * inverse_z, y * inverse_z
    seen = in_front & (a * a + b * b <= limit * limit)
    a, b = within(a, b, limit)
    if model == "brown":
        a, b = distort(values[:8], a, b)
    return a, b, seen


@torch.no_grad()
def unproject(
    model: LensModel, values: Sequence[Tensor], x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The ray of each point of the normalised image plane, the inverse of `project`; without gradients.

    Returns:
        x, y and z of the unit ray, and whether the lens has one there; if not, the ray is finite and says nothing.
    """
    limit = values[-1]
    if model == "kannala-brandt":
        return _ray_by_angle(values, x, y)
    if model == "eucm":
        return _ray_extended(values, x, y)
    valid = torch.ones_like(x, dtype=torch.bool)
    if model == "brown":
        x, y, valid = undistort(values[:8], limit, x, y)
    elif model == "ucm":
        x, y, valid = undistort(_plane_distortion(values), limit, x, y)
    valid = valid & (x * x + y * y <= limit * limit)
    x, y = within(x, y, limit)
    s = x * x + y * y
    if model != "ucm":
        length = torch.sqrt(s + 1)
        return x / length, y / length, 1 / length, valid
    xi = values[0]
    inside = 1 + (1 - xi * xi) * s
    eta = (xi + torch.sqrt(inside.clamp(min=0))) / (1 + s)
    return eta * x, eta * y, eta - xi, valid & (inside >= 0)


def _plane_distortion(values: Sequence[Tensor]) -> tuple[Tensor, ...]:
    none = torch.zeros_like(values[1])
    return (*values[1:5], none, none, none, none)


def _project_by_angle(values: Sequence[Tensor], x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    limit, tiny = values[-1], torch.finfo(x.dtype).tiny ** 0.5
    square = x * x + y * y
    on_axis = square <= tiny
    radius = torch.sqrt(torch.where(on_axis, torch.ones_like(square), square))
    angle = torch.where(on_axis, torch.where(z > 0, 0.0, math.pi), torch.atan2(radius, z))
    seen = angle <= limit
    angle = torch.minimum(angle, limit.expand_as(angle))
    # On the axis the image is that of a pinhole, which has the gradient, too.
    scale = torch.where(on_axis, 1 / torch.where(z > _MIN_Z, z, torch.ones_like(z)), _distance(values, angle) / radius)
    return x * scale, y * scale, seen & ~(on_axis & (z <= 0))


def _ray_by_angle(values: Sequence[Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    limit = values[-1]
    radius = torch.sqrt(x * x + y * y)
    angle = invert_increasing(lambda t: (_distance(values, t), _slope(values, t)), radius, limit)
    inverse = 1 / radius.clamp(min=torch.finfo(x.dtype).tiny)
    sine = torch.sin(angle)
    valid = radius <= _distance(values, limit.expand_as(radius)) * (1 + 4 * torch.finfo(x.dtype).eps)
    return sine * x * inverse, sine * y * inverse, torch.cos(angle), valid


def _distance(values: Sequence[Tensor], t: Tensor) -> Tensor:
    """Radius in the image of an angle from the axis."""
    k1, k2, k3, k4 = values[:4]
    s = t * t
    return t * (1 + s * (k1 + s * (k2 + s * (k3 + s * k4))))


def _slope(values: Sequence[Tensor], t: Tensor) -> Tensor:
    k1, k2, k3, k4 = values[:4]
    s = t * t
    return 1 + s * (3 * k1 + s * (5 * k2 + s * (7 * k3 + s * 9 * k4)))


def _largest_angle(c: Sequence[float]) -> float:
    """The angle up to which the radius in the image increases; at most pi."""
    k1, k2, k3, k4 = c
    slope = np.polynomial.Polynomial([1, 3 * k1, 5 * k2, 7 * k3, 9 * k4]).trim(NEGLIGIBLE)  # in the square of the angle
    real = [root.real for root in slope.roots() if abs(root.imag) <= 1e-9 * (1 + abs(root)) and root.real > 0]
    return min(math.pi, math.sqrt(min(real)) if real else math.pi)


def _project_unified(values: Sequence[Tensor], x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    xi, limit = values[0], values[-1]
    length = torch.sqrt((x * x + y * y + z * z).clamp(min=torch.finfo(x.dtype).tiny))
    cosine = z / length
    # Farther back, a ray would be seen where another one is, or beyond infinity.
    seen = cosine > _BEHIND - torch.where(xi <= 1, xi, 1 / xi.clamp(min=1))
    inverse = 1 / torch.where(seen, z + xi * length, length)
    a, b = x * inverse, y * inverse
    seen = seen & (a * a + b * b <= limit * limit)
    a, b = distort(_plane_distortion(values), *within(a, b, limit))
    return a, b, seen


def _project_extended(values: Sequence[Tensor], x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    alpha, beta, limit = values
    d = torch.sqrt((beta * (x * x + y * y) + z * z).clamp(min=torch.finfo(x.dtype).tiny))
    last = torch.where(alpha <= 0.5, alpha / (1 - alpha).clamp(min=0.5), (1 - alpha) / alpha.clamp(min=0.5))
    seen = z / d > _BEHIND - last
    inverse = 1 / torch.where(seen, alpha * d + (1 - alpha) * z, d)
    a, b = x * inverse, y * inverse
    seen = seen & (a * a + b * b <= limit * limit)
    a, b = within(a, b, limit)
    return a, b, seen


def _ray_extended(values: Sequence[Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    alpha, beta, limit = values
    valid = x * x + y * y <= limit * limit
    x, y = within(x, y, limit)
    s = x * x + y * y
    root = torch.sqrt((1 - (2 * alpha - 1) * beta * s).clamp(min=0))
    z = (1 - beta * alpha * alpha * s) / (alpha * root + 1 - alpha).clamp(min=torch.finfo(x.dtype).eps)
    length = torch.sqrt(s + z * z)
    return x / length, y / length, z / length, valid
