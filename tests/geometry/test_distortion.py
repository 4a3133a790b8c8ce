"""The distortion of the image plane: it agrees with OpenCV, and its inverse ends where the plane folds."""

import math

import cv2
import numpy as np
import pytest
import torch

from selfdepth.geometry.distortion import FARTHEST, distort, invert_increasing, largest_radius, undistort
from selfdepth.geometry.lens import Lens

BARREL = (-0.35, 0.12, 1e-3, -8e-4, -0.02, 0.0, 0.0, 0.0)
RATIONAL = (0.9, 0.11, -2e-4, 3e-4, 0.004, 1.25, 0.34, 0.02)
PINCUSHION = (0.08, 0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
MANY = {"barrel": BARREL, "rational": RATIONAL, "pincushion": PINCUSHION}


def values(coefficients):
    return [torch.tensor(value, dtype=torch.float64) for value in coefficients]


def disc(radius, n=4000, seed=0):
    rng = np.random.default_rng(seed)
    r, angle = radius * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    return torch.from_numpy(r * np.cos(angle)), torch.from_numpy(r * np.sin(angle))


@pytest.mark.parametrize("c", MANY.values(), ids=MANY)
def test_distortion_agrees_with_opencv_to_the_edge_of_validity(c):
    x, y = disc(min(largest_radius(c), 3.0))
    ours = torch.stack(distort(values(c), x, y), -1).numpy()
    points = np.stack([x.numpy(), y.numpy(), np.ones(len(x))], -1)
    theirs, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), np.array(c))
    np.testing.assert_allclose(ours, theirs[:, 0], atol=1e-9)


@pytest.mark.parametrize("c", MANY.values(), ids=MANY)
def test_undistortion_is_the_inverse_to_the_edge_of_validity(c):
    limit = min(largest_radius(c), 3.0)
    x, y = disc(limit * (1 - 1e-6))
    back_x, back_y, valid = undistort(values(c), torch.tensor(limit, dtype=torch.float64), *distort(values(c), x, y))
    assert valid.all()
    np.testing.assert_allclose(back_x.numpy(), x.numpy(), atol=1e-7)
    np.testing.assert_allclose(back_y.numpy(), y.numpy(), atol=1e-7)


def test_undistortion_agrees_with_opencvs_where_that_converges():
    x, y = disc(0.5)
    a, b, _ = undistort(values(BARREL), torch.tensor(largest_radius(BARREL), dtype=torch.float64), x, y)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    seen = np.stack([x, y], -1)[:, None]
    theirs = cv2.undistortPoints(seen, np.eye(3), np.array(BARREL), criteria=criteria)
    np.testing.assert_allclose(np.stack([a, b], -1), theirs[:, 0], atol=1e-8)


def test_a_barrel_ends_where_its_radius_no_longer_grows():
    # d/dr (r - r^3 / 12) = 1 - r^2 / 4
    assert largest_radius((-1 / 12, 0, 0, 0, 0, 0, 0, 0)) == pytest.approx(2)


def test_a_denominator_that_becomes_zero_ends_the_lens_too():
    assert largest_radius((0, 0, 0, 0, 0, -0.25, 0, 0)) == pytest.approx(2, abs=0.01)


def test_without_a_fold_the_lens_ends_just_before_the_plane_of_the_camera():
    assert largest_radius((0,) * 8) == FARTHEST
    assert math.degrees(math.atan(FARTHEST)) == pytest.approx(89.5)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("tiny", [1e-300, -5e-324])
def test_coefficients_too_small_to_matter_do_not_overflow(tiny):
    assert largest_radius((-0.35, tiny, 0, 0, tiny, 0, 0, tiny)) == largest_radius((-0.35, 0, 0, 0, 0, 0, 0, 0))
    assert Lens("kannala-brandt", (-0.05, 0, 0, tiny)).limit == Lens("kannala-brandt", (-0.05,)).limit


def test_tangential_distortion_may_fold_the_plane_earlier():
    radial = (-0.2, 0, 0, 0, 0, 0, 0, 0)
    limit = largest_radius((-0.2, 0, 0.05, 0.02, 0, 0, 0, 0))
    assert limit < largest_radius(radial)
    x, y = disc(limit)
    c = values((-0.2, 0, 0.05, 0.02, 0, 0, 0, 0))
    x.requires_grad_()
    y.requires_grad_()
    u, v = distort(c, x, y)
    ux, uy = torch.autograd.grad(u.sum(), (x, y), retain_graph=True)
    vx, vy = torch.autograd.grad(v.sum(), (x, y))
    assert (ux * vy - uy * vx > 0).all()


def test_what_lies_beyond_the_fold_has_no_inverse_and_stays_finite():
    c, limit = values((-1 / 12, 0, 0, 0, 0, 0, 0, 0)), torch.tensor(2.0, dtype=torch.float64)
    x = torch.tensor([1.33, 1.34, 50.0], dtype=torch.float64)  # the plane is seen up to 2 - 8 / 12
    a, _, valid = undistort(c, limit, x, torch.zeros_like(x))
    assert valid.tolist() == [True, False, False]
    assert torch.isfinite(a).all()


def test_the_inverse_of_an_increasing_function_is_found_in_its_bracket():
    upper = torch.tensor(2.0, dtype=torch.float64)
    x = torch.linspace(0, 2, 101, dtype=torch.float64)
    found = invert_increasing(lambda t: (t**5, 5 * t**4), x**5, upper)
    np.testing.assert_allclose(found.numpy(), x.numpy(), atol=1e-3)  # flat at 0
    assert invert_increasing(lambda t: (t, torch.ones_like(t)), torch.tensor([7.0]).double(), upper).item() == 2
