"""Radial and tangential distortion of the image plane (Brown, 1971), with OpenCV's rational radial factor.

    x' = x N(s) / D(s) + 2 p1 x y + p2 (s + 2 x^2),    y' = y N(s) / D(s) + p1 (s + 2 y^2) + 2 p2 x y,
    s = x^2 + y^2,    N = 1 + k1 s + k2 s^2 + k3 s^3,    D = 1 + k4 s + k5 s^2 + k6 s^3

Beyond a certain radius most calibrations fold the plane back on itself. `largest_radius` is where that begins, and
nothing is distorted or undistorted beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

FARTHEST = math.tan(math.radians(89.5))
"""Radius in the image plane at which even a lens that never folds ends: half a degree before the plane z = 0."""
NEGLIGIBLE = 1e-40
"""Coefficients of a polynomial in the squared radius that change nothing out to `FARTHEST`. The roots divide by the
last one, and would overflow."""
_ANGLES, _RADII = 64, 512
_NEWTON_STEPS = 40
_PLANE_STEPS = 12

Coefficients = Sequence[Tensor]
"""k1 k2 p1 p2 k3 k4 k5 k6, as OpenCV orders them, each of a shape that broadcasts against the points."""


def distort(c: Coefficients, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where a point of the ideal image plane is seen. Differentiable in all arguments."""
    s = x * x + y * y
    factor, p1, p2 = _radial_factor(c, s), c[2], c[3]
    return (
        x * factor + 2 * p1 * x * y + p2 * (s + 2 * x * x),
        y * factor + p1 * (s + 2 * y * y) + 2 * p2 * x * y,
    )


