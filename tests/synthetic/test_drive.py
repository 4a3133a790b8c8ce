"""Laws that a rendered drive obeys: its truth explains its pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy import ndarray

from helpers.street_geometry import T_between, lookup, project
from selfdepth.errors import ConfigError
from selfdepth.synthetic import drive as module
from selfdepth.synthetic.drive import BASELINE_M, DriveSpec, SyntheticDrive, render_drive

SMALL = DriveSpec(seed=1, frames=8, width=160, height=48, stereo=True, brightness_change=0.0)
PLAIN = {
    "image": [117.2505, 118.1875, 119.1004],
    "depth": [9.48111, 9.53735, 9.58474],
    "place": [-4.3500569662e-05, 4.930879261386e-03, 1.228163716372],
}
"""Mean brightness and median depth of three frames of 64x32 of seed 1, and where the camera is in the last, metres."""


@cache
def _drive(spec: DriveSpec = SMALL) -> SyntheticDrive:
    return render_drive(spec)


def _path(spec: DriveSpec) -> ndarray:
    """T_world_camera of a drive, without its pictures."""
    T_ground_camera = module._build_world(spec).T_ground_camera
    return np.linalg.inv(T_ground_camera[0]) @ T_ground_camera


def _photometric_errors(drive: SyntheticDrive, t: int) -> dict[str, float]:
    """Mean absolute difference of frame t and frame t + 1 warped to it, where both see the same static surface."""
    T_source_target = T_between(drive, t, t + 1)
    target, source, depth = drive.images[t] / 255, drive.images[t + 1] / 255, drive.depth[t]
    x, y, z = project(drive.camera.matrix(), depth, T_source_target)
    h, w = depth.shape
    seen = (depth > 0) & (x > 0) & (x < w - 1) & (y > 0) & (y < h - 1) & ~drive.moving[t]
    seen &= lookup(drive.moving[t + 1], x, y)[..., 0] == 0
    inverse = lookup(1 / np.maximum(drive.depth[t + 1], 1e-3), x, y)[..., 0]
    seen &= abs(inverse * z - 1) < 0.05
    assert seen.mean() > 0.3
    errors = {"static": abs(source - target).mean(axis=-1)[seen].mean()}
    for name, factor in (("true", 1.0), ("near", 0.8), ("far", 1.25)):
        x, y, _ = project(drive.camera.matrix(), depth * factor, T_source_target)
        errors[name] = abs(lookup(source, x, y) - target).mean(axis=-1)[seen].mean()
    return errors


def test_the_true_depth_and_motion_explain_the_next_frame() -> None:
    errors = [_photometric_errors(_drive(), t) for t in range(2, 7)]
    mean = {name: float(np.mean([e[name] for e in errors])) for name in errors[0]}
    assert mean["true"] < 0.03
    assert mean["true"] < 0.35 * mean["static"]
    assert mean["true"] < 0.7 * min(mean["near"], mean["far"])


def test_depth_of_two_frames_agrees_through_the_motion() -> None:
    drive = _drive()
    T_source_target = T_between(drive, 4, 5)
    x, y, z = project(drive.camera.matrix(), drive.depth[4], T_source_target)
    h, w = drive.depth.shape[1:]
    seen = (drive.depth[4] > 0) & (x > 1) & (x < w - 2) & (y > h * 0.75) & (y < h - 2)
    seen &= ~(drive.moving[4] | drive.moving[5])
    # On planes inverse depth is affine in the pixel, so bilinear lookup of it is exact; edges are the exception.
    ratio = lookup(1 / np.maximum(drive.depth[5], 1e-3), x, y)[..., 0] * z
    assert np.median(abs(ratio[seen] - 1)) < 1e-5


def test_the_partner_is_the_same_street_seen_from_the_right() -> None:
    drive = _drive()
    assert drive.partner is not None
    T_stereo_target = np.eye(4)
    T_stereo_target[0, 3] = -BASELINE_M
    for t in (0, 5):
        x, y, _ = project(drive.camera.matrix(), np.where(drive.depth[t] > 0, drive.depth[t], 1e6), T_stereo_target)
        seen = x > 1
        warped = abs(lookup(drive.partner[t], x, y) - drive.images[t]).mean(axis=-1)[seen]
        unwarped = abs(drive.partner[t].astype(float) - drive.images[t]).mean(axis=-1)[seen]
        assert np.median(warped) < 0.5 * np.median(unwarped)


def test_the_ground_lies_at_the_camera_height() -> None:
    drive = _drive()
    camera, column = drive.camera, drive.camera.width // 2
    row = camera.height - 1
    height_m = (row - camera.cy) / camera.fy * drive.depth[:, row, column]
    assert np.median(height_m) == pytest.approx(1.65, abs=0.1)


def test_how_many_workers_render_does_not_change_a_bit() -> None:
    spec = DriveSpec(seed=1, frames=3, width=64, height=32)
    one, three = render_drive(spec, workers=1), render_drive(spec, workers=3)
    for name in ("images", "depth", "T_world_camera", "moving", "comoving"):
        assert np.array_equal(getattr(one, name), getattr(three, name))


def test_another_seed_is_another_street() -> None:
    spec = DriveSpec(seed=1, frames=2, width=64, height=32)
    first, second = _drive(spec), _drive(replace(spec, seed=2))
    assert abs(first.depth - second.depth).mean() > 1
    assert abs(first.images.astype(int) - second.images).mean() > 10


def test_a_drive_has_turns_halts_traffic_and_a_car_that_keeps_its_distance() -> None:
    drive = _drive(DriveSpec(seed=1, frames=45, width=32, height=16, fps=3.0))
    forward = drive.T_world_camera[:, 0, 2]
    assert np.ptp(np.arcsin(forward)) > np.radians(8)
    step_m = np.linalg.norm(np.diff(drive.T_world_camera[:, :3, 3], axis=0), axis=-1)
    assert (step_m < 1e-9).sum() >= 2 and np.median(step_m) > 1.8
    assert drive.moving.any() and drive.comoving.any()
    assert not (drive.comoving & ~drive.moving).any()
    known = drive.depth[drive.depth > 0]
    assert known.min() > 1.0 and np.percentile(known, 99) > 50
    assert 0.01 < (drive.depth == 0).mean() < 0.4


def test_the_comoving_car_keeps_its_place_in_the_picture() -> None:
    spec = DriveSpec(seed=1, frames=4, width=160, height=48, bends=False)
    drive = _drive(spec)
    both = drive.comoving[1] & drive.comoving[2]
    assert both.sum() > 20
    assert both.sum() > 0.75 * (drive.comoving[1] | drive.comoving[2]).sum()
    assert np.median(abs(drive.depth[1] - drive.depth[2])[both]) < 0.05


def test_switches_do_what_they_say() -> None:
    spec = DriveSpec(
        seed=1,
        frames=45,
        fps=3.0,
        width=32,
        height=16,
        moving_cars=False,
        stops=False,
        bends=False,
        brightness_change=0.0,
    )
    drive = _drive(spec)
    assert not drive.moving.any() and not drive.comoving.any() and drive.partner is None
    assert (np.diff(drive.T_world_camera[:, 2, 3]) > 0.3).all()
    assert abs(np.arcsin(drive.T_world_camera[:, 0, 2])).max() < np.radians(3)


def test_a_straight_drive_without_sway_never_turns() -> None:
    """The focal length cannot be learned from one: a larger one and a deeper world explain the pictures as well."""
    spec = DriveSpec(seed=1, frames=20, fps=2.0, width=32, height=16, bends=False, stops=False)
    turns = {sway: _path(replace(spec, sway=sway))[:, :3, :3] - np.eye(3) for sway in (0.0, 1.0)}
    assert abs(turns[0.0]).max() == 0 and abs(turns[1.0]).max() > 0.005
    bent = _path(replace(spec, sway=0.0, bends=True))
    assert np.ptp(np.arcsin(bent[:, 0, 2])) > np.radians(15)


def test_exposure_drifts_by_no_more_than_asked() -> None:
    spec = DriveSpec(seed=1, frames=3, width=64, height=32, brightness_change=0.3)
    steady = _drive(replace(spec, brightness_change=0.0))
    ratio = _drive(spec).images.mean(axis=(1, 2, 3)) / steady.images.mean(axis=(1, 2, 3))
    assert (abs(ratio - 1) <= 0.31).all() and np.ptp(ratio) > 0.005
    assert np.array_equal(_drive(spec).depth, steady.depth)


def test_progress_counts_every_frame_once() -> None:
    seen: list[tuple[int, int]] = []
    render_drive(
        DriveSpec(seed=1, frames=3, width=32, height=16), progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_plain_street_is_the_one_on_which_earlier_figures_were_measured() -> None:
    drive = _drive(DriveSpec(seed=1, frames=3, width=64, height=32))
    assert drive.images.mean(axis=(1, 2, 3)) == pytest.approx(PLAIN["image"], abs=0.02)
    assert np.median(drive.depth, axis=(1, 2)) == pytest.approx(PLAIN["depth"], rel=1e-4)
    assert drive.T_world_camera[2, :3, 3] == pytest.approx(PLAIN["place"], abs=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frames", 1),
        ("width", 8),
        ("height", 0),
        ("fps", 0.0),
        ("brightness_change", 0.9),
        ("sway", -0.1),
        ("sway", float("nan")),
        ("seed", -1),
        ("kind", "forest"),
    ],
)
def test_a_spec_out_of_range_is_refused_by_name(name: str, value: float | str) -> None:
    with pytest.raises(ConfigError, match=name):
        DriveSpec(**{name: value})


def test_a_convoy_without_cars_is_refused() -> None:
    with pytest.raises(ConfigError, match="moving_cars"):
        DriveSpec(kind="comoving", moving_cars=False)
