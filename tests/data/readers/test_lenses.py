"""Lenses under every name that calibration files give them: what is no pinhole is refused, and distortion is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selfdepth.data.readers.camera_entries import Entries
from selfdepth.data.readers.lenses import distortion_of, is_distortion, refuse_other_lenses
from selfdepth.errors import DataError


def _entries(text: str) -> Entries:
    return Entries(yaml.load(text, yaml.BaseLoader).items(), Path("camera.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "fisheye_model: 1",
        "is_fisheye: true",
        "type: KANNALA_BRANDT",
        "Camera.type: KannalaBrandt8",
        "camera_type: fisheye",
        "distortion: {model: equidistant, k: [0, 0, 0, 0]}",
        "distortion: {type: kb4, k: [0, 0, 0, 0]}",
        "distortion: equidistant",
        "Distortion_Model: own_polynomial",
        "distortionType: fisheye",
        "projection: equirectangular",
        "camera_model: omni-radtan",
        "camera_model: pinhole-equi",
        "model: OPENCV_FISHEYE",
        "model: ds",
        "model: MEI",
        "lens_model: FOV",
        "lens: {type: fisheye}",
        "model: f-theta",
        "xi: 1.2",
    ],
)
def test_a_lens_that_is_no_pinhole_is_refused_whatever_the_entry_is_called(text: str) -> None:
    with pytest.raises(DataError, match=r"no pinhole.*camera\.yaml.*undistort the frames"):
        refuse_other_lenses(_entries(text))


@pytest.mark.parametrize(
    "text",
    [
        "fisheye_model: 0",
        "fisheye: false",
        "camera_model: GoPro HERO9",
        "model: Intel RealSense D435",
        "model: Hikvision DS-2CD2042",
        "camera_model: Omnivision OV5640",
        "lens_model: EF50mm f/1.8 STM",
        "type: camera",
        "camera_model: pinhole-radtan",
        "distortion_model: Plumb Bob",
        "distortion_model: Inverse Brown Conrady",
        "distortion: radtan",
        "distortion: none",
        "distortion: 0",
        "distortion: {model: radtan, k: [0, 0]}",
        "distortion_model:",
        "header: {frame_id: fisheye_left}",
    ],
)
def test_names_of_pinholes_and_of_products_are_accepted(text: str) -> None:
    refuse_other_lenses(_entries(text))


@pytest.mark.parametrize(
    "text",
    [
        "Distortion_Coefficients: {rows: 1, cols: 2, data: [-0.3, 0.1]}",
        "dist_coeffs: [-0.3, 0.1]",
        "distCoeffs: [[-0.3], [0.1]]",
        "distortion_coeffs: [-0.3, 0.1]",
        "distortion: {model: radtan, k: [-0.3, 0.1]}",
        "distortion_parameters: {k1: -0.3, k2: 0.1}",
        "radial_distortion: [-0.3, 0.1]",
        "k1: -0.3\nk2: 0.1",
        "K1: -0.3\nP1: 0.1",
        "fx: 500\nk: [-0.3, 0.1]",
        "coeffs: [-0.3, 0.1]",
        "coefficients: [-0.3, 0.1]",
        "D: [0, 0]\ndist: [-0.3, 0.1]",
    ],
)
def test_distortion_is_seen_whatever_it_is_called(text: str) -> None:
    assert distortion_of(_entries(text)) == [-0.3, 0.1]


@pytest.mark.parametrize(
    "text",
    [
        "fx: 500",
        "distance: 3",
        "undistorted: 1",
        "distortion: none",
        "distortion: {model: radtan, k: [0, 0]}",
        "k: [500, 0, 320, 0, 500, 240, 0, 0, 1]",
        "k: [[500, 0, 320], [0, 500, 240], [0, 0, 1]]",
        "p1: [10, 20]",
    ],
)
def test_what_is_no_distortion_is_not_taken_for_it(text: str) -> None:
    assert not any(distortion_of(_entries(text)))


def test_a_single_coefficient_is_distortion_too() -> None:
    assert distortion_of(_entries("fx: 500\nk: 0.05")) == [0.05]
    assert any(distortion_of(_entries("k1: .nan")))


def test_distortion_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="not numbers"):
        distortion_of(_entries("D: [a, b]"))


def test_entries_of_distortion_are_known_by_their_name() -> None:
    assert is_distortion("Distortion_Coefficients") and not is_distortion("distortion_model")
