"""Rendered drives on disk: written and recognised with their camera, poses and depth."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.rendered import RenderedDrives, write_drive
from selfdepth.errors import DataError, OutputError
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.lenses import LENSES


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=3, frames=6, width=64, height=32, stops=False))


@pytest.fixture
def root(drive: SyntheticDrive, tmp_path: Path) -> Path:
    """Two drives, of which the first has depth."""
    write_drive(drive, tmp_path / "drives/first", with_depth=True)
    write_drive(drive, tmp_path / "drives/second")
    return tmp_path / "drives"


def test_a_drive_comes_back_with_its_images_camera_and_poses(root: Path, drive: SyntheticDrive) -> None:
    source = recognise(root / "first")
    (sequence,) = source.sequences()
    assert (source.kind, sequence.name, sequence.camera) == ("rendered-drive", "first", drive.camera)
    for image, expected in zip(sequence.read(sequence.numbers), drive.images, strict=True):
        assert np.array_equal(image, expected)
    poses = source.poses(sequence)
    assert poses is not None
    np.testing.assert_allclose(poses.T_world_camera, drive.T_world_camera, atol=1e-6)


def test_depth_comes_back_for_the_drives_that_were_written_with_it(root: Path, drive: SyntheticDrive) -> None:
    source = recognise(root)
    for number in range(6):
        depth = source.truth(FrameRef("first", number))
        assert depth is not None
        assert np.array_equal(depth, drive.depth[number])
        assert source.truth(FrameRef("second", number)) is None
    assert source.describe_truth() == f"read from {root / 'first/depth.npz'}"
    assert recognise(root / "second").describe_truth() is None
    assert source.truth.root == root


def test_depth_comes_back_as_what_it_is(root: Path, drive: SyntheticDrive, tmp_path: Path) -> None:
    small = DriveSpec(seed=3, frames=2, width=64, height=32, stops=False)
    write_drive(render_drive(replace(small, lens=LENSES["fisheye"])), tmp_path / "wide", with_depth=True)
    first, second, wide = FrameRef("first", 0), FrameRef("second", 0), FrameRef("wide", 1)
    assert recognise(tmp_path / "wide").truth.depth_is(wide) == "ray"
    assert {recognise(root).truth.depth_is(ref) for ref in (first, second)} == {"z"}
    np.savez(root / "first/depth.npz", depth=drive.depth)
    assert recognise(root).truth.depth_is(first) == "z", "as drives were written before there were lenses"


@pytest.mark.parametrize("name", LENSES)
def test_the_lens_of_a_drive_comes_back(name: str, tmp_path: Path) -> None:
    drive = render_drive(DriveSpec(seed=3, frames=3, width=64, height=32, lens=LENSES[name]))
    write_drive(drive, tmp_path / "drive")
    (sequence,) = recognise(tmp_path / "drive").sequences()
    assert sequence.camera == drive.camera and sequence.camera.lens == LENSES[name].lens


def test_another_camera_may_be_given(root: Path) -> None:
    source = recognise(root)
    assert {sequence.camera.fx for sequence in source.sequences("50,50,31.5,15.5")} == {50}
    assert (source.camera_origin(None), source.camera_origin("fov:60")) == ("calibration", "given")


@pytest.mark.parametrize("file", ["camera.yaml", "poses.txt"])
def test_if_one_drive_lacks_a_file_all_are_plain_images(root: Path, file: str) -> None:
    (root / "second" / file).unlink()
    assert RenderedDrives.recognise(root) is None
    assert recognise(root).kind == "folder"


def test_depth_that_is_written_again_is_read_again(root: Path) -> None:
    ref, file = FrameRef("first", 0), root / "first/depth.npz"
    assert recognise(root).truth(ref) is not None
    np.savez(file, depth=np.full((6, 32, 64), 5.0))
    os.utime(file, ns=(1, 1))
    depth = recognise(root).truth(ref)
    assert depth is not None and np.unique(depth).tolist() == [5]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"depth": np.ones((4, 32, 64))}, "fewer depth maps than frames: .*expected a map for frame 5; got 4 maps"),
        ({"depth": np.ones((32, 64))}, "cannot be used: .*expected floats, n h w; got float64, 32x64"),
        ({"depth": np.ones((6, 32, 64), np.int32)}, "cannot be used: .*got int32, 6x32x64"),
        ({"disparity": np.ones((6, 32, 64))}, "cannot be read"),
        ({"depth": np.array([None])}, "cannot be read"),
        ({"depth": np.ones((6, 32, 64)), "depth_is": "up"}, "cannot be used: .*expected depth_is z or ray; got up"),
    ],
)
def test_a_broken_depth_file_is_refused_by_name(root: Path, arrays: dict[str, np.ndarray], sentence: str) -> None:
    np.savez(root / "first/depth.npz", **arrays)
    with pytest.raises(DataError, match=rf"rendered depth {sentence}" if "cannot" in sentence else sentence) as refusal:
        recognise(root).truth(FrameRef("first", 5))
    assert "first/depth.npz" in str(refusal.value)


def test_a_file_that_is_no_archive_is_refused_by_name(root: Path) -> None:
    (root / "first/depth.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(DataError, match=r"cannot be read: .*first/depth\.npz"):
        recognise(root).truth(FrameRef("first", 0))


def test_a_folder_that_cannot_be_written_is_named(drive: SyntheticDrive, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        write_drive(drive, tmp_path / "file")
