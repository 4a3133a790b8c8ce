"""KITTI's improved ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.depth_world import SEQUENCE, write_improved
from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.improved import ImprovedTruth, read_depth_png
from selfdepth.errors import DataError


def test_official_depth_pngs_are_metres_and_others_are_refused(shared: Path, tmp_path: Path) -> None:
    path = shared / "kitti-mini/depth_completion_gt/groundtruth_image_02.png"
    depth = read_depth_png(path)
    with Image.open(path) as image:
        assert depth.shape == (image.height, image.width)
    assert 1 < np.median(depth[depth > 0]) < 80
    assert np.array_equal(depth * 256, np.rint(depth * 256))
    (tmp_path / "cut.png").write_bytes(path.read_bytes()[:5000])
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    for name, sentence in (("cut.png", "cannot be read"), ("colour.png", "got pixels of type RGB")):
        with pytest.raises(DataError, match=sentence):
            read_depth_png(tmp_path / name)


def test_each_camera_has_its_own_improved_depth(tmp_path: Path) -> None:
    left, right = write_improved(tmp_path, (3,)), write_improved(tmp_path, (4,), "image_03")
    truth = ImprovedTruth(tmp_path)
    assert np.array_equal(truth(FrameRef(SEQUENCE, 3)), left[3])  # type: ignore[arg-type]
    assert np.array_equal(truth(FrameRef(SEQUENCE[:-1] + "3", 4)), right[4])  # type: ignore[arg-type]
    assert truth(FrameRef(SEQUENCE, 4)) is None
