"""The camera that a camera_info describes."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from selfdepth.data.readers.camera_info import CameraInfo, camera_of_camera_info
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE, Lens

INFO = CameraInfo(
    size=(640, 480),
    K=(500, 0, 320, 0, 501, 240, 0, 0, 1),
    model="plumb_bob",
    D=(-0.3, 0.1, 0.001, 0.002, 0.0),
    P=(420, 0, 310, -42, 0, 421, 230, 0, 0, 0, 1, 0),
    binning=(1, 1),
    region=(0, 0, 0, 0),
)


def camera(info: CameraInfo = INFO, size: tuple[int, int] = (640, 480), *, rectified: bool = False) -> Camera | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SelfDepthWarning)
        return camera_of_camera_info(info, size=size, rectified=rectified, where="topic /info")


def test_recorded_images_have_k_and_its_lens() -> None:
    lens = Lens("brown", INFO.D)
    assert camera() == Camera(fx=500, fy=501, cx=320, cy=240, width=640, height=480, lens=lens)


def test_rectified_images_have_p_and_no_lens() -> None:
    assert camera(rectified=True) == Camera(fx=420, fy=421, cx=310, cy=230, width=640, height=480)
    without = replace(INFO, P=(0,) * 12)
    assert camera(without, rectified=True) == Camera(fx=500, fy=501, cx=320, cy=240, width=640, height=480)


def test_a_driver_without_a_calibration_has_no_camera() -> None:
    assert camera(replace(INFO, K=(0,) * 9, D=(), model="")) is None


def test_a_region_and_binning_change_the_camera_as_a_crop_and_a_resize() -> None:
    found = camera(replace(INFO, region=(40, 60, 320, 240), binning=(2, 2), D=(0,) * 5), (160, 120))
    assert found == Camera(fx=500, fy=501, cx=280, cy=180, width=320, height=240).resized(160, 120)


def test_a_message_without_a_size_is_of_the_images() -> None:
    assert camera(replace(INFO, size=(0, 0))) == camera()


def test_images_that_were_scaled_since_have_a_scaled_camera_and_that_is_said() -> None:
    with pytest.warns(SelfDepthWarning, match="is of images of 640x480, and these have 320x240"):
        found = camera_of_camera_info(INFO, size=(320, 240), rectified=False, where="topic /info")
    whole = camera()
    assert whole is not None and found == whole.resized(320, 240)


def test_the_lens_is_that_of_its_model() -> None:
    fisheye = camera(replace(INFO, model="equidistant", D=(0.01, 0, 0, 0)))
    assert fisheye is not None and fisheye.lens == Lens("kannala-brandt", (0.01, 0, 0, 0))
    rational = camera(replace(INFO, model="rational_polynomial", D=(0.1, 0, 0, 0, 0, 0.1, 0, 0)))
    assert rational is not None and rational.lens == Lens("brown", (0.1, 0, 0, 0, 0, 0.1, 0, 0))
    padded = camera(replace(INFO, model="equidistant", D=(0.01, 0, 0, 0, 0, 0, 0, 0)))
    assert padded == fisheye
    for model, D in (("plumb_bob", (0.0,) * 5), ("", ()), ("none", ())):
        found = camera(replace(INFO, model=model, D=D))
        assert found is not None and found.lens == PINHOLE


BAD: dict[str, tuple[CameraInfo, str]] = {
    "unknown model": (
        replace(INFO, model="double_sphere"),
        "lens model is not known: topic /info.*got distortion_model: double_sphere",
    ),
    "a distortion that folds back": (replace(INFO, D=(-1.5, 0, 0, 0, 0)), "topic /info"),
    "thin prism": (
        replace(INFO, model="rational_polynomial", D=(*range(12),)),
        r"thin prism, which is not modelled: topic /info",
    ),
    "five for a fisheye": (
        replace(INFO, model="equidistant", D=(1, 1, 1, 1, 1)),
        r"coefficients is not that of the lens model: topic /info",
    ),
    "NaN in D": (replace(INFO, D=(float("nan"),) * 5), r"not finite: topic /info"),
    "NaN in K": (replace(INFO, K=(float("nan"), *INFO.K[1:])), r"matrix is not that of a pinhole.*topic /info"),
    "negative focal length": (replace(INFO, K=(-5.0, *INFO.K[1:])), r"focal length fx.*topic /info"),
    "skew": (replace(INFO, K=(500, 9, 320, 0, 501, 240, 0, 0, 1)), "not that of a pinhole"),
    "other shape": (replace(INFO, size=(640, 640)), r"another shape: topic /info; expected .*640x480; got 640x640"),
    "region outside": (replace(INFO, region=(600, 0, 100, 480)), r"region of interest.*100x480 at \(600, 0\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_camera_of_these_images_is_refused(name: str) -> None:
    info, words = BAD[name]
    with pytest.raises(DataError, match=words):
        camera(info)


def test_the_focus_may_change_k_a_little() -> None:
    focused = replace(INFO, K=(502, 0, 320.5, 0, 503, 240, 0, 0, 1))
    zoomed = replace(INFO, K=(550, 0, 320, 0, 551, 240, 0, 0, 1))
    assert INFO.is_like(focused) and not INFO.is_like(zoomed) and not INFO.is_like(replace(INFO, size=(320, 240)))
