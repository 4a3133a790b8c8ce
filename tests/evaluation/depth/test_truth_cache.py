"""Depth maps of LiDAR scans, cached in a folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from helpers.depth_world import SEQUENCE, World
from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.raw import KittiTruth
from selfdepth.data.truth import GivenTruth
from selfdepth.errors import OutputError
from selfdepth.evaluation.depth.truth_cache import CachedTruth

REF = FrameRef(SEQUENCE, 0)


@pytest.fixture
def truth(world: World, tmp_path: Path) -> KittiTruth:
    """Ground truth of a copy, whose scans may change."""
    return KittiTruth(Path(shutil.copytree(world.root, tmp_path / "kitti")))


def cached_file(folder: Path) -> Path:
    (file,) = [path for path in folder.rglob("*") if path.is_file()]
    return file


def add_a_metre(file: Path) -> None:
    """Change a cached map, so that reading it and computing it differ."""
    entries = dict(np.load(file))
    np.savez(file, **{**entries, "depth": entries["depth"] + 1})


def test_a_cached_map_is_the_computed_one(truth: KittiTruth, tmp_path: Path) -> None:
    cached, expected = CachedTruth(truth, tmp_path / "cache"), truth(REF)
    assert expected is not None
    for _ in range(2):  # written, then read
        found = cached(REF)
        assert found is not None and found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_a_cached_map_is_of_the_kind_of_depth_that_it_caches(truth: KittiTruth, tmp_path: Path) -> None:
    class Distances(GivenTruth):
        def depth_is(self, ref: FrameRef) -> Literal["z", "ray"]:
            return "ray"

    assert CachedTruth(truth, tmp_path).depth_is(REF) == "z"
    assert CachedTruth(Distances({}), tmp_path).depth_is(REF) == "ray"


def test_a_second_call_reads_the_file(truth: KittiTruth, tmp_path: Path) -> None:
    cached = CachedTruth(truth, tmp_path / "cache")
    first = cached(REF)
    add_a_metre(cached_file(tmp_path / "cache"))
    second = cached(REF)
    assert first is not None and second is not None
    assert second.max() == first.max() + 1


def test_a_map_is_computed_again_when_its_scan_changes(truth: KittiTruth, tmp_path: Path) -> None:
    cached, expected = CachedTruth(truth, tmp_path / "cache"), truth(REF)
    cached(REF)
    add_a_metre(cached_file(tmp_path / "cache"))
    before = truth.scan(REF).stat()
    os.utime(truth.scan(REF), ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    for _ in range(2):
        np.testing.assert_array_equal(cached(REF), expected)  # type: ignore[arg-type]


def test_a_broken_file_is_replaced(truth: KittiTruth, tmp_path: Path) -> None:
    cached, expected = CachedTruth(truth, tmp_path / "cache"), truth(REF)
    cached(REF)
    file = cached_file(tmp_path / "cache")
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(cached(REF), expected)  # type: ignore[arg-type]
    assert np.load(file)["depth"].size > 0


def test_a_frame_without_a_scan_is_not_cached(truth: KittiTruth, tmp_path: Path) -> None:
    assert CachedTruth(truth, tmp_path / "cache")(FrameRef(SEQUENCE, 1)) is None
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_written_to_is_refused(truth: KittiTruth, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="cache"):
        CachedTruth(truth, tmp_path / "cache")(REF)
