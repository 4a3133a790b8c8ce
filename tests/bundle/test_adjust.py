"""What bundle adjustment says of a camera, on points whose places are known exactly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.bundle.adjust import misfits
from selfdepth.bundle.follow import Tracks
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens

PINHOLE = Camera(fx=110.0, fy=105.0, cx=95.0, cy=40.0, width=192, height=96)
BROWN = replace(PINHOLE, lens=Lens("brown", (-0.2, 0.03)))
STEPS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)


def turned(angle_rad: float) -> ndarray:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def drive(turns_rad: list[float]) -> ndarray:
    """Motions from the first image to those after, of a car that goes 1 m and turns before each."""
    T, found = np.eye(4), []
    for turn in turns_rad:
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = turned(turn), [0.1 * turn, 0.02 * math.cos(50 * turn), -1.0]
        T = step @ T
        found.append(T)
    return np.stack(found)


def tracks_of(camera: Camera, T: ndarray, *, moving: int = 0) -> Tracks:
    """Points in front of the camera, where it sees them; some of them move by themselves."""
    rng = np.random.default_rng(0)
    start_px = rng.uniform([5, 5], [186, 90], (60, 2))
    rays, valid = camera.unproject(start_px)
    assert valid.all()
    distance = rng.uniform(12, 60, 60)
    points = np.repeat((rays * distance[:, None])[None], len(T), axis=0)
    points[:, :moving, 0] += 0.15 * np.arange(1, len(T) + 1)[:, None]
    seen = np.einsum("tij,tnj->tni", T[:, :3, :3], points) + T[:, None, :3, 3]
    found = [camera.project(each) for each in seen]
    image, point = np.nonzero(np.stack([valid for _, valid in found]))
    return Tracks(
        start_px=start_px,
        distance=distance,
        T_image_anchor=T,
        image=image,
        point=point,
        found_px=np.stack([pixels for pixels, _ in found])[image, point],
    )


def curve(tracks: Tracks, camera: Camera) -> list[float]:
    scaled = [replace(camera, fx=camera.fx * math.exp(s), fy=camera.fy * math.exp(s)) for s in STEPS]
    return misfits(tracks, camera, scaled).tolist()


BENDS = drive([0.0, 0.01, 0.03, 0.05, 0.03, 0.0, -0.02, -0.05])


@pytest.mark.parametrize("camera", [PINHOLE, BROWN], ids=["pinhole", "brown"])
def test_the_true_camera_explains_all_and_another_does_not_if_the_drive_turns(camera: Camera) -> None:
    left = curve(tracks_of(camera, BENDS), camera)
    assert left[3] < 1e-6
    assert left == sorted(left[:3], reverse=True) + sorted(left[3:])
    assert left[2] > 100 * left[3] and left[4] > 100 * left[3]


def test_a_drive_straight_on_is_explained_by_every_camera() -> None:
    assert max(curve(tracks_of(PINHOLE, drive([0.0] * 8)), PINHOLE)) < 1e-3


def test_what_is_believed_of_motion_and_distance_only_begins_the_search() -> None:
    tracks = tracks_of(PINHOLE, BENDS)
    rng = np.random.default_rng(1)
    T = tracks.T_image_anchor.copy()
    T[:, :3, 3] *= rng.uniform(0.9, 1.1, (len(T), 1))
    wrong = replace(tracks, T_image_anchor=T, distance=tracks.distance * rng.uniform(0.8, 1.25, len(tracks.distance)))
    assert misfits(wrong, PINHOLE, [PINHOLE]) < 1e-3


def test_the_way_to_a_camera_does_not_change_what_is_left_there() -> None:
    tracks = tracks_of(PINHOLE, BENDS, moving=6)
    alone = [float(misfits(tracks, PINHOLE, [replace(PINHOLE, fx=fx, fy=fx)])[0]) for fx in (90.0, 100.0, 120.0)]
    together = misfits(tracks, PINHOLE, [replace(PINHOLE, fx=fx, fy=fx) for fx in (90.0, 100.0, 120.0)])
    assert together.tolist() == pytest.approx(alone, rel=0.01)
    assert len(misfits(tracks, PINHOLE, [])) == 0


def test_size_cannot_be_seen() -> None:
    tracks = tracks_of(PINHOLE, BENDS)
    T = tracks.T_image_anchor.copy()
    T[:, :3, 3] *= 0.04
    small = replace(tracks, T_image_anchor=T, distance=tracks.distance * 0.04)
    assert curve(small, PINHOLE) == pytest.approx(curve(tracks, PINHOLE), rel=0.02, abs=1e-4)


def test_a_tenth_of_points_that_move_by_themselves_does_not_move_the_minimum() -> None:
    left = curve(tracks_of(PINHOLE, BENDS, moving=6), PINHOLE)
    assert int(np.argmin(left)) == 3 and left[3] > 0.1