def undistort(c: Coefficients, limit: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The inverse of `distort` within the radius `limit`.

    Returns:
        x and y in the ideal plane, and whether the point has an inverse there. Points without one come back finite.
    """
    radius = torch.sqrt(x * x + y * y)
    # Without the tangential part the inverse is that of one increasing function, which cannot miss.
    inner = invert_increasing(lambda r: _radial(c, r), radius, limit)
    scale = torch.where(radius > 0, inner / radius.clamp(min=torch.finfo(x.dtype).tiny), torch.ones_like(radius))
    a, b = x * scale, y * scale
    for _ in range(_PLANE_STEPS):
        da, db = _newton_step(c, a, b, x, y)
        a, b = within(a - da, b - db, limit)
    seen_x, seen_y = distort(c, a, b)
    error = (seen_x - x).abs() + (seen_y - y).abs()
    tolerance = 1e3 * torch.finfo(x.dtype).eps * (1 + radius)
    return a, b, (error <= tolerance) & (a * a + b * b <= limit * limit)


def largest_radius(c: Sequence[float]) -> float:
    """The radius of the ideal plane within which no two points are seen at one place; at most `FARTHEST`."""
    k1, k2, p1, p2, k3, k4, k5, k6 = c
    N, D = np.polynomial.Polynomial([1, k1, k2, k3]), np.polynomial.Polynomial([1, k4, k5, k6])
    s = np.polynomial.Polynomial([0, 1])
    # d/dr of r N / D, times D^2, as a polynomial in s = r^2. The lens ends where it is 0, or where D is.
    slope = (N + 2 * s * N.deriv()) * D - 2 * s * N * D.deriv()
    limit = min(FARTHEST, *(_first_root(each) for each in (slope, D)))
    if p1 == p2 == 0:
        return limit
    return _before_tangential_fold(c, limit)


def within(x: Tensor, y: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Points farther out than `limit` moved there along their radius."""
    square = x * x + y * y
    # The square root has no gradient at 0, so it is taken of what it is needed for.
    outside = square > limit * limit
    scale = torch.where(outside, limit / torch.sqrt(torch.where(outside, square, torch.ones_like(square))), 1.0)
    return x * scale, y * scale


def invert_increasing(function: Callable[[Tensor], tuple[Tensor, Tensor]], values: Tensor, upper: Tensor) -> Tensor:
    """The arguments in [0, upper] at which a smooth increasing function with f(0) = 0 has these values.

    Newton's method, with the midpoint of the bracket wherever a step would leave it. Values beyond f(upper) give upper.

    Args:
        function: returns f and its derivative.
    """
    low, high = torch.zeros_like(values), upper.expand_as(values)
    at = torch.minimum(values, high)
    for _ in range(_NEWTON_STEPS):
        f, slope = function(at)
        difference = f - values
        low, high = torch.where(difference < 0, at, low), torch.where(difference > 0, at, high)
        step = at - difference / torch.where(slope == 0, torch.ones_like(slope), slope)
        inside = (step >= low) & (step <= high) & (slope > 0)
        at = torch.where(difference == 0, at, torch.where(inside, step, (low + high) / 2))
    return at


def _radial_factor(c: Coefficients, s: Tensor) -> Tensor:
    k1, k2, _, _, k3, k4, k5, k6 = c
    return (1 + s * (k1 + s * (k2 + s * k3))) / (1 + s * (k4 + s * (k5 + s * k6)))


def _radial(c: Coefficients, r: Tensor) -> tuple[Tensor, Tensor]:
    """The distorted radius without the tangential part, and its derivative."""
    factor, slope = _factor_and_slope(c, r * r)
    return r * factor, factor + slope * r * r


def _factor_and_slope(c: Coefficients, s: Tensor) -> tuple[Tensor, Tensor]:
    """The radial factor, and m such that its derivative by x is m x."""
    k1, k2, _, _, k3, k4, k5, k6 = c
    n, d = 1 + s * (k1 + s * (k2 + s * k3)), 1 + s * (k4 + s * (k5 + s * k6))
    dn, dd = k1 + s * (2 * k2 + s * 3 * k3), k4 + s * (2 * k5 + s * 3 * k6)
    return n / d, 2 * (dn * d - n * dd) / (d * d)


def _newton_step(c: Coefficients, a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """What to subtract from (a, b) to be seen at (x, y), to first order."""
    seen_x, seen_y = distort(c, a, b)
    xx, xy, yy = _jacobian(c, a, b)
    determinant = xx * yy - xy * xy
    determinant = torch.where(determinant.abs() < torch.finfo(a.dtype).eps, torch.ones_like(a), determinant)
    ex, ey = seen_x - x, seen_y - y
    return (yy * ex - xy * ey) / determinant, (xx * ey - xy * ex) / determinant


def _jacobian(c: Coefficients, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """dx'/dx, dx'/dy = dy'/dx, dy'/dy."""
    p1, p2 = c[2], c[3]
    factor, slope = _factor_and_slope(c, a * a + b * b)
    return (
        factor + slope * a * a + 2 * p1 * b + 6 * p2 * a,
        slope * a * b + 2 * p1 * a + 2 * p2 * b,
        factor + slope * b * b + 6 * p1 * b + 2 * p2 * a,
    )


def _first_root(polynomial: np.polynomial.Polynomial) -> float:
    """The radius r at which a polynomial in r^2 first becomes 0; infinite if never."""
    roots = polynomial.trim(NEGLIGIBLE).roots()
    real = [root.real for root in roots if abs(root.imag) <= 1e-9 * (1 + abs(root)) and root.real > 0]
    return math.sqrt(min(real)) if real else math.inf


def _before_tangential_fold(c: Sequence[float], limit: float) -> float:
    """The radius up to which the plane does not fold in any direction, to 1/512 of `limit`."""
    radius = torch.linspace(0, limit, _RADII, dtype=torch.float64)[:, None]
    angle = torch.linspace(0, 2 * math.pi, _ANGLES + 1, dtype=torch.float64)[None, :-1]
    values = [torch.tensor(value, dtype=torch.float64) for value in c]
    xx, xy, yy = _jacobian(values, radius * angle.cos(), radius * angle.sin())
    # At 0 both eigenvalues are 1, and neither passes 0 before their product does.
    folded = ((xx * yy - xy * xy) <= 0).any(1)
    folded[-1] = True
    return float(radius[int(folded.to(torch.int8).argmax()) - 1])
