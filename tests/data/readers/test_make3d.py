"""Make3D's images and laser grids: the layout, the middle of both, and files that are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from helpers.make3d import COLUMNS, HEIGHT, NAMES, ROWS, WIDTH, some_truths, write_make3d
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.make3d import Make3DTruth, centre, is_make3d, open_make3d
from selfdepth.errors import DataError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make3d")
    write_make3d(folder, some_truths())
    return folder


@pytest.mark.parametrize(
    ("shape", "image", "kept"),
    [
        ((2272, 1704), (1704, 2272), (852, 1704)),
        ((ROWS, COLUMNS), (1704, 2272), (21, COLUMNS)),
        ((HEIGHT, WIDTH), (WIDTH, HEIGHT), (48, WIDTH)),
        ((100, 200), (200, 100), (100, 200)),
        ((100, 300), (300, 100), (100, 200)),
        ((10, 10), (300, 100), (10, 6)),
    ],
)
def test_the_middle_is_twice_as_wide_as_high_at_any_resolution(
    shape: tuple[int, int], image: tuple[int, int], kept: tuple[int, int]
) -> None:
    array = np.arange(shape[0] * shape[1], dtype=np.float64).reshape(shape)
    middle = centre(array, image)
    assert middle.shape == kept
    assert middle.mean() == pytest.approx(array.mean()), "as much is cut off on either side"


def test_a_marker_in_the_centre_stays_in_the_centre_of_image_and_truth(tmp_path: Path) -> None:
    truth = np.full((ROWS, COLUMNS), 30.0)
    truth[ROWS // 2, COLUMNS // 2] = 5
    write_make3d(tmp_path, {NAMES[0]: truth}, size=(WIDTH, HEIGHT))
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[HEIGHT // 2 - 4 : HEIGHT // 2 + 4, WIDTH // 2 - 4 : WIDTH // 2 + 4] = 255
    Image.fromarray(pixels).save(tmp_path / f"Test134/img-{NAMES[0]}.jpg", quality=95)
    ref = FrameRef(f"Test134/img-{NAMES[0]}", 0)
    image = open_make3d(tmp_path)[0]
    (middle,), depth = image.read((0,)), Make3DTruth(tmp_path)(ref)
    assert middle.shape[:2] == (48, WIDTH)
    assert (image.camera.width, image.camera.height) == (WIDTH, 48)
    bright = np.argwhere(middle[..., 0] > 128)
    np.testing.assert_allclose(bright.mean(axis=0), [23.5, 47.5])
    assert depth is not None
    assert depth.shape == (21, COLUMNS)
    assert np.argwhere(depth == 5).tolist() == [[10, 152]]


def test_the_layout_is_recognised_and_read_by_name(root: Path, tmp_path: Path) -> None:
    assert is_make3d(root)
    assert not is_make3d(tmp_path)
    images = open_make3d(root)
    assert [image.name for image in images] == [f"Test134/img-{name}" for name in NAMES]
    for image, truth in zip(images, some_truths().values(), strict=True):
        assert np.array_equal(Make3DTruth(root)(FrameRef(image.name, 0)), truth[17:38])


def test_values_that_are_not_distances_are_unknown_depth(tmp_path: Path) -> None:
    truth = np.full((ROWS, COLUMNS), 30.0)
    truth[27, :4] = [np.nan, np.inf, -3, 0]
    write_make3d(tmp_path, {NAMES[0]: truth})
    depth = Make3DTruth(tmp_path)(FrameRef(f"Test134/img-{NAMES[0]}", 0))
    assert depth is not None
    assert depth[10, :5].tolist() == [0, 0, 0, 0, 30]


FILE = f"Gridlaserdata/depth_sph_corr-{NAMES[0]}.mat"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no depth at all": (
        lambda root: [file.unlink() for file in (root / "Gridlaserdata").iterdir()],
        "no ground truth: .*expected Test134/img-NAME.jpg and Gridlaserdata.*got 3 images",
    ),
    "no MATLAB file": (
        lambda root: (root / FILE).write_bytes(b"depth"),
        "cannot be read: .*015t000.mat; expected Position3DGrid",
    ),
    "another array": (
        lambda root: savemat(root / FILE, {"depthMap": np.eye(3)}),
        "does not hold the array: .*got no such array",
    ),
    "depth alone": (
        lambda root: savemat(root / FILE, {"Position3DGrid": np.ones((55, 305))}),
        "does not hold the array: .*015t000.mat; expected Position3DGrid of 55x305x4.*got double, 55x305",
    ),
    "three layers": (
        lambda root: savemat(root / FILE, {"Position3DGrid": np.ones((55, 305, 3))}),
        "does not hold the array.*got double, 55x305x3",
    ),
    "a grid of another laser": (
        lambda root: savemat(root / FILE, {"Position3DGrid": np.ones((2_000, 1_300, 4), np.uint8)}),
        "does not hold the array.*got uint8, 2000x1300x4",
    ),
    "cells": (
        lambda root: savemat(root / FILE, {"Position3DGrid": np.full((55, 305, 4), "a", dtype=object)}),
        "does not hold the array.*got cell, 55x305x4",
    ),
    "cut short": (
        lambda root: (root / FILE).write_bytes((root / FILE).read_bytes()[:9000]),
        "cannot be read: .*015t000.mat",
    ),
    "empty": (lambda root: (root / FILE).write_bytes(b""), "cannot be read: .*015t000.mat"),
    "broken image": (
        lambda root: (root / f"Test134/img-{NAMES[0]}.jpg").write_bytes(b"no picture"),
        f"img-{NAMES[0]}.jpg",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_not_make3ds_are_refused(tmp_path: Path, name: str) -> None:
    spoil, sentence = BAD[name]
    write_make3d(tmp_path, some_truths())
    spoil(tmp_path)
    with pytest.raises(DataError, match=sentence) as refusal:
        for image in open_make3d(tmp_path):
            list(image.read((0,)))
            Make3DTruth(tmp_path)(FrameRef(image.name, 0))
    assert "\n" not in str(refusal.value)
