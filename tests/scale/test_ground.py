"""The camera's height above the road, in the unit of the depth."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.scale.frames import ScaleFrame
from selfdepth.scale.ground import HeightWitness, fit_height
from selfdepth.synthetic.drive import CAMERA_HEIGHT_M, DriveSpec, render_drive

CAMERA = Camera(fx=110, fy=105, cx=80, cy=30, width=160, height=64)
FAR = 1000.0


def frame_of(depth: ndarray, camera: Camera = CAMERA) -> ScaleFrame:
    return ScaleFrame(ref=FrameRef("a", 0), time_s=0.0, depth=depth.astype(np.float64), whole=camera)


def road(height: float, *, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> ndarray:
    """Depth of a road below a camera that looks down by pitch and is rolled."""
    pitch, roll = math.radians(pitch_deg), math.radians(roll_deg)
    down = np.array([math.sin(roll), math.cos(roll) * math.cos(pitch), math.sin(pitch)])
    down /= np.linalg.norm(down)
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], axis=-1)
    steepness = rays @ down
    return np.where(steepness > height / FAR, height / np.where(steepness > 0, steepness, 1), FAR)


@pytest.mark.parametrize("height", [0.07, 1.65, 40.0])
@pytest.mark.parametrize(("pitch_deg", "roll_deg"), [(0, 0), (12, 0), (-5, 0), (3, 8)])
def test_the_height_of_a_plane_is_exact_at_any_scale_and_tilt(height: float, pitch_deg: float, roll_deg: float) -> None:
    assert fit_height(frame_of(road(height, pitch_deg=pitch_deg, roll_deg=roll_deg))) == pytest.approx(height, rel=1e-6)


def test_the_factor_is_the_true_height_over_the_fitted() -> None:
    (factor,) = HeightWitness(1.65).observe(frame_of(road(0.05)))
    assert factor == pytest.approx(33, rel=1e-6)


def test_what_stands_on_the_road_does_not_count() -> None:
    depth = road(1.65)
    depth[30:50, 60:100] = 7.0  # a car ahead
    assert fit_height(frame_of(depth)) == pytest.approx(1.65, rel=1e-3)


def test_the_direction_of_travel_keeps_the_road_from_tilting_with_an_error_of_the_depth() -> None:
    true = road(1.65, pitch_deg=4)
    rows = np.linspace(0, 1, CAMERA.height)[:, None]
    bent = true * (1 + 0.3 * (rows - 0.775))  # right in the middle of the road, and 14 % nearer or farther at its ends
    travel = np.array([0.0, -math.sin(math.radians(4)), math.cos(math.radians(4))])  # the camera looks down at the road
    free, along = fit_height(frame_of(bent)), fit_height(frame_of(bent), travel)
    assert fit_height(frame_of(true), travel) == pytest.approx(1.65, rel=1e-6)
    assert not isinstance(free, str) and not isinstance(along, str)
    assert abs(along - 1.65) < 0.01 and abs(free - 1.65) > 0.15


def test_a_camera_that_looks_to_the_side_or_back_stands_as_high() -> None:
    for x, z in ((0.7, 0.7), (-0.9, 0.4), (0.0, -1.0)):
        travel = np.array([x, 0.0, z]) / math.hypot(x, z)
        assert fit_height(frame_of(road(1.65, roll_deg=0)), travel) == pytest.approx(1.65, rel=1e-6)


@pytest.mark.parametrize(
    "depth",
    [
        np.full((CAMERA.height, CAMERA.width), 8.0),  # a wall
        np.random.default_rng(0).uniform(1, 50, (CAMERA.height, CAMERA.width)),
        -road(1.65)[::-1] + 2 * FAR,  # a ceiling
    ],
)
def test_a_frame_without_a_road_is_left_out_with_the_reason(depth: ndarray) -> None:
    assert HeightWitness(1.65).observe(frame_of(depth)) in ("too little ground", "no plane below the camera")
    assert HeightWitness(1.65, np.array([0.0, 0.0, 1.0])).observe(frame_of(depth)) in (
        "too little ground",
        "no plane below the camera",
    )


def test_the_road_of_a_rendered_drive_lies_where_it_was_rendered() -> None:
    drive = render_drive(DriveSpec(seed=4, frames=6, width=160, height=64, moving_cars=False))
    fitted = [fit_height(frame_of(np.where(each > 0, each, FAR), drive.camera)) for each in drive.depth]
    heights = [each for each in fitted if not isinstance(each, str)]
    assert len(heights) >= 4
    assert np.median(heights) == pytest.approx(CAMERA_HEIGHT_M, rel=0.01)


def test_the_road_seen_through_a_lens_lies_as_deep() -> None:
    camera = Camera(fx=80, fy=80, cx=63, cy=25, width=128, height=64, lens=Lens("brown", (-0.25, 0.06, 0, 0)))
    frame = frame_of(np.ones((64, 128)), camera)
    v, u = (each.ravel() for each in np.mgrid[:64, :128])
    for depth_is in ("z", "ray"):
        frame = dataclasses.replace(frame, depth_is=depth_is)
        rays, seen = frame.rays(np.stack([u, v], axis=1).astype(np.float64))
        down = np.where(seen & (rays[:, 1] > 0), rays[:, 1], np.inf)
        depth = np.where(np.isfinite(down), 1.65 / down, 0).reshape(64, 128)  # 0: the sky, and beyond the lens
        assert fit_height(dataclasses.replace(frame, depth=depth)) == pytest.approx(1.65, rel=1e-6)


def test_the_same_road_has_the_same_height_at_another_resolution_and_inside_a_crop() -> None:
    frame = frame_of(road(1.65, pitch_deg=2))
    smaller = dataclasses.replace(frame, depth=frame.depth[::2, ::2])
    assert fit_height(smaller) == pytest.approx(1.65, rel=0.03)


def test_how_the_tilt_was_found_is_said() -> None:
    assert "is fitted to the depth" in HeightWitness(1.65).notes[0]
    assert "1.0 degrees above its axis" in HeightWitness(1.65, np.array([0.0, -0.01745, 0.99985])).notes[0]
