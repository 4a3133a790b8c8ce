"""KITTI's improved ground truth: where its maps are found, and what their pixels mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.improved import ImprovedTruth, read_depth_png
from selfdepth.errors import DataError

DATE, DRIVE = "2011_09_26", "2011_09_26_drive_0001_sync"
LEFT, RIGHT = (f"{DATE}/{DRIVE}/image_0{side}" for side in (2, 3))


def write_map(folder: Path, number: int, camera: str = "image_02", metres: float = 3.0) -> Path:
    """A map of one depth, with one unknown pixel."""
    place = folder / DRIVE / "proj_depth/groundtruth" / camera
    place.mkdir(parents=True, exist_ok=True)
    values = np.full((4, 6), round(metres * 256), np.uint16)
    values[0, 0] = 0
    Image.fromarray(values).save(place / f"{number:010d}.png")
    return place / f"{number:010d}.png"


@pytest.mark.parametrize("part", ["", "train", "val", "data_depth_annotated/train", "data_depth_annotated/val", DATE])
def test_maps_are_found_in_the_archives_folders_and_beside_the_images(tmp_path: Path, part: str) -> None:
    path = write_map(tmp_path / part, 5)
    truth = ImprovedTruth(tmp_path)
    assert truth.path(FrameRef(LEFT, 5)) == path
    depth = truth(FrameRef(LEFT, 5))
    assert depth is not None
    assert depth.dtype == np.float64
    assert (depth[0, 0], np.unique(depth).tolist()) == (0, [0, 3])


def test_each_camera_has_its_own_maps_and_other_frames_have_none(tmp_path: Path) -> None:
    write_map(tmp_path, 3, metres=3)
    write_map(tmp_path, 4, "image_03", metres=4)
    truth = ImprovedTruth(tmp_path)
    for ref, metres in ((FrameRef(LEFT, 3), 3), (FrameRef(RIGHT, 4), 4)):
        depth = truth(ref)
        assert depth is not None and depth.max() == metres
    assert truth(FrameRef(LEFT, 4)) is None and truth(FrameRef(RIGHT, 3)) is None
    assert truth.root == tmp_path
    assert "proj_depth/groundtruth" in truth.layout


def test_values_are_256ths_of_a_metre(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 1, 256, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert read_depth_png(tmp_path / "a.png").tolist() == [[0, 1 / 256, 1, 65535 / 256]]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_pixels_of_another_type_are_refused_by_name(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "colour.png")
    sentence = rf"cannot be used: .*colour\.png; expected a 16-bit PNG.*; got pixels of type {mode}$"
    with pytest.raises(DataError, match=sentence):
        read_depth_png(tmp_path / "colour.png")


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_file_that_is_not_an_image_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = write_map(tmp_path, 5)
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    with pytest.raises(DataError, match=r"depth map cannot be read: .*0000000005\.png"):
        ImprovedTruth(tmp_path)(FrameRef(LEFT, 5))


def test_official_depth_pngs_are_metres(shared: Path) -> None:
    path = shared / "kitti-mini/depth_completion_gt/groundtruth_image_02.png"
    depth = read_depth_png(path)
    with Image.open(path) as image:
        assert depth.shape == (image.height, image.width)
    assert 1 < np.median(depth[depth > 0]) < 80
    assert np.array_equal(depth * 256, np.rint(depth * 256))
