"""Make3D: its layout, and the middle of its images and depth maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.make3d import COLUMNS, HEIGHT, NAMES, ROWS, WIDTH, some_truths, write_make3d
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.make3d import Make3DTruth, centre, is_make3d, open_make3d


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
    (seen,), depth = image.read((0,)), Make3DTruth(tmp_path)(ref)
    assert seen.shape[:2] == (48, WIDTH)
    assert (image.camera.width, image.camera.height) == (WIDTH, 48)
    bright = np.argwhere(seen[..., 0] > 128)
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


def test_a_value_that_is_no_distance_is_unknown(tmp_path: Path) -> None:
    truth = np.full((ROWS, COLUMNS), 30.0)
    truth[27, :4] = [np.nan, np.inf, -3, 0]
    write_make3d(tmp_path, {NAMES[0]: truth})
    depth = Make3DTruth(tmp_path)(FrameRef(f"Test134/img-{NAMES[0]}", 0))
    assert depth is not None
    assert depth[10, :5].tolist() == [0, 0, 0, 0, 30]
