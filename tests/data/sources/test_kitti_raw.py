"""KITTI raw as a data source: cameras that the user gives, frames to evaluate, poses and times."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.images import write_images
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

CAMERA = "fov:60"
NAME = "2011_09_26/2011_09_26_drive_0001_sync"
LEFT = f"{NAME}/image_02"


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=1, frames=24, width=96, height=32, stereo=True, stops=False))


@pytest.fixture(scope="module")
def root(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames of both cameras, a scan of every second."""
    folder = tmp_path_factory.mktemp("raw")
    write_kitti_raw(drive, folder, scan_every=2)
    return folder


def write_split(folder: Path, **parts: list[int]) -> Path:
    folder.mkdir()
    for part, numbers in parts.items():
        (folder / f"{part}_files.txt").write_text("".join(f"{NAME} {number} l\n" for number in numbers))
    return folder


def two_dates(folder: Path) -> Path:
    """A KITTI root whose dates have frames of different sizes, and no calibration."""
    for date, width in (("2011_09_26", 40), ("2011_09_28", 44)):
        write_images(folder / date / f"{date}_drive_0001_sync" / "image_02" / "data", range(4), width=width)
    return folder


def test_real_drives_have_their_own_camera_and_take_another(shared: Path) -> None:
    root = shared / "kitti-mini" / "kitti_raw"
    split = str(shared / "kitti-mini" / "splits" / "mini")
    footage = recognise(root).footage(split=split)
    assert (footage.kind, len(footage.train), len(footage.test)) == ("kitti-raw", 134, 4)
    assert footage.sequences[0].camera.fx == pytest.approx(721.5377)
    assert recognise(root).footage(split=split, camera="700,700,620,187").sequences[0].camera.fx == 700


@pytest.mark.parametrize("camera", ["paper", "fov:60"])
def test_a_camera_in_terms_of_the_frame_is_taken_for_the_frames_of_each_date(tmp_path: Path, camera: str) -> None:
    sequences = recognise(two_dates(tmp_path)).footage(camera=camera).sequences
    assert [sequence.camera for sequence in sequences] == [
        parse_camera(camera, width=width, height=24) for width in (40, 44)
    ]


def test_a_camera_in_pixels_is_refused_for_frames_of_two_sizes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"size of its camera.*expected 4\dx24; got 4\dx24"):
        recognise(two_dates(tmp_path)).footage(camera="30,30,19.5,11.5")


def test_kitti_without_images_cannot_take_a_camera(root: Path, tmp_path: Path) -> None:
    (tmp_path / "2011_09_26").mkdir()
    shutil.copy(root / "2011_09_26/calib_cam_to_cam.txt", tmp_path / "2011_09_26")
    with pytest.raises(DataError, match="no images"):
        recognise(tmp_path).footage(camera=CAMERA)


def test_the_sequences_are_all_frames_of_the_left_camera_and_prediction_takes_both(root: Path) -> None:
    (left,) = recognise(root).sequences()
    assert (left.name, left.numbers) == (LEFT, tuple(range(24)))
    assert len(recognise(root).sequences_to_predict()) == 2


def test_without_a_split_the_held_out_frames_are_evaluated_or_all(root: Path) -> None:
    source = recognise(root)
    held_out = source.select(split=None, part=None, whole=False)
    assert (held_out.part, [ref.number for ref in held_out.refs]) == ("val", [21, 22])
    everything = source.select(split=None, part=None, whole=True)
    assert (everything.part, len(everything.refs)) == ("all", 24)
    with pytest.raises(DataError, match="no test frames to evaluate"):
        source.select(split=None, part="test", whole=False)


@pytest.mark.parametrize(
    ("parts", "chosen"),
    [
        ({"train": [1, 2], "val": [4], "test": [6, 7]}, "test"),
        ({"train": [1, 2], "val": [4]}, "val"),
        ({"train": [1, 2]}, "train"),
    ],
)
def test_of_a_split_the_test_frames_come_first_and_need_neither_neighbours_nor_the_other_images(
    root: Path, tmp_path: Path, parts: dict[str, list[int]], chosen: str
) -> None:
    copy = shutil.copytree(root, tmp_path / "raw")
    for image in (copy / LEFT / "data").iterdir():
        if int(image.stem) not in parts[chosen]:
            image.unlink()
    split = write_split(tmp_path / "split", **parts)
    selection = recognise(copy).select(split=str(split), part=None, whole=False)
    assert selection.part == chosen
    assert selection.refs == tuple(FrameRef(LEFT, number) for number in parts[chosen])


