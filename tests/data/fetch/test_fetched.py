"""KITTI without its images is opened for what was stored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.mirror import DRIVES
from selfdepth.data.fetch.fetched import FetchedKitti, size_of
from selfdepth.data.sources.kitti_raw import KittiRaw
from selfdepth.errors import DataError

NAMES = [f"{drive}/image_{side}" for drive in DRIVES for side in ("02", "03")]


@pytest.fixture(scope="module")
def bare_tree(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree without images."""
    root = tmp_path_factory.mktemp("bare") / "kitti"
    shutil.copytree(tree, root, ignore=shutil.ignore_patterns("*.jpg", "*.png"))
    return root


@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.parametrize("camera", [None, "paper", "fov:50", "90,91,60,30"])
def test_it_is_opened_as_the_tree_with_images_is(
    tree: Path, bare_tree: Path, split: Path, camera: str | None, stereo: bool
) -> None:
    ours = FetchedKitti(path=bare_tree, numbers={name: tuple(range(8)) for name in NAMES})
    theirs = KittiRaw(path=tree)
    a, b = (each.footage(split=str(split), camera=camera, stereo=stereo) for each in (ours, theirs))
    assert (a.train, a.val, a.test) == (b.train, b.val, b.test)
    assert len(a.sequences) == len(b.sequences) > 3
    for one, other in zip(a.sequences, b.sequences, strict=True):
        for name in ("name", "camera", "numbers", "names", "partner", "times_s"):
            assert getattr(one, name) == getattr(other, name), name
        assert ours.camera_of(one.name, camera) == one.camera
    assert a.origin is not None and a.origin.path == bare_tree


def test_a_frame_that_was_not_stored_is_missing(bare_tree: Path, split: Path) -> None:
    source = FetchedKitti(path=bare_tree, numbers={name: tuple(range(4)) for name in NAMES})
    with pytest.raises(DataError, match="missing"):
        source.footage(split=str(split))


def test_the_size_is_the_calibrations(bare_tree: Path) -> None:
    assert size_of(bare_tree, NAMES[0]) == (128, 64)
