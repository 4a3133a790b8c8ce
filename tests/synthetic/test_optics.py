"""The directions of samples, and where in the image of a pinhole a parallelogram can show."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.geometry.camera import Camera
from selfdepth.synthetic.optics import NEAR_M, Grid, PinholeOptics, extremes, sample_positions

CAMERA = Camera(fx=20.0, fy=25.0, cx=19.0, cy=9.0, width=40, height=24)
OPTICS = PinholeOptics(CAMERA)
WALL = np.array([[[-2.0, -1, 5], [2, -1, 5], [2, 1, 5], [-2, 1, 5]]])


def test_samples_lie_evenly_in_their_pixels() -> None:
    xs, ys = sample_positions(CAMERA, 2)
    assert xs[:4].tolist() == [-0.25, 0.25, 0.75, 1.25] and (len(xs), len(ys)) == (80, 48)
    assert sample_positions(CAMERA, 1)[0].tolist() == list(range(40))


def test_the_direction_of_a_pixel_is_its_ray() -> None:
    grid = OPTICS.grid(1)
    assert grid.shape == (24, 40)
    x, y, z = (grid.plane(row)[3, 7] for row in OPTICS.to_directions)
    assert (x, y, z) == pytest.approx(((7 - 19) / 20, (3 - 9) / 25, 1.0))


def _table(grid: Grid) -> Grid:
    """The same samples, each with a direction and slopes of its own."""
    x, y = (np.array(np.broadcast_to(each, grid.shape)) for each in (grid.x, grid.y))
    slopes = np.zeros((2, 3, *grid.shape))
    slopes[0, 0] = slopes[1, 1] = 1
    return Grid(x=x, y=y, z=np.ones(grid.shape), slopes=slopes)


def test_columns_and_rows_of_a_pinhole_stand_for_a_table_of_all_samples() -> None:
    grid, c = OPTICS.grid(2), np.array([0.3, -0.7, 2.0])
    table = _table(grid)
    assert np.array_equal(grid.plane(c), table.plane(c))
    window = slice(3, 9), slice(20, 31)
    several = np.stack([c, -2 * c])
    expected = np.stack([table.plane(each)[window] for each in several])
    assert np.array_equal(grid.planes(several, *window), expected)
    assert np.array_equal(table.planes(several, *window), expected)
    rows, columns = np.array([0, 5, 47]), np.array([79, 2, 11])
    some, same = grid.at(rows, columns), table.at(rows, columns)
    np.testing.assert_allclose(some.value(c), table.plane(c)[rows, columns], rtol=1e-12)
    each = np.stack([c, 2 * c, -c])
    np.testing.assert_allclose(some.value(each), some.value(c) * [1, 2, -1], rtol=1e-12)
    assert np.array_equal(same.value(each), some.value(each))
    for axis in (0, 1):
        assert np.array_equal(some.slope(each, axis), each[:, axis])
        assert np.array_equal(same.slope(each, axis), each[:, axis])


def test_a_wall_ahead_lies_in_the_box_of_its_corners() -> None:
    boxes = OPTICS.boxes(WALL)
    assert boxes[0] == pytest.approx([19 - 8, 19 + 8, 9 - 5, 9 + 5])
    assert OPTICS.extents(WALL, boxes)[0] == pytest.approx([16, 10])
    assert [float(each[0]) for each in OPTICS.distances(WALL)] == [5, 5]


def test_a_wall_that_passes_the_camera_is_cut_off_where_drawing_begins() -> None:
    beside = np.array([[[2.0, -1, -3], [2, -1, 7], [2, 1, 7], [2, 1, -3]]])
    x0, x1, y0, y1 = OPTICS.boxes(beside)[0]
    assert x0 == pytest.approx(19 + 20 * 2 / 7) and x1 == pytest.approx(19 + 20 * 2 / NEAR_M)
    assert (y0, y1) == pytest.approx((9 - 25 / NEAR_M, 9 + 25 / NEAR_M))
    assert np.isinf(OPTICS.boxes(beside - np.array([0, 0, 20.0]))).all(), "behind the camera there is no box"


def test_without_a_valid_point_there_is_no_extreme() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = extremes(x, x + 10, np.array([[True, True], [False, False]]))
    assert found.tolist() == [[1, 2, 11, 12], [np.inf, -np.inf, np.inf, -np.inf]]
