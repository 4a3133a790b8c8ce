"""Points followed through images whose motion is known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy import ndarray
from scipy.ndimage import gaussian_filter

from selfdepth.bundle.follow import Tracks, Window, corners, follow
from selfdepth.geometry.camera import Camera

CAMERA = Camera(fx=100.0, fy=100.0, cx=79.5, cy=47.5, width=160, height=96)
DEPTH_M = 10.0
STEP_M = 0.13
"""Sideways from image to image: 1.3 pixels of a wall at that depth."""
TEXTURE = 0.5 + 0.8 * gaussian_filter(np.random.default_rng(0).standard_normal((400, 400)), 2.0)


def seen_from(x_m: float, *, zoom: float = 1.0) -> ndarray:
    """A wall that faces the camera."""
    from scipy.ndimage import map_coordinates

    v, u = np.mgrid[0:96, 0:160].astype(float)
    u, v = (u - CAMERA.cx) / zoom + CAMERA.cx + x_m * CAMERA.fx / DEPTH_M, (v - CAMERA.cy) / zoom + CAMERA.cy
    return np.asarray(map_coordinates(TEXTURE, [v + 100, u + 100], order=3))


def window(places_m: list[float], *, anchor: int, believed: float = 1.0) -> Window:
    """Images from places along the wall; the motion is believed to be `believed` times as large."""
    T = np.tile(np.eye(4), (len(places_m), 1, 1))
    T[:, 0, 3] = [-believed * (place - places_m[anchor]) for place in places_m]
    v, u = np.mgrid[0:96, 0:160].astype(float)
    ray = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], axis=-1)
    images = np.stack([seen_from(place) for place in places_m])
    return Window(images=images, anchor=anchor, T_image_anchor=T, points=ray * DEPTH_M, camera=CAMERA)


PLACES_M = [STEP_M * i for i in range(-4, 5)]


def errors_px(tracks: Tracks) -> ndarray:
    """How far from where they are the points were found."""
    shift_px = tracks.T_image_anchor[tracks.image, 0, 3] * CAMERA.fx / DEPTH_M
    true = tracks.start_px[tracks.point] + np.stack([shift_px, np.zeros_like(shift_px)], axis=1)
    return np.asarray(np.linalg.norm(tracks.found_px - true, axis=1))


def test_points_are_found_to_a_tenth_of_a_pixel() -> None:
    tracks = follow(window(PLACES_M, anchor=4))
    assert len(tracks.start_px) > 60 and len(tracks.T_image_anchor) == 8
    assert np.median(errors_px(tracks)) < 0.05 and errors_px(tracks).max() < 0.3


def test_the_motion_need_only_be_believed_roughly() -> None:
    right = follow(window(PLACES_M, anchor=4))
    wrong = follow(window(PLACES_M, anchor=4, believed=0.3))
    assert len(wrong.point) > 0.9 * len(right.point)
    wrong = replace(wrong, T_image_anchor=right.T_image_anchor)
    assert np.median(errors_px(wrong)) < 0.05


def test_brightness_and_contrast_do_not_matter() -> None:
    bright = window(PLACES_M, anchor=4)
    bright = replace(bright, images=bright.images * np.linspace(0.7, 1.2, 9)[:, None, None] + 0.05)
    assert np.median(errors_px(follow(bright))) < 0.05


def test_a_point_that_something_covers_is_lost_from_there_on() -> None:
    covered = window(PLACES_M, anchor=4)
    covered.images[6, :, 60:100] = np.random.default_rng(1).uniform(0, 1, (96, 40))
    tracks = follow(covered)
    inside = (tracks.start_px[:, 0] > 70) & (tracks.start_px[:, 0] < 90)
    after = tracks.image >= np.flatnonzero(np.isclose(tracks.T_image_anchor[:, 0, 3], -2 * STEP_M))[0]
    assert inside.any() and not (inside[tracks.point] & after).any()


def test_what_moves_by_itself_is_not_taken_for_the_wall() -> None:
    moving = window(PLACES_M, anchor=4)
    for i in range(5, 9):
        moving.images[i, 30:66, 60:100] = seen_from(PLACES_M[i] + 3.0 * (i - 4))[30:66, 60:100]
    assert errors_px(follow(moving)).max() < 2.1 * 4


@pytest.mark.parametrize("size", [(96, 160), (4, 4), (1, 30)])
def test_an_image_without_texture_has_no_corners(size: tuple[int, int]) -> None:
    assert corners(np.full(size, 0.5), 50).shape == (0, 2)


def test_without_corners_nothing_is_followed() -> None:
    blank = window(PLACES_M, anchor=4)
    tracks = follow(replace(blank, images=np.full_like(blank.images, 0.3)))
    assert len(tracks.start_px) == len(tracks.point) == len(tracks.T_image_anchor) == 0


def test_corners_lie_all_over_the_image_best_first() -> None:
    found = corners(seen_from(0.0), 60)
    assert len(found) == 60
    assert {(u > 80, v > 48) for u, v in found.tolist()} == {(a, b) for a in (False, True) for b in (False, True)}
