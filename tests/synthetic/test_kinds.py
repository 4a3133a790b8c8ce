"""Each kind of street has what it is named for, and its truth explains its pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy import ndarray

from helpers.street_geometry import T_between, lookup, project
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kinds import KINDS, ROW_LEFT_M, ROW_RIGHT_M, WALL_M

STILL = {"moving_cars": False, "stops": False}
"""Without traffic: what one frame does not see of another is then due to the camera alone."""


@cache
def drive(kind: str, **options: bool) -> SyntheticDrive:
    return render_drive(DriveSpec(seed=1, frames=6, width=160, height=48, brightness_change=0.0, kind=kind, **options))


def hidden(drive: SyntheticDrive, target: int, source: int) -> tuple[ndarray, ndarray]:
    """Pixels of the target that lie within the source's picture, and those of them that are hidden there."""
    x, y, z = project(drive.camera.matrix(), drive.depth[target], T_between(drive, target, source))
    h, w = drive.depth.shape[1:]
    inside = (drive.depth[target] > 0) & (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    column, row = (np.rint(np.clip(at, 0, size - 1)).astype(int) for at, size in ((x, w), (y, h)))
    there = drive.depth[source][row, column]
    return inside, inside & (there > 0) & (there < 0.9 * z)


def seen_by_one_source(drive: SyntheticDrive) -> float:
    """Share of pixels that just one of the neighbouring frames sees, though they lie within both pictures."""
    shares = []
    for t in range(1, len(drive.images) - 1):
        (before, hidden_before), (after, hidden_after) = hidden(drive, t, t - 1), hidden(drive, t, t + 1)
        shares.append((before & after & (hidden_before ^ hidden_after)).mean())
    return float(np.mean(shares))


def test_in_a_street_of_occlusions_one_source_often_lacks_what_the_other_has() -> None:
    plain, rows, walls = (seen_by_one_source(drive(kind, **STILL)) for kind in ("street", "occlusions", "fine"))
    assert rows > 0.08
    assert rows > 3 * plain
    assert walls < 0.5 * plain, "walls hide nothing from each other"


def inner(mask: ndarray) -> ndarray:
    """Pixels whose four neighbours belong to the mask too: at an edge, a picture blends object and background."""
    around = [np.roll(mask, shift, axis=(0, 1)) for shift in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    return np.asarray(np.logical_and.reduce([mask, *around]))


def test_cars_that_keep_our_speed_have_no_static_error_and_the_street_has() -> None:
    convoy = drive("comoving", bends=False)
    assert np.array_equal(convoy.comoving[2], convoy.comoving[3])
    cars = convoy.comoving[2]
    assert 0.08 < cars.mean() < 0.4
    static = abs(convoy.images[3].astype(int) - convoy.images[2]).max(axis=-1)
    assert static[inner(cars)].max() <= 2, "rounding alone"
    assert static[~cars & (convoy.depth[2] > 0)].mean() > 10
    assert np.array_equal(convoy.moving[2], cars), "nothing else moves"
    np.testing.assert_allclose(convoy.depth[3][cars], convoy.depth[2][cars], rtol=1e-5)


def test_the_true_motion_does_not_explain_cars_that_keep_our_speed() -> None:
    convoy = drive("comoving", bends=False)
    x, y, _ = project(convoy.camera.matrix(), convoy.depth[2], T_between(convoy, 2, 3))
    warped = abs(lookup(convoy.images[3], x, y) - convoy.images[2]).mean(axis=-1)
    assert warped[inner(convoy.comoving[2])].mean() > 10


def test_a_convoy_waits_together_for_a_part_of_the_drive() -> None:
    waiting = render_drive(DriveSpec(seed=1, frames=40, width=32, height=16, fps=4.0, kind="comoving"))
    stands = np.flatnonzero(np.diff(waiting.T_world_camera[:, 2, 3]) < 1e-9)
    assert 0.15 < len(stands) / 40 < 0.45
    assert not waiting.moving[stands].any() and not waiting.comoving[stands].any()
    drives = np.setdiff1d(np.arange(39), stands)
    assert waiting.comoving[drives].any(axis=(1, 2)).mean() > 0.9


def smaller(image: ndarray, n: int) -> ndarray:
    h, w = image.shape[:2]
    return np.asarray(image.reshape(h // n, n, w // n, n, -1).mean(axis=(1, 3)))


def errors_by_depth(drive: SyntheticDrive, n: int) -> ndarray:
    """Photometric error nearby, in brightness levels, at 1/n of the size: 0.8, 1, 1.25 times the true depth."""
    K = drive.camera.matrix()
    K[:2] /= n
    K[:2, 2] += 0.5 / n - 0.5
    errors = []
    for t in range(1, 5):
        near = (drive.depth[t] > 0) & (drive.depth[t] < 12)
        region = smaller(near, n)[..., 0] == 1
        depth = 1 / smaller(1 / np.maximum(drive.depth[t], 1e-3), n)[..., 0]
        target, source = smaller(drive.images[t], n), smaller(drive.images[t + 1], n)
        row = []
        for factor in (0.8, 1.0, 1.25):
            x, y, _ = project(K, depth * factor, T_between(drive, t, t + 1))
            inside = region & (x > 0) & (x < depth.shape[1] - 1) & (y > 0) & (y < depth.shape[0] - 1)
            row.append(abs(lookup(source, x, y) - target).mean(axis=-1)[inside].mean())
        errors.append(row)
    return np.mean(errors, axis=0)


def test_fine_texture_gives_the_depth_away_at_full_size_and_not_at_an_eighth() -> None:
    fine = drive("fine", bends=False, **STILL)
    near, true, far = errors_by_depth(fine, 1)
    assert true < 0.6 * min(near, far), "a minimum at the true depth"
    coarse = errors_by_depth(fine, 8)
    assert np.ptp(coarse) < 0.5, "flat, to half a level"
    assert coarse.max() < 0.5 * true


def test_kinds_share_the_road_and_the_camera_path_but_for_the_convoy() -> None:
    plain = drive("street", **STILL)
    for kind in ("occlusions", "fine"):
        np.testing.assert_array_equal(drive(kind, **STILL).T_world_camera, plain.T_world_camera)
    nearer = drive("occlusions", **STILL).depth > plain.depth + 1e-4
    assert not (nearer & (plain.depth > 0)).any(), "what was added hides the street and takes nothing away"


@pytest.mark.parametrize("kind", KINDS)
def test_the_true_depth_and_motion_explain_the_next_frame_of_every_kind(kind: str) -> None:
    made = drive(kind, bends=False) if kind == "comoving" else drive(kind, **STILL)
    errors = dict.fromkeys((0.8, 1.0, 1.25), 0.0)
    for t in (1, 3):
        inside, blocked = hidden(made, t, t + 1)
        seen = inside & ~blocked & ~made.moving[t]
        assert seen.mean() > 0.3
        for factor in errors:
            x, y, _ = project(made.camera.matrix(), made.depth[t] * factor, T_between(made, t, t + 1))
            errors[factor] += abs(lookup(made.images[t + 1], x, y) - made.images[t]).mean(axis=-1)[seen].mean()
    assert errors[1.0] < 0.85 * min(errors[0.8], errors[1.25])


def test_rows_leave_the_lane_free_and_walls_the_road() -> None:
    # The camera sways by 0.18 m around the lane's middle, 1.75 m right of the road's; a car is 0.9 m to either side.
    assert ROW_RIGHT_M - 1.75 - 0.18 > 0.9 + 0.3
    assert 1.75 - 0.18 - ROW_LEFT_M > 0.9 + 0.3
    assert WALL_M > 5.7


def test_an_oncoming_car_has_its_own_depth_in_every_frame() -> None:
    """Its nearest point approaches by the sum of both speeds: 7 to 8 m/s, and ours."""
    traffic = render_drive(DriveSpec(seed=1, frames=30, width=96, height=32, bends=False, brightness_change=0.0))
    others = traffic.moving & ~traffic.comoving
    others[:, :, 48:] = False  # oncoming cars are on the left
    nearest = np.array([d[m].min() if m.sum() > 8 else np.nan for d, m in zip(traffic.depth, others, strict=True)])
    approach = -np.diff(nearest) * 10 - traffic.speed_mps[1:]
    known = approach[np.isfinite(approach) & (nearest[:-1] < 25) & (approach > 0)]  # a new car may become the nearest
    assert len(known) >= 5
    assert 6.5 < np.median(known) < 8.5
