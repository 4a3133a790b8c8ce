"""The lenses through which drives are rendered."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.errors import ConfigError
from selfdepth.geometry.rectify import is_rectified
from selfdepth.synthetic.drive import DriveSpec
from selfdepth.synthetic.lenses import LENSES, DriveLens


@pytest.mark.parametrize(
    ("name", "degrees"), [("pinhole", 81), ("brown", 100), ("kitti", 85), ("fisheye", 190), ("ucm", 185)]
)
@pytest.mark.parametrize("width", [96, 640])
def test_each_has_the_field_of_view_that_its_comment_says(name: str, degrees: float, width: int) -> None:
    """Of an image whose principal point lies in the middle; as the sum of both halves it is so to a degree."""
    camera = LENSES[name].camera(width, width // 2)
    edges = np.array([[-0.5, camera.cy], [width - 0.5, camera.cy]])
    if LENSES[name].circle_deg == degrees:
        angle = np.radians(LENSES[name].circle_deg or 0) / 2
        rim, valid = camera.project(np.array([[sign * np.sin(angle), 0, np.cos(angle)] for sign in (-1, 1)]))
        assert valid.all()
        assert abs(rim[:, 0] - edges[:, 0]).max() < 0.015 * width, "the circle spans the width of the image"
        return
    rays, valid = camera.unproject(edges)
    angles = np.degrees(np.arctan2(abs(rays[:, 0]), rays[:, 2]))
    assert valid.all() and angles.sum() == pytest.approx(degrees, abs=1)


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize(("width", "height"), [(320, 96), (192, 192)])
def test_each_has_a_ray_for_every_pixel_that_its_circle_holds(name: str, width: int, height: int) -> None:
    rays, valid = LENSES[name].camera(width, height).rays()
    half = np.radians((LENSES[name].circle_deg or 360) / 2)
    assert valid.all() or (rays[~valid][:, 2] <= np.cos(half)).all()


def test_the_lens_kitti_is_rectified_unless_it_is_asked_not_to() -> None:
    """Most people's lens: what `--rectify auto` does with it is what most people get."""
    for width, height in ((1392, 512), (384, 192)):
        camera = LENSES["kitti"].camera(width, height)
        assert camera.lens.model == "brown" and is_rectified("auto", [camera])
    assert LENSES["kitti"].camera(1392, 512).rays()[1].all(), "in KITTI's own frames every pixel has a ray"
    assert LENSES["kitti"].camera(1392, 512).fx == pytest.approx(959.8)


def test_a_drive_has_kittis_camera_unless_it_is_given_another_lens() -> None:
    spec = DriveSpec(width=320, height=96)
    assert spec.camera().is_pinhole and spec.camera().fx == 0.58 * 320
    assert DriveSpec(lens=LENSES["ucm"]).camera().lens.model == "ucm"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"focal": 0.0}, "focal"),
        ({"focal": float("nan")}, "focal"),
        ({"focal": -1.0}, "focal"),
        ({"circle_deg": 0.0}, "circle_deg"),
        ({"circle_deg": 400.0}, "circle_deg"),
        ({"circle_deg": float("nan")}, "circle_deg"),
    ],
)
def test_a_lens_out_of_range_is_refused_by_name(values: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DriveLens(**values)  # type: ignore[arg-type]
