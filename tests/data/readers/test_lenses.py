"""Coefficients under every name, and in every order, that calibration files give them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import yaml

from selfdepth.data.readers.camera_entries import Entries
from selfdepth.data.readers.lens_names import family_of
from selfdepth.data.readers.lenses import lens_of, lens_of_message, warn_of_four
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.lens import PINHOLE, Lens

HERE = Path("camera.yaml")


def _lens(text: str, before: list[float] | None = None) -> Lens:
    entries = Entries(yaml.load(text, yaml.BaseLoader).items(), HERE)
    return lens_of(entries, family_of(entries), before or [])


@pytest.mark.parametrize(
    "text",
    [
        "Distortion_Coefficients: {rows: 1, cols: 2, data: [-0.3, 0.1]}",
        "dist_coeffs: [-0.3, 0.1]",
        "distCoeffs: [[-0.3], [0.1]]",
        "distortion_coeffs: [-0.3, 0.1, 0, 0]",
        "D: [-0.3, 0.1, 0, 0, 0]",
        "D: [-0.3, 0.1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
        "D: [-0.3, 0.1, 0]",
        "distortion: {model: radtan, k: [-0.3, 0.1]}",
        "distortion: {model: radtan, k: [-0.3, 0.1], p: [0, 0]}",
        "distortion: {model: radtan, coefficients: [-0.3, 0.1]}",
        "distortion_parameters: {k1: -0.3, k2: 0.1}",
        "radial_distortion: [-0.3, 0.1]\ntangential_distortion: [0, 0]",
        "k1: -0.3\nk2: 0.1",
        "K1: -0.3\nK2: 0.1\nP1: 0",
        "fx: 500\nk: [-0.3, 0.1]",
        "coeffs: [-0.3, 0.1]",
        "coefficients: [-0.3, 0.1]",
        "D: [0, 0]\ndist: [-0.3, 0.1]",
        "D: [-0.3, 0.1]\nk1: -0.3\nk2: 0.1",
        "lens: brown\ncoefficients: [-0.3, 0.1]",
    ],
)
def test_distortion_is_read_whatever_it_is_called(text: str) -> None:
    assert _lens(text) == Lens("brown", (-0.3, 0.1))


@pytest.mark.parametrize(
    ("text", "lens"),
    [
        ("D: [1, 2, 3, 4, 5]", Lens("brown", (1, 2, 3, 4, 5))),
        ("D: [1, 2, 3, 4, 5, 6, 7, 8]", Lens("brown", (1, 2, 3, 4, 5, 6, 7, 8))),
        ("D: [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]", Lens("brown", (1, 2, 3, 4, 5, 6, 7, 8))),
        ("distortion: {k: [1, 2, 5], p: [3, 4]}", Lens("brown", (1, 2, 3, 4, 5))),
        ("radial_distortion: [1, 2, 5]\ntangential_distortion: [3, 4]", Lens("brown", (1, 2, 3, 4, 5))),
        ("k3: 5\np2: 4\nk1: 1\np1: 3\nk2: 2", Lens("brown", (1, 2, 3, 4, 5))),
        ("fisheye_model: 1\nD: [1, 2, 3, 4]", Lens("kannala-brandt", (1, 2, 3, 4))),
        ("distortion_model: equidistant\nD: [1, 2, 3, 4, 0]", Lens("kannala-brandt", (1, 2, 3, 4))),
        ("distortion_model: equidistant\nD: [0, 0, 0, 0]", Lens("kannala-brandt")),
        ("type: KannalaBrandt8\nk1: 1\nk2: 2\nk3: 3\nk4: 4", Lens("kannala-brandt", (1, 2, 3, 4))),
        ("model_type: KANNALA_BRANDT\nmu: 9\nk2: 1\nk3: 2\nk4: 3\nk5: 4", Lens("kannala-brandt", (1, 2, 3, 4))),
        (
            "mirror_parameters: {xi: 9}\ndistortion_parameters: {k1: 1, k2: 2, p1: 3, p2: 4}",
            Lens("ucm", (9, 1, 2, 3, 4)),
        ),
        ("xi: 9\nD: [1, 2, 3, 4]", Lens("ucm", (9, 1, 2, 3, 4))),
        ("model_type: MEI\nmirror_parameters: {xi: 0}", Lens("ucm", (0,))),
        ("camera_model: eucm\nalpha: 0.6\nbeta: 1.1", Lens("eucm", (0.6, 1.1))),
        ("lens: ucm\ncoefficients: [9, 1, 2, 3, 4]", Lens("ucm", (9, 1, 2, 3, 4))),
    ],
)
def test_each_coefficient_finds_its_place(text: str, lens: Lens) -> None:
    assert _lens(text) == lens


def test_kalibrs_first_intrinsics_are_of_the_lens() -> None:
    assert _lens("camera_model: omni\ndistortion_coeffs: [1, 2, 3, 4]", [9]) == Lens("ucm", (9, 1, 2, 3, 4))
    assert _lens("camera_model: eucm\ndistortion_model: none\ndistortion_coeffs: []", [0.6, 1.1]).model == "eucm"


@pytest.mark.parametrize(
    "text",
    [
        "fx: 500",
        "distance: 3",
        "undistorted: 1",
        "distortion: none",
        "distortion: 0",
        "distortion_model: Inverse Brown Conrady\nD: [0, 0, 0, 0, 0]",
        "distortion: {model: radtan, k: [0, 0]}",
        "k: [500, 0, 320, 0, 500, 240, 0, 0, 1]",
        "k: [[500, 0, 320], [0, 500, 240], [0, 0, 1]]",
        "p1: [10, 20]",
        "T_imu_camera: {k1: 3}",
    ],
)
def test_what_is_no_distortion_is_not_taken_for_it(text: str) -> None:
    assert _lens(text) == PINHOLE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("D: [0.1, 0, 0, 0, 0, 0, 0, 0, 0.01, 0, 0, 0]", "thin prism.*s1 0.01"),
        ("k1: 0.1\ns2: 0.01", "thin prism.*s2 0.01"),
        ("D: [0.1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.02, 0]", "tilted sensor.*taux 0.02"),
        ("D: [0.1, 0.2, 0.3]", "3 coefficients.*1, 2, 4, 5, 8, 12, 14 numbers"),
        ("D: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]", "6 coefficients"),
        ("distortion_model: equidistant\nD: [0.1, 0.2]", "2 coefficients.*4 numbers"),
        ("distortion_model: equidistant\nD: [0.1, 0, 0, 0, 0.5]", "5 coefficients"),
        ("distortion_model: equidistant\nk1: 0.1\np1: 0.2", "kannala-brandt has no such coefficient.*p1 of 0.2"),
        ("xi: 1.2\nk1: 0.1\nk3: 0.2", "ucm has no such coefficient.*k3"),
        ("distortion: {a: 0.1}", "no such coefficient.*a of 0.1"),
        ("distortion_model: none\nD: [0.1, 0]", "names no distortion.*k1 0.1"),
        ("distortion_model: inverse_brown_conrady\nD: [0.1, 0]", "not modelled unless it is zero"),
        ("camera_model: eucm\nalpha: 0.6\nbeta: 1\nD: [0.1, 0, 0, 0]", "eucm, which has no distortion beside it"),
        ("camera_model: eucm", "does not state alpha and beta"),
        ("model_type: MEI", "does not state xi"),
        ("D: [0.1, 0.2]\nk1: 0.3", "contradicts itself.*k1 0.1, k2 0.2 and k1 0.3"),
        ("D: [a, b]", "not numbers"),
        ("k1: .nan", "not finite"),
        ("D: [.inf, 0]", "not finite"),
        ("xi: -1", "invalid xi"),
        ("camera_model: eucm\nalpha: 1.5\nbeta: 1", "alpha from 0 to 1"),
        ("lens: eucm\ncoefficients: [1, 2, 3]", "too many coefficients"),
        ("lens: fishy\ncoefficients: [1, 2, 3]", "not known: .*lens: pinhole, brown, kannala-brandt, .*got fishy"),
    ],
)
def test_coefficients_that_are_not_the_lens_are_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _lens(text)


@pytest.mark.parametrize(
    "text", ["D: [1, 2, 3, 4]", "D: {rows: 4, cols: 1, data: [1, 2, 3, 4]}", "kc: [[1], [2], [3], [4]]"]
)
def test_four_coefficients_of_no_model_may_be_a_fisheyes(text: str) -> None:
    entries = Entries(yaml.load(text, yaml.BaseLoader).items(), HERE)
    with pytest.warns(SelfDepthWarning, match=r"camera\.yaml names no lens model.*fisheye_model: 1"):
        warn_of_four(entries, _lens(text))


@pytest.mark.parametrize(
    "text",
    [
        "D: [1, 2, 3, 4, 5]",
        "D: [0, 0, 0, 0]",
        "D: [1, 2, 3, 4]\ndistortion_model: radtan",
        "D: [1, 2, 3, 4]\nfisheye_model: 1",
        "k1: 1\nk2: 2\np1: 3\np2: 4",
        "distortion: {k: [1, 2], p: [3, 4]}",
    ],
)
def test_other_coefficients_are_read_without_a_warning(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_four(Entries(yaml.load(text, yaml.BaseLoader).items(), HERE), _lens(text))


def test_a_message_of_ros_gives_its_lens() -> None:
    assert lens_of_message("plumb_bob", [-0.3, 0.1, 0, 0, 0], HERE) == Lens("brown", (-0.3, 0.1))
    assert lens_of_message("equidistant", [1, 2, 3, 4], HERE) == Lens("kannala-brandt", (1, 2, 3, 4))
    assert lens_of_message("", [], HERE) == PINHOLE
    for number in (float("nan"), float("-inf")):
        with pytest.raises(DataError, match="not finite: /cam0/camera_info"):
            lens_of_message("plumb_bob", [number], "/cam0/camera_info")
    with pytest.raises(DataError, match=r"not known.*scaramuzza"):
        lens_of_message("scaramuzza", [1, 2], HERE)
