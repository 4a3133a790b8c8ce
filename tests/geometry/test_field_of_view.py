"""Fields of view of every lens, beyond 180 degrees, too."""

from __future__ import annotations

import math

import pytest

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.field_of_view import horizontal_fov_deg
from selfdepth.geometry.lens import Lens


def _camera(lens: Lens, fx: float) -> Camera:
    return Camera(fx=fx, fy=fx, cx=319.5, cy=239.5, width=640, height=480, lens=lens)


@pytest.mark.parametrize("angle_deg", [10, 60, 120, 175])
def test_of_a_pinhole_it_is_the_angle_that_made_it(angle_deg: float) -> None:
    assert horizontal_fov_deg(Camera.from_fov(angle_deg, width=640, height=480)) == pytest.approx(angle_deg, abs=1e-9)


def test_off_the_middle_each_side_counts_for_itself() -> None:
    camera = Camera(fx=320, fy=320, cx=-0.5, cy=900, width=640, height=480)
    assert horizontal_fov_deg(camera) == pytest.approx(math.degrees(math.atan(2)))


@pytest.mark.parametrize("angle_deg", [60, 179, 190, 300])
def test_of_an_equidistant_lens_it_is_the_width_over_the_focal_length(angle_deg: float) -> None:
    camera = _camera(Lens("kannala-brandt"), 640 / math.radians(angle_deg))
    assert horizontal_fov_deg(camera) == pytest.approx(angle_deg)


def test_of_a_circle_within_the_frame_it_is_the_circles() -> None:
    lens = Lens("kannala-brandt", (-0.05,))
    assert horizontal_fov_deg(_camera(lens, 60)) == pytest.approx(2 * math.degrees(lens.limit), abs=0.5)
    assert horizontal_fov_deg(_camera(Lens("eucm", (0.6, 1.1)), 100)) > 200


def test_barrel_distortion_sees_more_than_its_pinhole() -> None:
    assert horizontal_fov_deg(_camera(Lens("brown", (-0.2,)), 400)) > horizontal_fov_deg(_camera(Lens(), 400)) + 5


def test_a_frame_without_any_ray_sees_nothing() -> None:
    lens = Lens("kannala-brandt")
    assert horizontal_fov_deg(Camera(fx=1, fy=1, cx=-500, cy=5, width=10, height=10, lens=lens)) == 0
