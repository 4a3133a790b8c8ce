"""What a lens sees of the street lies where the lens projects it, at its exact depth, and nothing is seen elsewhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.geometry.camera import Camera
from selfdepth.synthetic.atlas import Atlas, build_atlas
from selfdepth.synthetic.drive import BASELINE_M, DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.lens_optics import LensOptics
from selfdepth.synthetic.lenses import LENSES, DriveLens
from selfdepth.synthetic.objects import Quads
from selfdepth.synthetic.optics import FAR_M, NEAR_M, Optics
from selfdepth.synthetic.raster import GROUND, SKY, Samples, project, trace

HEIGHT_M = 1.6
BENT = ("brown", "fisheye", "ucm")


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return build_atlas([np.ones((8, 8, 4))])


@cache
def optics_of(name: str) -> LensOptics:
    lens = LENSES[name]
    return LensOptics(lens.camera(96, 64), np.radians(lens.circle_deg) if lens.circle_deg else None)


def parallelograms(origin: ndarray, u: ndarray, v: ndarray) -> Quads:
    """Plain ones, in the frame of the camera, which stands upright HEIGHT_M above the ground."""
    n = len(origin)
    return Quads(
        origin=origin - np.array([0, HEIGHT_M, 0]),
        edge_u=u,
        edge_v=v,
        texture=np.zeros(n, np.int64),
        tint=np.ones((n, 3)),
        cutout=np.zeros(n, bool),
    )


def seen(parts: Quads, atlas: Atlas, optics: Optics) -> Samples:
    T_ground_camera = np.eye(4)
    T_ground_camera[1, 3] = -HEIGHT_M
    return trace(project(parts, T_ground_camera, optics), parts, atlas, optics, 1)


def directions_of(camera: Camera, optics: Optics) -> tuple[ndarray, ndarray]:
    """Unit rays of all pixel centres, and where the lens sees anything."""
    valid = optics.grid(1).valid
    assert valid is not None
    return camera.rays()[0], valid


@pytest.mark.parametrize("name", LENSES)
def test_surfaces_are_those_that_every_ray_meets_first(name: str, atlas: Atlas) -> None:
    """Tiles, bounding boxes and the order of the surfaces leave nothing out."""
    rng = np.random.default_rng(3)
    parts = parallelograms(
        rng.uniform(-1, 1, (120, 3)) * [12, 3, 12], rng.normal(0, 3, (120, 3)), rng.normal(0, 3, (120, 3))
    )
    optics = optics_of(name)
    found = seen(parts, atlas, optics)
    rays, valid = directions_of(optics.camera, optics)
    rays = np.where(valid[..., None], rays / abs(rays).max(-1, keepdims=True), 0)
    frames = np.stack([parts.edge_u, parts.edge_v, parts.origin + np.array([0, HEIGHT_M, 0])], axis=-1)
    uw, vw, w = np.moveaxis(np.einsum("qij,hwj->hwqi", np.linalg.inv(frames), rays), -1, 0)
    hit = (uw >= 0) & (uw <= w) & (vw >= 0) & (vw <= w) & (w < 1 / NEAR_M) & (w > 1 / FAR_M)
    best = np.where(hit, w, 0).max(-1)
    ground = rays[..., 1] / HEIGHT_M
    surface = np.where(hit.any(-1), np.where(hit, w, 0).argmax(-1), SKY)
    surface = np.where((ground > 1 / FAR_M) & (ground > best), GROUND, surface)
    assert len(np.unique(surface)) > 15
    assert np.array_equal(found.surface, surface)
    above = surface >= 0
    np.testing.assert_allclose(found.inverse_depth[above], best[above], rtol=1e-9)


def test_no_point_of_a_surface_is_nearer_or_farther_than_its_bounds() -> None:
    rng = np.random.default_rng(5)
    origin, u, v = rng.normal(0, 3, (3, 200, 1, 3))
    corners = np.concatenate([origin, origin + u, origin + u + v, origin + v], axis=1)
    nearest, farthest = optics_of("fisheye").distances(corners)
    on_it = origin + rng.uniform(0, 1, (1, 500, 1)) * u + rng.uniform(0, 1, (1, 500, 1)) * v
    largest = abs(on_it).max(-1)
    assert (largest >= nearest[:, None]).all() and (largest <= farthest[:, None]).all()
    assert (nearest > 1).sum() > 50, "the bound is of use"


@pytest.mark.parametrize("name", LENSES)
def test_a_small_far_surface_shows_at_the_pixel_to_which_its_centre_projects(name: str, atlas: Atlas) -> None:
    optics = optics_of(name)
    camera, small = optics.camera, 6.0
    pixels = np.array([[48.0, 20.0], [9.0, 22.0], [88.0, 18.0], [60.0, 5.0], [30.0, 12.0]])
    rays, valid = camera.unproject(pixels)
    assert valid.all()
    centres = 60 * rays
    for centre in centres:
        across = np.cross([0, 1, 0], centre)
        across *= small / np.linalg.norm(across)
        up = np.cross(across, centre)
        up *= small / np.linalg.norm(up)
        parts = parallelograms((centre - across / 2 - up / 2)[None], across[None], up[None])
        rows, columns = np.nonzero(seen(parts, atlas, optics).surface == 0)
        wanted, _ = camera.project(centre[None])
        assert len(rows) > 2
        assert abs(np.array([columns.mean(), rows.mean()]) - wanted[0]).max() < 0.5


@pytest.mark.parametrize("name", LENSES)
def test_a_straight_edge_lies_on_the_curve_that_its_points_project_to(name: str, atlas: Atlas) -> None:
    optics = optics_of(name)
    # The upper edge of a wall across the street, from far left to far right.
    wall = parallelograms(np.array([[-60.0, -2, 6]]), np.array([[120.0, 0, 0]]), np.array([[0.0, 4, 0]]))
    found = seen(wall, atlas, optics).surface
    valid = optics.grid(1).valid
    assert valid is not None
    edge = np.stack([np.linspace(-60, 60, 20_000), np.full(20_000, -2.0), np.full(20_000, 6.0)], axis=-1)
    pixels, visible = optics.camera.project(edge)
    heights = []
    for column in range(2, 94):
        near = visible & (abs(pixels[:, 0] - column) < 0.05)
        rows = np.nonzero(found[:, column] == 0)[0]
        if near.any() and len(rows) > 0 and rows[0] > 0 and valid[rows[0] - 1, column]:
            heights.append(pixels[near, 1].mean())
            assert 0 <= rows[0] - heights[-1] <= 1.001
    assert len(heights) > 50
    bend = np.ptp(np.diff(heights))
    assert (bend < 0.05) == (name == "pinhole"), "only a pinhole keeps it straight"


@pytest.mark.parametrize("name", BENT)
def test_points_of_the_ground_unproject_onto_it(name: str, atlas: Atlas) -> None:
    optics = optics_of(name)
    away = parallelograms(np.array([[0.0, 0, 500]]), np.array([[1.0, 0, 0]]), np.array([[0.0, 1, 0]]))
    found = seen(away, atlas, optics)
    rays, valid = directions_of(optics.camera, optics)
    depth = optics.depth(found.inverse_depth)
    scale = depth / rays[..., 2] if optics.depth_is == "z" else depth
    on_ground = found.surface == GROUND
    assert on_ground.sum() > 1000 and not (on_ground & ~valid).any()
    np.testing.assert_allclose((rays[..., 1] * scale)[on_ground], HEIGHT_M, rtol=1e-9)


def test_lenses_that_a_pinhole_can_hold_give_z_and_wider_ones_the_distance() -> None:
    assert {name: optics_of(name).depth_is for name in LENSES} == {
        "pinhole": "z",
        "brown": "z",
        "kitti": "z",
        "fisheye": "ray",
        "ucm": "ray",
    }


def test_a_fisheye_of_190_degrees_sees_what_stands_behind_the_camera(atlas: Atlas) -> None:
    behind = parallelograms(np.array([[8.0, -2, -0.6]]), np.array([[0.0, 0, 0.5]]), np.array([[0.0, 4, 0]]))
    found = seen(behind, atlas, optics_of("fisheye"))
    pixels = found.surface == 0
    assert pixels.sum() >= 10
    rays, _ = directions_of(optics_of("fisheye").camera, optics_of("fisheye"))
    assert (rays[pixels][:, 2] < 0).all()
    distance = optics_of("fisheye").depth(found.inverse_depth)[pixels]
    np.testing.assert_allclose(distance * rays[pixels][:, 0], 8.0, rtol=1e-9)
    for name in ("pinhole", "brown"):
        assert not (seen(behind, atlas, optics_of(name)).surface == 0).any()


@pytest.mark.parametrize("name", LENSES)
def test_the_footprint_follows_from_how_the_lens_spreads_its_rays(name: str) -> None:
    """Of (a d) / (b d), the change per pixel is (slope of a - value * slope of b) / (b d), as the renderer uses it."""
    optics, rng = optics_of(name), np.random.default_rng(0)
    a, b = rng.normal(size=3), np.array([0.1, -0.2, 1.0])
    rows, columns = np.array([60, 70, 30, 64]), np.array([100, 130, 90, 60])
    points = optics.grid(2).at(rows, columns)
    value, pixels = points.value(a) / points.value(b), np.stack([columns, rows], axis=-1) / 2 - 0.25
    for axis, step in enumerate(np.eye(2) * 1e-4):
        after, before = (optics.camera.unproject(pixels + sign * step)[0] for sign in (1, -1))
        wanted = (after @ a / (after @ b) - before @ a / (before @ b)) / 2e-4
        found = (points.slope(a, axis) - value * points.slope(b, axis)) / points.value(b)
        np.testing.assert_allclose(found, wanted, rtol=0.02, atol=1e-5)


@cache
def drive(name: str) -> SyntheticDrive:
    spec = DriveSpec(seed=1, frames=3, width=160, height=80, brightness_change=0.0, moving_cars=False)
    return render_drive(replace(spec, lens=LENSES[name]))


def test_a_pinhole_drawn_from_a_table_of_rays_is_the_pinhole() -> None:
    table = render_drive(
        DriveSpec(
            seed=1,
            frames=3,
            width=160,
            height=80,
            brightness_change=0.0,
            moving_cars=False,
            lens=DriveLens(circle_deg=175.0),
        )
    )
    direct = drive("pinhole")
    assert table.depth_is == direct.depth_is == "z"
    np.testing.assert_allclose(table.depth, direct.depth, rtol=1e-5)
    apart = abs(table.images.astype(int) - direct.images).max(-1)
    assert apart.mean() < 0.02 and (apart > 2).mean() < 1e-3


@pytest.mark.parametrize("name", BENT)
def test_through_a_lens_too_the_true_depth_and_motion_explain_the_next_frame(name: str) -> None:
    street = drive(name)
    camera, depth = street.camera, street.depth[1]
    rays, _ = camera.rays()
    points = rays * (depth / (rays[..., 2] if street.depth_is == "z" else 1))[..., None]
    T_source_target = np.linalg.inv(street.T_world_camera[2]) @ street.T_world_camera[1]
    pixels, valid = camera.project(points.reshape(-1, 3) @ T_source_target[:3, :3].T + T_source_target[:3, 3])
    columns, rows = np.rint(pixels).astype(int).T
    inside = (depth > 0).ravel() & valid & (columns >= 0) & (columns < 160) & (rows >= 0) & (rows < 80)
    there = np.zeros(len(inside), bool)
    there[inside] = street.depth[2][rows[inside], columns[inside]] > 0
    target, source = street.images[1].reshape(-1, 3).astype(float), street.images[2].astype(float)
    warped = abs(source[rows[there], columns[there]] - target[there]).mean()
    static = abs(source.reshape(-1, 3) - target)[there].mean()
    assert there.mean() > 0.4 and warped < 0.6 * static
    # Where both see the same plane, the distances agree, too.
    moved = points.reshape(-1, 3)[there] @ T_source_target[:3, :3].T + T_source_target[:3, 3]
    expected = moved[:, 2] if street.depth_is == "z" else np.linalg.norm(moved, axis=-1)
    assert np.median(abs(street.depth[2][rows[there], columns[there]] / expected - 1)) < 0.02


def test_the_partner_sees_the_street_through_the_same_lens() -> None:
    spec = DriveSpec(seed=1, frames=2, width=160, height=80, brightness_change=0.0, stereo=True, lens=LENSES["fisheye"])
    street = render_drive(spec)
    assert street.partner is not None
    rays, _ = street.camera.rays()
    points = (rays * street.depth[0][..., None]).reshape(-1, 3) - np.array([BASELINE_M, 0, 0])
    pixels, valid = street.camera.project(points)
    columns, rows = np.rint(pixels).astype(int).T
    near = valid & ((street.depth[0] > 0) & (street.depth[0] < 12)).ravel()
    near &= (columns >= 0) & (columns < 160) & (rows >= 0) & (rows < 80)
    target, partner = street.images[0].reshape(-1, 3).astype(float), street.partner[0].astype(float)
    warped = abs(partner[rows[near], columns[near]] - target[near]).mean()
    assert near.mean() > 0.3 and warped < 0.6 * abs(partner.reshape(-1, 3) - target)[near].mean()


def test_outside_the_image_circle_it_is_black_and_without_depth() -> None:
    street = drive("fisheye")
    corners = street.images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not corners.any() and not street.depth[:, [0, 0, -1, -1], [0, -1, 0, -1]].any()
    rays, _ = street.camera.rays()
    inside = rays[..., 2] > np.cos(np.radians(94.0))
    assert street.images[:, inside].max(-1).min() > 0, "the sky has a colour"
    assert (street.depth[:, rays[..., 2] < np.cos(np.radians(95.0))] == 0).all()
