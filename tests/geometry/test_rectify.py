"""The pinhole view of a camera with a lens: what it covers, how frames get there, and the way back."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.rectify import (
    MOST_DEG,
    Rectification,
    extent,
    is_rectified,
    rectification,
    to_frame,
    view_of,
    view_shape,
)

BARREL = Lens("brown", (-0.30, 0.105, 0.001, -0.001, -0.012))
PINCUSHION = Lens("brown", (0.15, 0.02))
FISHEYE = Lens("kannala-brandt", (0.02, -0.003))


def camera(lens: Lens, focal: float = 175.0, *, width: int = 320, height: int = 180) -> Camera:
    """A principal point off the middle shows what forgets it."""
    return Camera(fx=focal, fy=1.02 * focal, cx=157.3, cy=93.1, width=width, height=height, lens=lens)


LENSES = {
    "barrel": camera(BARREL),
    "pincushion": camera(PINCUSHION, 250.0),
    "rational": camera(Lens("brown", (0.2, 0.05, 0.001, 0.0, 0.01, 0.5, 0.1, 0.01)), 190.0),
    "fisheye": camera(FISHEYE, 190.0),
    "ucm": camera(Lens("ucm", (1.2, -0.1, 0.01)), 420.0),
    "eucm": camera(Lens("eucm", (0.55, 1.05)), 190.0),
}
ALL = pytest.mark.parametrize("name", LENSES)


def plane(x: ndarray, y: ndarray) -> ndarray:
    """A smooth picture on the plane z = 1, RGB."""
    return np.stack([127 + 90 * np.sin(9 * x), 127 + 90 * np.cos(8 * y), 127 + 70 * np.sin(6 * x + 5 * y)], -1)


@cache
def drawn(frame: Camera, samples: int = 2) -> ndarray:
    """What a camera sees of the plane, ray by ray; black where a pixel has no ray."""
    fine = frame.resized(frame.width * samples, frame.height * samples)
    rays, seen = fine.rays()
    z = np.where(seen & (rays[..., 2] > 0.1), rays[..., 2], 1)
    colours = plane(rays[..., 0] / z, rays[..., 1] / z) * (seen & (rays[..., 2] > 0.1))[..., None]
    blocks = colours.reshape(frame.height, samples, frame.width, samples, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


@ALL
def test_the_view_covers_the_frame_and_keeps_the_axis(name: str) -> None:
    frame = LENSES[name]
    assert extent(frame).is_within, "the lenses of this table fit into a plane"
    view = view_of(frame, 256, 160)
    assert view.is_pinhole and (view.width, view.height) == (256, 160)
    rays, seen = frame.rays()
    assert seen.all()
    pixels, _ = view.project(rays.reshape(-1, 3))
    assert (pixels >= -0.5).all() and (pixels <= np.array([255.5, 159.5])).all()
    edges = np.concatenate([pixels.min(0), pixels.max(0)])
    np.testing.assert_allclose(edges, [-0.5, -0.5, 255.5, 159.5], atol=1.0)  # and no larger: half a pixel of the frame


@ALL
def test_a_known_ray_lands_at_its_place_to_a_thousandth_of_a_pixel(name: str) -> None:
    frame = LENSES[name]
    table = Rectification(camera=frame, width=256, height=160)
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 160, 200), rng.integers(0, 256, 200)
    kept = table.shown[rows, columns]
    rows, columns = rows[kept], columns[kept]
    back, seen = frame.unproject(table.places[rows, columns])
    assert seen.all() and kept.sum() > 100
    pixels, _ = table.view.project(back)
    np.testing.assert_allclose(pixels, np.stack([columns, rows], -1), atol=1e-3)


@ALL
def test_the_view_shows_what_a_pinhole_camera_would_see(name: str) -> None:
    frame = LENSES[name]
    table = Rectification(camera=frame, width=160, height=96)
    got, wanted = table(drawn(frame)).astype(float), drawn(table.view).astype(float)
    inner = cv2.erode(table.shown.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    inner[:2] = inner[-2:] = inner[:, :2] = inner[:, -2:] = False
    error = got[inner] - wanted[inner]
    assert 10 * math.log10(255**2 / (error**2).mean()) > 38
    # A shift of a tenth of a pixel would show: the picture is smooth, and its slope is up to 10 values per pixel.
    for axis in (0, 1):
        slope = np.gradient(wanted, axis=axis)[inner]
        assert abs((error * slope).sum() / (slope**2).sum()) < 0.03


def test_straight_lines_are_straight_in_the_view() -> None:
    frame = LENSES["barrel"]
    view = view_of(frame, 320, 192)
    for start, end in (((-0.8, -0.4), (0.8, -0.42)), ((-0.7, -0.45), (-0.72, 0.45)), ((-0.8, 0.4), (0.7, -0.4))):
        points = np.linspace((*start, 1.0), (*end, 1.0), 50)
        raw, seen = frame.project(points)
        rays, _ = frame.unproject(raw)
        straight, bent = view.project(rays)[0], raw
        assert seen.all() and _bend_px(straight) < 1e-6
    assert _bend_px(frame.project(np.linspace((-0.8, -0.4, 1), (0.8, -0.42, 1), 50))[0]) > 3 and len(bent) == 50


def _bend_px(points: ndarray) -> float:
    """Largest distance from the line through the first and the last point."""
    direction = (points[-1] - points[0]) / np.linalg.norm(points[-1] - points[0])
    away = points - points[0]
    return float(np.abs(away[:, 0] * direction[1] - away[:, 1] * direction[0]).max())


@pytest.mark.parametrize("name", ["barrel", "pincushion", "rational", "fisheye"])
def test_the_table_is_that_of_opencv(name: str) -> None:
    frame = LENSES[name]
    table = Rectification(camera=frame, width=256, height=160)
    c = np.array(frame.lens.coefficients)
    make = cv2.fisheye.initUndistortRectifyMap if name == "fisheye" else cv2.initUndistortRectifyMap
    u, v = make(frame.matrix(), c, np.eye(3), table.view.matrix(), (256, 160), cv2.CV_32FC1)
    error = np.abs(np.stack([u, v], -1) - table.places)[table.shown]
    assert error.max() < 1e-3


def test_frames_are_those_of_opencvs_remap() -> None:
    frame = LENSES["barrel"]
    table = Rectification(camera=frame, width=320, height=192)
    image, places = drawn(frame), table.places.astype(np.float32)
    wanted = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(table(image).astype(float) - wanted)[table.shown]
    assert difference.mean() < 1 and difference.max() < 12


@ALL
def test_what_was_rectified_is_back_where_it_was(name: str) -> None:
    frame = LENSES[name]
    view = view_of(frame, 256, 160)
    rows, columns = np.mgrid[:160, :256].astype(float)
    maps = torch.from_numpy(np.stack([columns, rows])[:, None])  # its own coordinates, which bilinear sampling keeps
    back, inside = to_frame(maps, view, frame)
    rays, _ = frame.rays()
    wanted = view.project(rays.reshape(-1, 3))[0].reshape(frame.height, frame.width, 2)
    within = inside & ((wanted >= 0) & (wanted <= [255, 159])).all(-1)  # at the border the outermost pixel is repeated
    assert inside.all() and within.mean() > 0.95
    got = np.moveaxis(back[:, 0].numpy(), 0, -1)
    np.testing.assert_allclose(got[within], wanted[within], atol=1e-3)


def test_maps_of_another_resolution_cover_the_same_view() -> None:
    frame = LENSES["barrel"]
    ramp = torch.linspace(0, 1, 128)[None, None, None].expand(1, 1, 80, 128)
    fine = torch.nn.functional.interpolate(ramp, size=(160, 256), mode="bilinear")
    view = view_of(frame, 256, 160)
    np.testing.assert_allclose(to_frame(ramp, view, frame)[0], to_frame(fine, view, frame)[0], atol=2e-3)


def test_without_distortion_the_view_is_the_resized_frame() -> None:
    """A lens that hardly does anything leaves the frame as a resize would."""
    frame = camera(Lens("brown", (1e-9,)))
    view, resized = view_of(frame, 160, 96), frame.resized(160, 96)
    for name in ("fx", "fy", "cx", "cy"):
        assert getattr(view, name) == pytest.approx(getattr(resized, name), abs=1e-4)
    table = Rectification(camera=frame, width=160, height=96)
    plain = np.asarray(Image.fromarray(drawn(frame)).resize((160, 96), Image.Resampling.LANCZOS))
    difference = np.abs(table(drawn(frame)).astype(float) - plain)[1:-1, 1:-1]
    assert table.shown.all() and table.lost == table.black == 0 and difference.max() <= 4


def test_what_no_pixel_shows_is_black_in_every_frame() -> None:
    table = Rectification(camera=LENSES["barrel"], width=160, height=96)
    white = np.full((180, 320, 3), 255, np.uint8)
    for image in (white, white // 2, drawn(LENSES["barrel"])):
        assert (table(image)[~table.shown] == 0).all()
    assert (table(white)[table.shown] == 255).all(), "nothing of the black gets into the picture"
    assert 0.05 < table.black < 0.2 and table.lost == 0


@pytest.mark.parametrize("crop", [NO_CROP, Crop(top=11, bottom=20, left=3, right=25)], ids=str)
def test_a_smaller_decoded_frame_shows_the_same(crop: Crop) -> None:
    frame = camera(BARREL, 350.0, width=641, height=359)
    frame = replace(frame, cx=315.0, cy=185.0)
    table = Rectification(camera=frame, crop=crop, width=128, height=64)
    factor = table.reduction
    assert factor in (2, 4)
    image = drawn(frame, 1)
    small = np.asarray(Image.fromarray(image).reduce(factor))
    np.testing.assert_array_equal(table(image), table(small))
    wanted = drawn(table.view).astype(float)
    inner = cv2.erode(table.shown.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    assert np.abs(table(small) - wanted)[inner].mean() < 2


def test_a_crop_is_that_of_the_cropped_frame() -> None:
    frame, sides = LENSES["barrel"], Crop(top=11, bottom=30, left=7, right=20)
    table = Rectification(camera=frame, crop=sides, width=128, height=64)
    alone = Rectification(camera=frame.cropped(sides), width=128, height=64)
    image = drawn(frame)
    assert table.view == alone.view
    np.testing.assert_array_equal(table.shown, alone.shown)
    difference = table(image).astype(int) - alone(np.ascontiguousarray(image[11:-30, 7:-20]))
    assert np.abs(difference).max() <= 1  # rounding


def test_the_view_does_not_depend_on_the_resolution_of_the_frames() -> None:
    frame = LENSES["fisheye"]
    small, large = view_of(frame, 160, 96), view_of(frame.resized(960, 540), 160, 96)
    assert small.fx == pytest.approx(large.fx, rel=1e-9) and small.cy == pytest.approx(large.cy, abs=1e-9)
    width, height = view_shape(frame)
    assert width / height == pytest.approx(view_of(frame, 1000, 1000).fy / view_of(frame, 1000, 1000).fx)


def test_a_wide_lens_gives_the_part_within_sixty_degrees() -> None:
    frame = camera(Lens("kannala-brandt"), 100.0)  # 183 degrees across, 101 down
    assert not extent(frame).is_within
    table = Rectification(camera=frame, width=256, height=160)
    rays, _ = frame.rays()
    angles = np.degrees(np.arccos(rays[..., 2]))
    _, inside = to_frame(torch.ones(1, 1, 160, 256), table.view, frame)
    assert inside[angles < MOST_DEG - 1].all() and not inside[angles > 70].any()
    reach = extent(frame)
    assert reach.right == pytest.approx(math.tan(math.radians(60)), abs=1e-9)
    assert table.lost == pytest.approx(1 - inside.mean(), abs=1e-9) and table.lost > 0.3
    maps, _ = to_frame(torch.ones(1, 1, 160, 256), table.view, frame)
    assert (maps[0, 0].numpy()[~inside] == 0).all()


WIDE = camera(Lens("kannala-brandt"), 100.0)
PLAIN = camera(Lens())


@pytest.mark.parametrize(
    ("choice", "cameras", "rectified"),
    [
        ("auto", [LENSES["barrel"]], True),
        ("auto", [LENSES["barrel"], LENSES["fisheye"], PLAIN], True),
        ("auto", [LENSES["barrel"], WIDE], False),
        ("auto", [WIDE], False),
        ("auto", [PLAIN], False),
        ("yes", [WIDE], True),
        ("yes", [PLAIN], False),
        ("no", [LENSES["barrel"]], False),
        ("auto", [WIDE.cropped(Crop(top=20, bottom=20, left=90, right=90))], True),
    ],
)
def test_frames_are_rectified_where_a_plane_can_hold_all_of_them(
    choice: str, cameras: list[Camera], rectified: bool
) -> None:
    assert is_rectified(choice, cameras) is rectified


def test_pixels_without_a_ray_do_not_decide() -> None:
    """Calibrations often fold back in the corners, where the pixels have no ray under any treatment."""
    frame = camera(Lens("brown", (-0.35, 0.0)), 190.0)
    _, seen = frame.rays()
    assert not seen.all() and extent(frame).widest_rad < math.radians(60)
    assert is_rectified("auto", [frame])
    table = Rectification(camera=frame, width=160, height=96)
    assert table.lost == pytest.approx(1 - seen.mean(), abs=1e-3)


def test_a_camera_that_looks_elsewhere_is_refused() -> None:
    away = replace(WIDE, cx=-500.0)
    with pytest.raises(DataError, match="nothing within 60 degrees of the camera's axis"):
        view_of(away, 64, 64)
    assert not is_rectified("auto", [away])


def test_an_image_of_another_size_is_refused_and_nothing_else_is_said() -> None:
    table = rectification(LENSES["barrel"], NO_CROP, 160, 96)
    assert rectification(LENSES["barrel"], NO_CROP, 160, 96) is table
    with pytest.raises(DataError, match="expected an image of 320x180; got 319x180"):
        table(np.zeros((180, 319, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table(np.zeros((180, 320, 3), np.uint8))
