"""KITTI odometry as a data source: sequences, targets, poses and times."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.sources.recognise import recognise
from selfdepth.synthetic.drive import SyntheticDrive
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry


@pytest.fixture
def root(drive: SyntheticDrive, tmp_path: Path) -> Path:
    """Sequence 09 by both cameras."""
    write_kitti_odometry(drive, tmp_path, number=9)
    return tmp_path


def test_the_sequences_are_those_of_the_left_camera_and_prediction_takes_both(root: Path) -> None:
    source = recognise(root)
    assert [sequence.name for sequence in source.sequences()] == ["09/image_2"]
    assert len(source.sequences_to_predict()) == 2
    assert source.camera_origin(None) == "calibration"


def test_without_a_split_the_end_of_each_sequence_is_held_out(root: Path) -> None:
    footage = recognise(root).footage()
    assert [ref.number for ref in footage.train] == list(range(1, 19))
    assert [ref.number for ref in footage.val] == [21, 22]


def test_with_stereo_the_targets_get_partners_and_stay_the_same(root: Path) -> None:
    mono, stereo = recognise(root).footage(), recognise(root).footage(stereo=True)
    assert (mono.train, mono.val) == (stereo.train, stereo.val)
    left, right = stereo.sequences
    assert left.partner is not None and left.partner.sequence == right.name == "09/image_3"


def test_poses_and_times_come_from_their_files_and_may_be_absent(root: Path, drive: SyntheticDrive) -> None:
    source = recognise(root)
    (left,) = source.sequences()
    poses = source.poses(left)
    assert poses is not None and len(poses) == 24
    np.testing.assert_allclose(source.times(left), drive.timestamps, atol=1e-6)
    for camera in source.sequences_to_predict():
        np.testing.assert_allclose(camera.times_s, drive.timestamps, atol=1e-6)
    shutil.rmtree(root / "poses")
    (root / "sequences/09/times.txt").unlink()
    assert source.poses(left) is None
    assert source.times(left).tolist() == list(range(24))


def test_the_inventory_counts_what_a_split_lists(root: Path, tmp_path: Path) -> None:
    split = tmp_path / "split"
    split.mkdir()
    (split / "test_files_09.txt").write_text("9 0 l\n9 30 l\n")
    (row,) = recognise(root).inventory((str(split),)).parts
    assert (row.listed, row.there, row.measured) == (2, 1, 1)
