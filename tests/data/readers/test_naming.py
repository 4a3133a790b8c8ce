"""Errors of intrinsics name their place, once."""

from __future__ import annotations

import warnings

import pytest

from selfdepth.data.readers.naming import naming, warn_of_principal_point
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera


def test_an_error_without_a_place_is_given_one_and_another_keeps_its_own() -> None:
    with pytest.raises(DataError, match="wrong: here"), naming("here"):
        raise DataError("wrong")
    with pytest.raises(DataError, match="wrong: there"), naming("here"):
        raise DataError("wrong", where="there")


def test_a_principal_point_outside_causes_a_warning_and_one_inside_none() -> None:
    inside = Camera(fx=10.0, fy=10.0, cx=4.0, cy=3.0, width=8, height=6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_principal_point(inside, "here")
    with pytest.warns(SelfDepthWarning, match=r"\(90, 3\) lies outside.*here"):
        warn_of_principal_point(Camera(fx=10.0, fy=10.0, cx=90.0, cy=3.0, width=8, height=6), "here")
