"""A given camera, for frames whose size may change."""

from __future__ import annotations

import warnings

import pytest

from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.live.cameras import given_camera


def test_pixels_are_those_of_the_first_frames_and_others_of_their_aspect_have_them_resized() -> None:
    camera_for = given_camera("100,100,47.5,31.5")
    first, half = camera_for(96, 64), camera_for(48, 32)
    assert first is not None and first.fx == 100
    assert half == first.resized(48, 32)


def test_frames_of_another_aspect_have_no_camera_and_one_warning() -> None:
    camera_for = given_camera("fov:90")
    camera_for(96, 64)
    with pytest.warns(SelfDepthWarning, match="96x64.*100x100"):
        assert camera_for(100, 100) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert camera_for(100, 100) is None


@pytest.mark.parametrize("spec", ["1,2,3", "fov:x", "nothing.yaml"])
def test_what_is_no_camera_is_refused(spec: str) -> None:
    with pytest.raises(DataError, match="--camera"):
        given_camera(spec)(96, 64)
