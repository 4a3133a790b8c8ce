"""What a camera sees of a few quads: the nearest surface, at its exact depth, in its own colour."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.geometry.camera import Camera
from selfdepth.synthetic.atlas import Atlas, build_atlas
from selfdepth.synthetic.objects import Face, Quads, quads
from selfdepth.synthetic.optics import FAR_M, NEAR_M, PinholeOptics
from selfdepth.synthetic.raster import GROUND, SKY, Samples, project, trace

CAMERA = Camera(fx=20.0, fy=20.0, cx=19.5, cy=9.5, width=40, height=24)
HEIGHT_M = 1.6
OPTICS = PinholeOptics(CAMERA)
T_GROUND_CAMERA = np.eye(4)
T_GROUND_CAMERA[1, 3] = -HEIGHT_M


def wall(z: float, *, texture: int = 0, half_width: float = 2.0, cutout: bool = False) -> Face:
    """From the ground up to 3 m, straight ahead."""
    return Face((-half_width, -3, z), (2 * half_width, 0, 0), (0, 3, 0), texture, 1.0, cutout)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    """A whole texture, and one whose left half is cut out."""
    half = np.ones((8, 8, 4))
    half[:, :4, 3] = 0
    return build_atlas([np.ones((8, 8, 4)), half])


def seen(parts: Quads, atlas: Atlas, *, supersampling: int = 1, T: np.ndarray = T_GROUND_CAMERA) -> Samples:
    return trace(project(parts, T, OPTICS), parts, atlas, OPTICS, supersampling)


def test_a_wall_ahead_is_at_its_own_depth_and_the_ground_at_that_of_its_row(atlas: Atlas) -> None:
    found = seen(quads([wall(5.0)]), atlas)
    np.testing.assert_allclose(1 / found.inverse_depth[found.surface == 0], 5.0, rtol=1e-9)
    v = np.arange(24)[:, None].repeat(40, 1)
    on_ground = found.surface == GROUND
    wanted = CAMERA.fy * HEIGHT_M / (v[on_ground] - CAMERA.cy)
    np.testing.assert_allclose(1 / found.inverse_depth[on_ground], wanted, rtol=1e-9)
    assert on_ground[-1].all() and (found.surface[0, :8] == SKY).all()
    assert 1 / found.inverse_depth[found.surface == SKY].max() == pytest.approx(FAR_M)


def test_the_edges_of_a_wall_are_where_its_corners_project(atlas: Atlas) -> None:
    columns = np.nonzero((seen(quads([wall(5.0)]), atlas).surface == 0).any(0))[0]
    assert (columns[0], columns[-1]) == (12, 27), "19.5 +- 20 * 2 / 5"


@pytest.mark.parametrize("order", [(3.0, 8.0), (8.0, 3.0)])
def test_what_is_nearer_hides_what_is_behind_whatever_the_order(order: tuple[float, float], atlas: Atlas) -> None:
    parts = quads([wall(z, half_width=0.5 if z < 5 else 8.0) for z in order])
    found = seen(parts, atlas)
    depth = 1 / found.inverse_depth[10]
    assert depth[19] == pytest.approx(3) and depth[2] == pytest.approx(8)


def test_through_a_cutout_one_sees_what_is_behind(atlas: Atlas) -> None:
    found = seen(quads([wall(4.0, texture=1, cutout=True), wall(9.0, half_width=9.0)]), atlas)
    row = 1 / found.inverse_depth[10]
    assert row[12] == pytest.approx(9) and row[27] == pytest.approx(4)


def test_what_is_behind_the_camera_or_too_near_is_not_seen(atlas: Atlas) -> None:
    found = seen(quads([wall(-3.0), wall(NEAR_M / 2)]), atlas)
    assert set(np.unique(found.surface)) == {SKY, GROUND}


def test_a_camera_that_drives_on_sees_the_wall_nearer(atlas: Atlas) -> None:
    nearer = T_GROUND_CAMERA.copy()
    nearer[2, 3] = 2.0
    found = seen(quads([wall(5.0)]), atlas, T=nearer)
    np.testing.assert_allclose(1 / found.inverse_depth[found.surface == 0], 3.0, rtol=1e-9)


def test_finer_samples_lie_around_the_pixels_centres(atlas: Atlas) -> None:
    fine = seen(quads([wall(5.0)]), atlas, supersampling=2)
    assert fine.surface.shape == (48, 80)
    assert fine.grid.x[0, :2].tolist() == [-0.25, 0.25]
    share = (fine.surface == 0).mean()
    assert share == pytest.approx((seen(quads([wall(5.0)]), atlas).surface == 0).mean(), abs=0.05)
