"""Every lens model: projection and rays undo each other, agree with OpenCV, and never give NaN."""

import math

import cv2
import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import N_COEFFICIENTS, NAMES, PINHOLE, Lens, project, unproject

WIDE = Lens("kannala-brandt", (0.05, -0.02, 0.004, -0.0006))
LENSES = {
    "pinhole": PINHOLE,
    "brown": Lens("brown", (-0.33, 0.1, 1e-3, -8e-4, -0.012)),
    "rational": Lens("brown", (0.9, 0.11, -2e-4, 3e-4, 0.004, 1.25, 0.34, 0.02)),
    "fisheye": WIDE,
    "ucm": Lens("ucm", (2.2, 0.016, 1.6, 3e-4, -2e-4)),
    "ucm near 1": Lens("ucm", (0.9, -0.05, 0.01, 2e-4, 1e-4)),
    "eucm": Lens("eucm", (0.6, 1.1)),
    "eucm flat": Lens("eucm", (0.4, 0.9)),
}
each_lens = pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)


def camera(lens, width=640, height=480, focal=None):
    if focal is None:  # so that the lens sees something at most pixels, and its edge is in the image
        focal = {"brown": 330.0, "ucm": 200.0 * (1 + lens.coefficients[0]) if lens.coefficients else 0}.get(
            lens.model, 200.0
        )
    return Camera(fx=focal, fy=focal * 1.02, cx=321.3, cy=238.8, width=width, height=height, lens=lens)


def directions(n=20_000, seed=0):
    v = np.random.default_rng(seed).normal(size=(n, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


@each_lens
def test_every_pixel_with_a_ray_is_where_that_ray_is_seen(lens):
    cam = camera(lens)
    rays, valid = cam.rays()
    assert valid.mean() > 0.5
    pixels, seen = cam.project(rays[valid] * 7.3)
    rows, columns = np.nonzero(valid)
    assert seen.all()
    np.testing.assert_allclose(pixels, np.stack([columns, rows], -1), atol=1e-6)


@each_lens
def test_every_direction_that_is_seen_is_the_ray_of_its_pixel(lens):
    cam, ways = camera(lens), directions()
    pixels, seen = cam.project(ways)
    assert 0.2 < seen.mean() < 1 or lens.limit == math.pi
    rays, valid = cam.unproject(pixels[seen])
    assert valid.mean() > 0.999  # the last bit, at the very edge
    np.testing.assert_allclose(rays[valid], ways[seen][valid], atol=2e-6)


@each_lens
def test_rays_are_unit_vectors_and_nothing_is_ever_nan(lens):
    cam = camera(lens)
    rays, valid = cam.unproject(np.array([[0, 0], [321.3, 238.8], [1e6, -1e6], [639, 479], [-5e3, 200]]))
    assert np.isfinite(rays).all()
    np.testing.assert_allclose(np.linalg.norm(rays[valid], axis=1), 1, atol=1e-9)
    odd = np.array([[0, 0, 0], [0, 0, -1], [0, 0, 1e-12], [1, 0, 0], [1e9, 1e9, 1], [0, 1e-30, -1], [1e-200, 0, 1]])
    pixels, _ = cam.project(odd)
    assert np.isfinite(pixels).all()


@pytest.mark.parametrize("name", ["brown", "rational"])
def test_brown_agrees_with_opencv_out_to_the_edge(name):
    cam = camera(LENSES[name])
    ways = directions()
    ways = ways[cam.project(ways)[1]]
    ours, _ = cam.project(ways)
    theirs, _ = cv2.projectPoints(ways, np.zeros(3), np.zeros(3), cam.matrix(), np.array(cam.lens.coefficients))
    near = np.abs(theirs[:, 0]).max(1) < 1e5
    np.testing.assert_allclose(ours[near], theirs[near, 0], atol=1e-6)


def test_kannala_brandt_agrees_with_opencv_in_both_directions():
    cam, ways = camera(WIDE), directions()
    ways = ways[ways[:, 2] > 0.02]  # OpenCV's ends at the plane of the camera
    ours, seen = cam.project(ways)
    D = np.array(cam.lens.coefficients)
    theirs, _ = cv2.fisheye.projectPoints(ways[:, None], np.zeros(3), np.zeros(3), cam.matrix(), D)
    assert seen.all()
    np.testing.assert_allclose(ours, theirs[:, 0], atol=1e-6)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    near = ways[:, 2] > 0.3
    plane = cv2.fisheye.undistortPoints(ours[near][:, None], cam.matrix(), D, criteria=criteria)[:, 0]
    rays, _ = cam.unproject(ours[near])
    np.testing.assert_allclose(rays[:, :2] / rays[:, 2:], plane, atol=1e-6)


def test_the_unified_model_is_a_shifted_pinhole_before_opencvs_distortion():
    lens = LENSES["ucm"]
    cam, ways = camera(lens), directions()
    xi, *D = lens.coefficients
    ours, seen = cam.project(ways)
    shifted = ways[seen] + np.array([0, 0, xi])
    theirs, _ = cv2.projectPoints(shifted, np.zeros(3), np.zeros(3), cam.matrix(), np.array([*D, 0.0]))
    np.testing.assert_allclose(ours[seen], theirs[:, 0], atol=1e-6)


def test_xi_of_zero_is_a_pinhole_and_eucm_with_beta_one_is_the_unified_model():
    ways = directions()
    ahead = ways[:, 2] > 0.2
    np.testing.assert_allclose(
        camera(Lens("ucm")).project(ways[ahead])[0], camera(PINHOLE).project(ways[ahead])[0], atol=1e-9
    )
    # alpha = xi / (1 + xi), and the focal length is divided by 1 + xi.
    xi = 1.4
    unified, seen = camera(Lens("ucm", (xi,)), focal=200.0 * (1 + xi)).project(ways)
    extended, seen_too = camera(Lens("eucm", (xi / (1 + xi), 1.0)), focal=200.0).project(ways)
    both = seen & seen_too & (ways[:, 2] > -0.6)
    np.testing.assert_allclose(unified[both], extended[both], atol=1e-6)


def test_a_fisheye_sees_behind_its_plane_and_a_pinhole_does_not():
    sideways = np.array([[1.0, 0.0, -0.08]])
    assert camera(WIDE).project(sideways)[1].all()
    assert not camera(PINHOLE).project(sideways)[1].any()


@each_lens
def test_a_mirrored_camera_sees_the_mirrored_scene(lens):
    cam = camera(lens)
    ways = directions(500)
    pixels, seen = cam.project(ways)
    mirrored, seen_too = cam.mirrored().project(ways * np.array([-1, 1, 1]))
    assert (seen == seen_too).all()
    np.testing.assert_allclose(mirrored[seen, 0], cam.width - 1 - pixels[seen, 0], atol=1e-6)
    np.testing.assert_allclose(mirrored[seen, 1], pixels[seen, 1], atol=1e-6)


@each_lens
def test_the_place_of_a_point_has_the_gradient_of_its_difference_quotient(lens):
    points = torch.from_numpy(directions(400)) * 3
    values = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in lens.values]
    seen = project(lens.model, values, *points.unbind(-1))[2]
    x, y, z = (each.clone().requires_grad_() for each in points[seen & (points[:, 2] > 0.5)][:6].unbind(-1))
    n = N_COEFFICIENTS[lens.model]

    def place(x, y, z, *coefficients):
        return project(lens.model, (*coefficients, *values[n:]), x, y, z)[:2]

    assert gradcheck(place, (x, y, z, *values[:n]), atol=1e-5)


@each_lens
def test_on_the_axis_the_gradient_is_that_of_a_pinhole_of_the_same_magnification(lens):
    values = [torch.tensor(value, dtype=torch.float64) for value in lens.values]
    at = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (0.0, 0.0, 2.0)]
    near = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (1e-5, 0.0, 2.0)]
    slopes = [torch.autograd.grad(project(lens.model, values, *p)[0].sum(), p, allow_unused=True) for p in (at, near)]
    assert slopes[0][0].item() == pytest.approx(slopes[1][0].item(), abs=1e-4)
    assert slopes[0][0].item() > 0


