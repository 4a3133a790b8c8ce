"""Lenses under every name that calibration files give them, alone and together."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selfdepth.data.readers.camera_entries import Entries
from selfdepth.data.readers.lens_names import family_of, flat, is_distortion, names_a_lens, names_no_lens
from selfdepth.errors import DataError


def _entries(text: str) -> Entries:
    return Entries(yaml.load(text, yaml.BaseLoader).items(), Path("camera.yaml"))


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("fx: 500", "brown"),
        ("distortion_model: plumb_bob", "brown"),
        ("distortion_model: Plumb Bob", "brown"),
        ("distortion_model: rational_polynomial", "brown"),
        ("distortion_model: thin_prism", "brown"),
        ("distortion_model: radial-tangential", "brown"),
        ("camera_model: pinhole\ndistortion_model: radtan5", "brown"),
        ("camera_model: pinhole-radtan", "brown"),
        ("camera_model: pinhole radial-tangential", "brown"),
        ("model_type: PINHOLE", "brown"),
        ("distortion: radtan", "brown"),
        ("distortion: {model: radtan, k: [0, 0]}", "brown"),
        ("distortion_model:", "brown"),
        ("fisheye_model: 0", "brown"),
        ("fisheye: false", "brown"),
        ("header: {frame_id: fisheye_left}", "brown"),
        ("distortion_model: equidistant", "kannala-brandt"),
        ("distortion_model: fisheye", "kannala-brandt"),
        ("camera_model: pinhole\ndistortion_model: equidistant", "kannala-brandt"),
        ("camera_model: pinhole-equi", "kannala-brandt"),
        ("fisheye_model: 1", "kannala-brandt"),
        ("is_fisheye: true", "kannala-brandt"),
        ("type: KANNALA_BRANDT", "kannala-brandt"),
        ("type: KannalaBrandt8", "kannala-brandt"),
        ("camera_type: fisheye", "kannala-brandt"),
        ("camera_type: fisheye camera", "kannala-brandt"),
        ("lens: {type: fisheye}", "kannala-brandt"),
        ("distortion: {model: equidistant, k: [0, 0, 0, 0]}", "kannala-brandt"),
        ("distortion: {type: kb4, k: [0, 0, 0, 0]}", "kannala-brandt"),
        ("distortion: equidistant", "kannala-brandt"),
        ("model: OPENCV_FISHEYE", "kannala-brandt"),
        ("camera_model: omni\ndistortion_model: radtan", "ucm"),
        ("camera_model: omni-radtan", "ucm"),
        ("camera_model: omni\ndistortion_model: none", "ucm"),
        ("model_type: MEI", "ucm"),
        ("model: MEI", "ucm"),
        ("xi: 1.2", "ucm"),
        ("mirror_parameters: {xi: 1.2}", "ucm"),
        ("camera_model: eucm\ndistortion_model: none", "eucm"),
        ("distortion_model: none", "none"),
        ("distortion: none", "none"),
        ("type: Rectified", "none"),
        ("distortion_model: Inverse Brown Conrady", "unmodelled"),
    ],
)
def test_a_lens_is_known_by_every_name(text: str, family: str) -> None:
    assert family_of(_entries(text)) == family


@pytest.mark.parametrize(
    "text",
    [
        "camera_model: GoPro HERO9",
        "model: Intel RealSense D435",
        "model: Hikvision DS-2CD2042",
        "camera_model: Omnivision OV5640",
        "lens_model: EF50mm f/1.8 STM",
        "type: camera",
        "distortion_model: plumb_bob\nlens: Entaniya Fisheye 280",
    ],
)
def test_the_name_of_a_product_says_nothing_of_the_lens(text: str) -> None:
    assert family_of(_entries(text)) == "brown"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("camera_model: ds\ndistortion_model: none", "ds"),
        ("camera_model: foo\ndistortion_model: none\nintrinsics: [1, 1, 1, 1]", "foo"),
        ("camera_model: pinhole\ndistortion_model: fov", "fov"),
        ("camera_model: pinhole-fov", "pinhole-fov"),
        ("Distortion_Model: own_polynomial", "own_polynomial"),
        ("projection: equirectangular", "equirectangular"),
        ("projection: equirectangular\ndistortion: none", "equirectangular"),
        ("model_type: SCARAMUZZA", "SCARAMUZZA"),
        ("model: double sphere", "double sphere"),
        ("model: ds", "ds"),
        ("lens_model: FOV", "FOV"),
        ("model: f-theta", "f-theta"),
        ("lens: Entaniya Fisheye 280", "Entaniya Fisheye 280"),
        ("distortion: {model: fisheye624}", "fisheye624"),
        ("distortionType: division", "division"),
        ("fisheye_model: wide", "wide"),
        ("camera_model: omni\ndistortion_model: equidistant", "ucm with kannala-brandt"),
    ],
)
def test_a_lens_that_is_not_known_is_refused_by_name_and_the_known_ones_are_listed(text: str, name: str) -> None:
    with pytest.raises(DataError, match=rf"lens model is not known: camera\.yaml.*equidistant.*got .*{name}; calib"):
        family_of(_entries(text))


@pytest.mark.parametrize(
    "text",
    [
        "camera_type: fisheye\ndistortion_model: plumb_bob",
        "fisheye_model: 1\ndistortion_model: radtan",
        "camera_model: pinhole\nxi: 1.2",
        "camera_model: eucm\nmodel_type: MEI",
    ],
)
def test_two_lenses_that_cannot_be_one_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="names two lenses"):
        family_of(_entries(text))


def test_a_file_may_say_nothing_of_its_lens() -> None:
    assert names_no_lens(_entries("D: [1, 2]\nmodel: GoPro HERO9\nfisheye_model: 0"))
    assert not names_no_lens(_entries("D: [1, 2]\nfisheye_model: 1"))
    assert (names_a_lens("Plumb Bob"), names_a_lens("EF50mm"), names_a_lens("")) == (True, False, False)


def test_entries_of_distortion_are_known_by_their_name() -> None:
    assert is_distortion("Distortion_Coefficients") and not is_distortion("distortion_model")


def test_entries_of_mappings_are_seen_by_both_names() -> None:
    assert dict(flat(_entries("a: 1\nb: {c: 2}"))) == {"a": "1", "b.c": "2", "b": {"c": "2"}}
