"""Lenses that fold back within the frame are refused, and image circles within it are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.readers.lens_checks import require_rays
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE, Lens

HERE = Path("camera.yaml")


def _camera(lens: Lens, focal: float = 500, width: int = 641, height: int = 481) -> Camera:
    cx, cy = (width - 1) / 2, (height - 1) / 2
    return Camera(fx=focal, fy=focal, cx=cx, cy=cy, width=width, height=height, lens=lens)


@pytest.mark.parametrize(
    ("lens", "focal"),
    [
        (PINHOLE, 1),
        (Lens("brown", (-0.28, 0.07)), 500),
        (Lens("brown", (0.9, 0.11, 0, 0, 0.004, 1.25, 0.34, 0.02)), 330),
        (Lens("kannala-brandt"), 200),
        (Lens("kannala-brandt", (0.05, -0.02, 0.004, -0.0006)), 120),  # its circle lies within the frame
        (Lens("ucm", (2.2, 0.016, 1.65, 4e-4, 4e-4)), 600),
        (Lens("eucm", (0.6, 1.1)), 150),
    ],
)
def test_lenses_that_see_the_frame_or_fill_a_circle_in_it_are_accepted(lens: Lens, focal: float) -> None:
    require_rays(_camera(lens, focal), HERE)


def test_distortion_that_folds_back_within_the_frame_is_refused_with_pixel_and_radius() -> None:
    # r - 0.5 r^3 is largest at r = sqrt(2 / 3): 2 / 3 of it, 0.544 times 500 pixels.
    with pytest.raises(DataError) as caught:
        require_rays(_camera(Lens("brown", (-0.5,))), HERE)
    for part in ("not invertible within the image: camera.yaml", "folds back 272 px", "pixel (0, 0) lies 400 px"):
        assert part in str(caught.value)
    require_rays(_camera(Lens("brown", (-0.5,)), focal=800), HERE)  # the same lens, of which the frame sees the middle


def test_a_fold_in_the_corners_alone_is_warned_of() -> None:
    lens = Lens("brown", (-0.344, 0.142, 4e-4, -2e-4, -0.03))  # as of KITTI-360
    camera = Camera(fx=788.6, fy=786.4, cx=687.2, cy=317.8, width=1408, height=376, lens=lens)
    assert 1 - camera.rays()[1].mean() == pytest.approx(0.024, abs=0.002)
    with pytest.warns(SelfDepthWarning, match=r"folds back 71\d px .*: 2\.\d% of the frame, in its corners"):
        require_rays(camera, HERE)


@pytest.mark.parametrize(
    "lens",
    [
        Lens("kannala-brandt", (-0.5,)),
        Lens("ucm", (1.0, -2.0)),
        Lens("brown", (-1e3,)),
    ],
)
def test_fisheyes_whose_circle_is_too_narrow_to_be_one_are_refused(lens: Lens) -> None:
    with pytest.raises(DataError, match=r"not invertible.*folds back \d+ px"):
        require_rays(_camera(lens), HERE)


@pytest.mark.parametrize("model", ["brown", "kannala-brandt", "ucm"])
def test_coefficients_that_would_overflow_are_refused(model: str) -> None:
    with pytest.raises(DataError, match=r"cannot be used: camera\.yaml; expected coefficients of at most"):
        require_rays(_camera(Lens(model, (1.0, -1e300))), HERE)  # type: ignore[arg-type]


def test_a_frame_beside_the_image_circle_is_refused() -> None:
    beside = Camera(fx=100, fy=100, cx=-5000, cy=50, width=100, height=100, lens=Lens("kannala-brandt"))
    with pytest.raises(DataError, match="not invertible"):
        require_rays(beside, HERE)