def test_in_single_precision_places_and_rays_still_agree():
    for name, lens in LENSES.items():
        values = [torch.tensor(value) for value in lens.values]
        rows, columns = torch.meshgrid(torch.linspace(-0.8, 0.8, 33), torch.linspace(-1, 1, 41), indexing="ij")
        *ray, valid = unproject(lens.model, values, columns, rows)
        x, y, seen = project(lens.model, values, *ray)
        assert (seen == valid)[valid].float().mean() > 0.99, name
        for got, wanted in ((x, columns), (y, rows)):
            assert ((got - wanted).abs()[seen & valid] < 2e-5).all(), name


BAD = {
    "nan": ("brown", (math.nan,)),
    "infinite": ("kannala-brandt", (0.1, math.inf)),
    "too many": ("kannala-brandt", (0.1, 0, 0, 0, 0)),
    "negative xi": ("ucm", (-0.1,)),
    "alpha above 1": ("eucm", (1.2, 1.0)),
    "beta of 0": ("eucm", (0.5, 0.0)),
}


@pytest.mark.parametrize(("model", "coefficients"), BAD.values(), ids=BAD)
def test_coefficients_that_are_no_lens_are_refused(model, coefficients):
    with pytest.raises(DataError):
        Lens(model, coefficients)


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"unknown lens model.*kannala-brandt.*got ftheta"):
        Lens.from_json({"model": "ftheta", "coefficients": []})


def test_names_and_numbers_of_the_coefficients_agree():
    assert {model: len(names) for model, names in NAMES.items()} == N_COEFFICIENTS


def test_a_lens_survives_json_and_a_missing_one_is_a_pinhole():
    assert Lens.from_json(WIDE.to_json()) == WIDE
    assert Lens.from_json(None) == PINHOLE
    assert Lens("brown", (0.0,)).is_pinhole and not LENSES["brown"].is_pinhole