def test_a_part_can_be_chosen_and_must_have_frames(root: Path, tmp_path: Path) -> None:
    source, split = recognise(root), str(write_split(tmp_path / "split", val=[4], test=[6]))
    assert [ref.number for ref in source.select(split=split, part="val", whole=False).refs] == [4]
    with pytest.raises(DataError, match="the split has no frames"):
        source.select(split=split, part="train", whole=False)


def test_scans_are_the_ground_truth_and_improved_maps_lie_beside_the_images_or_in_a_folder_of_their_own(
    root: Path, tmp_path: Path
) -> None:
    source = recognise(root)
    assert source.truth(FrameRef(LEFT, 4)) is not None and source.truth(FrameRef(LEFT, 5)) is None
    assert source.describe_truth() == f"read from {root} where it has scans"
    beside, elsewhere = source.improved_truth(None), source.improved_truth(tmp_path)
    assert beside is not None and elsewhere is not None
    assert (beside.root, elsewhere.root) == (root, tmp_path)


def test_poses_and_times_are_those_of_the_drive(root: Path, drive: SyntheticDrive) -> None:
    source = recognise(root)
    (left,) = source.sequences()
    poses = source.poses(left)
    assert poses is not None
    np.testing.assert_allclose(poses.T_world_camera, drive.T_world_camera, atol=1e-4)
    np.testing.assert_allclose(source.times(left), drive.timestamps, atol=1e-6)


def test_prediction_knows_the_times_of_the_drive_unless_their_file_is_broken(
    drive: SyntheticDrive, tmp_path: Path
) -> None:
    write_kitti_raw(drive, tmp_path)
    left, right = recognise(tmp_path / NAME).sequences_to_predict()
    assert left.name.startswith("image_02") and left.times_s is not None and right.times_s is not None
    np.testing.assert_allclose(left.times_s, drive.timestamps, atol=1e-6)
    (tmp_path / LEFT / "timestamps.txt").write_text("yesterday\n")
    with pytest.warns(SelfDepthWarning, match=r"the times in .*image_02/timestamps\.txt are not used"):
        left, right = recognise(tmp_path / NAME).sequences_to_predict()
    assert left.times_s is None and right.times_s is not None


def test_the_inventory_counts_what_a_split_lists(root: Path, tmp_path: Path) -> None:
    (row,) = recognise(root).inventory((str(write_split(tmp_path / "split", test=[0, 30])),)).parts
    assert (row.listed, row.there) == (2, 1)


@pytest.mark.parametrize("part", ["2011_09_26", "2011_09_26/DRIVE", "2011_09_26/DRIVE/image_02/data"])
def test_a_part_of_the_root_uses_the_calibration_of_its_date(tmp_path: Path, part: str) -> None:
    drive = render_drive(DriveSpec(seed=1, frames=5, width=64, height=32))
    write_kitti_raw(drive, tmp_path)
    (whole,) = recognise(tmp_path).sequences()
    name = whole.name.split("/")[1]
    source = recognise(tmp_path / part.replace("DRIVE", name))
    assert source.kind == "kitti-raw"
    (sequence,) = source.sequences()
    assert (sequence.name, sequence.camera, sequence.numbers) == (whole.name, whole.camera, whole.numbers)
    assert source.footage().train
    assert source.times(sequence).tolist() == recognise(tmp_path).times(whole).tolist()


def test_images_that_lie_where_their_folder_should_have_their_times_and_take_a_camera(
    drive: SyntheticDrive, tmp_path: Path
) -> None:
    write_kitti_raw(drive, tmp_path)
    for image in (tmp_path / LEFT / "data").iterdir():
        image.rename(tmp_path / LEFT / image.name)
    (tmp_path / LEFT / "data").rmdir()
    source = recognise(tmp_path / LEFT)
    (alone,) = source.sequences_to_predict()
    assert alone.times_s is not None
    np.testing.assert_allclose(alone.times_s, drive.timestamps, atol=1e-6)
    (sequence,) = source.sequences("60,60,47.5,15.5")
    assert (sequence.numbers, sequence.camera.fx) == (tuple(range(24)), 60)
