"""KITTI raw: its layout, splits, ground truth and stereo pairs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.calibration import camera_from_calibration, stereo_translation_m
from selfdepth.data.kitti.raw import is_kitti_raw, open_kitti_raw, root_of_part
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera

DATE = "2011_09_26"
DRIVE = f"{DATE}/{DATE}_drive_0001_sync"
LEFT, RIGHT = f"{DRIVE}/image_02", f"{DRIVE}/image_03"
CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
R_rect_00: 1 0 0 0 1 0 0 0 1
S_rect_02: 2.4e+01 8
S_rect_03: 24 8
P_rect_02: 20 0 11 10 0 21 3 0 0 0 1 0
P_rect_03: 20 0 12 -2 0 21 3 0 0 0 1 0
"""
VELO = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.5\n"


def colour(number: int) -> int:
    return 10 + number


def write_images(folder: Path, numbers: range, kind: str = "png", size: tuple[int, int] = (24, 8)) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.new("RGB", size, (colour(number),) * 3).save(folder / "data" / f"{number:010d}.{kind}")


def write_split(folder: Path, **parts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for part, text in parts.items():
        (folder / f"{part}_files.txt").write_text(text)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One drive: frames 0-19 of the left camera, 0-4 of the right one, a scan of frame 3."""
    root = tmp_path / "kitti_raw"
    write_images(root / LEFT, range(20))
    write_images(root / RIGHT, range(5), kind="jpg")
    (root / DATE / "calib_cam_to_cam.txt").write_text(CALIBRATION)
    (root / DATE / "calib_velo_to_cam.txt").write_text(VELO)
    scans = root / DRIVE / "velodyne_points" / "data"
    scans.mkdir(parents=True)
    (scans / "0000000003.bin").write_bytes(np.array([[8, 0, 0, 1]], dtype="<f4").tobytes())
    return root


def frames(footage: Footage, name: str) -> list[ndarray]:
    sequence = footage.sequence(name)
    return list(sequence.read(sequence.numbers))


def test_a_root_is_recognised_by_its_dates(root: Path, tmp_path: Path) -> None:
    assert is_kitti_raw(root)
    (root / DATE / "calib_cam_to_cam.txt").unlink()
    assert is_kitti_raw(root)  # by its drive
    (tmp_path / "images" / "2011_09_26").mkdir(parents=True)
    assert not is_kitti_raw(tmp_path / "images")
    assert not is_kitti_raw(root / DATE)
    assert not is_kitti_raw(tmp_path / "nothing")
    assert not is_kitti_raw(root / DATE / "calib_velo_to_cam.txt")


def test_a_missing_calibration_is_refused_and_a_given_camera_does_without(root: Path) -> None:
    (root / DATE / "calib_cam_to_cam.txt").unlink()
    with pytest.raises(DataError, match=r"calib_cam_to_cam\.txt"):
        open_kitti_raw(root, None)
    camera = Camera(fx=30.0, fy=30.0, cx=11.5, cy=3.5, width=24, height=8)
    assert open_kitti_raw(root, None, camera=lambda *size: camera).sequences[0].camera == camera


def test_a_split_names_the_targets_and_sequences_hold_just_them_and_their_neighbours(
    root: Path, tmp_path: Path
) -> None:
    split = write_split(
        tmp_path / "split",
        train=f"{DRIVE} 3 l\n{DRIVE} 0000000004 l\n{DRIVE} 2 r\n\n",
        val=f"{DRIVE} 9 l\n",
        test=f"{DRIVE} 0000000019 l\n",
    )
    footage = open_kitti_raw(root, split)
    assert footage.kind == "kitti-raw"
    assert footage.protocol == "eigen"
    assert footage.train == (FrameRef(LEFT, 3), FrameRef(LEFT, 4), FrameRef(RIGHT, 2))
    assert footage.val == (FrameRef(LEFT, 9),)
    assert footage.test == (FrameRef(LEFT, 19),)
    assert [sequence.name for sequence in footage.sequences] == [LEFT, RIGHT]
    left = footage.sequence(LEFT)
    assert left.numbers == (2, 3, 4, 5, 8, 9, 10, 19)
    assert left.names == tuple(f"{number:010d}" for number in left.numbers)
    assert left.camera == camera_from_calibration(root / DATE, "image_02")
    assert footage.sequence(RIGHT).numbers == (1, 2, 3)
    assert footage.sequence(RIGHT).camera == camera_from_calibration(root / DATE, "image_03")


def test_frames_are_read_as_rgb_whatever_their_format(root: Path, tmp_path: Path) -> None:
    split = write_split(tmp_path / "split", train=f"{DRIVE} 3 l\n{DRIVE} 2 r\n")
    footage = open_kitti_raw(root, split)
    for name, first in ((LEFT, 2), (RIGHT, 1)):
        for number, frame in enumerate(frames(footage, name), start=first):
            assert frame.shape == (8, 24, 3)
            assert frame.dtype == np.uint8
            assert np.abs(frame.astype(int) - colour(number)).max() <= 1


def test_other_offsets_ask_for_other_neighbours(root: Path, tmp_path: Path) -> None:
    split = write_split(tmp_path / "split", train=f"{DRIVE} 5 l\n")
    assert open_kitti_raw(root, split, offsets=(-3, 2)).sequence(LEFT).numbers == (2, 5, 7)


def test_a_jpeg_goes_before_a_png_of_the_same_frame(root: Path, tmp_path: Path) -> None:
    write_images(root / LEFT, range(3, 4), kind="jpg")
    split = write_split(tmp_path / "split", test=f"{DRIVE} 3 l\n")
    (file,) = open_kitti_raw(root, split).sequence(LEFT).files
    assert file.suffix == ".jpg"


@pytest.mark.parametrize(
    ("part", "line", "message"),
    [
        ("train", f"{DRIVE} 40 l", r"train_files\.txt, line 2; expected .*0000000040\.jpg or \.png"),
        ("test", f"{DRIVE} 20 l", r"test_files\.txt, line 2; expected .*image_02/data/0000000020\.jpg"),
        ("test", f"{DRIVE} 5 r", "image_03/data/0000000005"),
        ("train", f"{DRIVE} 19 l", r"the neighbour at \+1 of frame 19 is missing: .*line 2; .*0000000020"),
        ("val", f"{DRIVE} 0 l", r"the neighbour at -1 of frame 0 .*val_files\.txt, line 2"),
        ("train", f"{DATE}/{DATE}_drive_0002_sync 3 l", "no images in that folder"),
        ("train", f"{DRIVE} 3", r"the line cannot be read: .*train_files\.txt, line 2"),
        ("train", f"{DRIVE} 3 l extra", "the line cannot be read"),
        ("train", f"{DRIVE} three l", "the line cannot be read"),
        ("train", f"{DRIVE} -3 l", "the line cannot be read"),
        ("train", f"{DRIVE} 3 x", "the line cannot be read"),
        ("train", "/etc 3 l", "the line cannot be read"),
        ("train", f"{DATE}/.. 3 l", "the line cannot be read"),
        ("train", f"{DRIVE}/deeper 3 l", "the line cannot be read"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(root: Path, tmp_path: Path, part: str, line: str, message: str) -> None:
    split = write_split(tmp_path / "split", **{part: f"{DRIVE} 3 l\n{line}\n"})
    with pytest.raises(DataError, match=message):
        open_kitti_raw(root, split)


@pytest.mark.parametrize("parts", [{}, {"train": "\n"}])
def test_a_split_without_frames_is_refused(root: Path, tmp_path: Path, parts: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"the split has no frames: .*train_files\.txt"):
        open_kitti_raw(root, write_split(tmp_path / "split", **parts))
    with pytest.raises(DataError, match="the split has no frames"):
        open_kitti_raw(root, tmp_path / "nowhere")


def test_without_a_split_the_end_of_each_drive_is_held_out_and_no_frame_is_shared(root: Path) -> None:
    write_images(root / DATE / f"{DATE}_drive_0002_sync" / "image_02", range(50))
    write_images(root / LEFT, range(32))
    footage = open_kitti_raw(root, None)
    assert not footage.test
    assert {ref.sequence for ref in (*footage.train, *footage.val)} == {
        LEFT,
        f"{DATE}/{DATE}_drive_0002_sync/image_02",
    }
    for name, count, held_out in ((LEFT, 30, 3), (footage.sequences[1].name, 48, 4)):
        train = [ref.number for ref in footage.train if ref.sequence == name]
        val = [ref.number for ref in footage.val if ref.sequence == name]
        assert val == list(range(count + 1 - held_out, count + 1))
        assert train == list(range(1, val[0] - 2))
        assert not {n + o for n in train for o in (-1, 0, 1)} & {n + o for n in val for o in (-1, 0, 1)}


def test_frames_beside_a_gap_are_no_targets(root: Path) -> None:
    (root / LEFT / "data" / "0000000007.png").unlink()
    train = [ref.number for ref in open_kitti_raw(root, None).train]
    assert {5, 9} <= set(train)
    assert not {6, 7, 8} & set(train)


def test_a_root_without_clips_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / LEFT, range(2))
    with pytest.raises(DataError, match=r"no frames to train on: .*image_02/data with neighbours at -1, \+1; got none"):
        open_kitti_raw(tmp_path, None)
    (tmp_path / LEFT).rename(tmp_path / DRIVE / "image_04")
    with pytest.raises(DataError, match=r"no frames to train on: .*image_02/data; got none; check the folders$"):
        open_kitti_raw(tmp_path, None, offsets=())


def test_images_of_another_size_than_their_calibration_are_refused(root: Path) -> None:
    write_images(root / LEFT, range(20), size=(12, 4))
    with pytest.raises(DataError, match=r"0000000000\.png; expected 24x8; got 12x4"):
        open_kitti_raw(root, None)


def test_an_image_that_is_none_is_refused_by_name(root: Path) -> None:
    (root / LEFT / "data" / "0000000000.png").write_text("no image")
    with pytest.raises(DataError, match=r"0000000000\.png"):
        open_kitti_raw(root, None)


def test_a_truncated_image_is_refused_by_name_when_it_is_read(root: Path, tmp_path: Path) -> None:
    file = root / RIGHT / "data" / "0000000002.jpg"
    file.write_bytes(file.read_bytes()[:-60])
    split = write_split(tmp_path / "split", train=f"{DRIVE} 2 r\n")
    with pytest.raises(DataError, match=r"0000000002\.jpg"):
        frames(open_kitti_raw(root, split), RIGHT)


def test_ground_truth_is_the_depth_of_the_scan_and_none_where_there_is_no_scan(root: Path) -> None:
    truth = open_kitti_raw(root, None).truth
    depth = truth(FrameRef(LEFT, 3))
    assert depth is not None
    assert depth.shape == (8, 24)
    assert depth[2, 11] == pytest.approx(7.5)  # u = (11 z + 10) / z = 12.33, v = 3, both less one
    assert np.count_nonzero(depth) == 1
    assert truth(FrameRef(LEFT, 4)) is None


def test_ground_truth_without_the_scanner_calibration_is_refused(root: Path) -> None:
    (root / DATE / "calib_velo_to_cam.txt").unlink()
    with pytest.raises(DataError, match=r"calib_velo_to_cam\.txt"):
        open_kitti_raw(root, None).truth(FrameRef(LEFT, 3))


def test_a_folder_is_listed_once_however_many_lines_name_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))  # type: ignore[func-returns-value]
    split = write_split(tmp_path / "split", train=f"{DRIVE} 3 l\n" * 5000, val=f"{DRIVE} 9 l\n" * 5000)
    footage = open_kitti_raw(root, split)
    assert len(footage.train) == len(footage.val) == 5000
    assert listed.count(root / LEFT / "data") == 1


@pytest.mark.parametrize("split", ["mini", "mini-stereo"])
def test_the_real_drives_open_with_their_real_camera(shared: Path, split: str) -> None:
    mini = shared / "kitti-mini"
    footage = open_kitti_raw(mini / "kitti_raw", mini / "splits" / split)
    assert is_kitti_raw(mini / "kitti_raw")
    assert (len(footage.train), len(footage.val), len(footage.test)) == (134 + 2 * (split != "mini"), 16, 4)
    camera = footage.sequences[0].camera
    assert (camera.fx, camera.cx, camera.width, camera.height) == (721.5377, 609.5593, 1242, 375)
    assert stereo_translation_m(mini / "kitti_raw" / DATE) == pytest.approx((-0.5327, 0.00275, 0.0), abs=1e-4)
    frame = next(footage.sequences[0].read(footage.sequences[0].numbers[:1]))
    assert frame.shape == (375, 1242, 3)
    with_scan = [ref.number for ref in footage.val if footage.truth(ref) is not None]
    assert with_scan == [138, 142, 146, 150]


STEREO = CALIBRATION.replace("20 0 12 -2", "20 0 11 -2")


def test_both_sides_of_a_stereo_pair_know_each_other_and_hold_what_their_partner_needs(
    root: Path, tmp_path: Path
) -> None:
    (root / DATE / "calib_cam_to_cam.txt").write_text(STEREO)
    split = write_split(tmp_path / "split", train=f"{DRIVE} 3 l\n{DRIVE} 1 r\n{DRIVE} 12 l\n", val=f"{DRIVE} 15 l\n")
    footage = open_kitti_raw(root, split, stereo=True)
    left, right = footage.sequence(LEFT), footage.sequence(RIGHT)
    assert left.numbers == (1, 2, 3, 4, 11, 12, 13, 14, 15, 16), "frame 1 is there for its partner on the right"
    assert right.numbers == (0, 1, 2, 3), "frames 12 and 15 have no partner, and do without"
    assert left.partner is not None and right.partner is not None
    assert (left.partner.sequence, right.partner.sequence) == (RIGHT, LEFT)
    assert left.partner.translation_m == pytest.approx((-0.6, 0, 0))
    assert right.partner.translation_m == pytest.approx((0.6, 0, 0))
    assert all(sequence.partner is None for sequence in open_kitti_raw(root, split).sequences)


def test_from_pairs_alone_no_neighbours_are_needed(root: Path, tmp_path: Path) -> None:
    (root / DATE / "calib_cam_to_cam.txt").write_text(STEREO)
    split = write_split(tmp_path / "split", train=f"{DRIVE} 0 l\n")
    footage = open_kitti_raw(root, split, offsets=(), stereo=True)
    assert [sequence.numbers for sequence in footage.sequences] == [(0,), (0,)]


@pytest.mark.parametrize("stereo", [False, True])
def test_without_a_split_and_without_neighbours_every_left_frame_is_a_target(root: Path, stereo: bool) -> None:
    (root / DATE / "calib_cam_to_cam.txt").write_text(STEREO)
    footage = open_kitti_raw(root, None, offsets=(), stereo=stereo)
    assert [ref.number for ref in footage.train] == list(range(18))
    assert [ref.number for ref in footage.val] == [18, 19]
    assert {sequence.name: sequence.numbers for sequence in footage.sequences} == {
        LEFT: tuple(range(20)),
        **({RIGHT: tuple(range(5))} if stereo else {}),
    }


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (CALIBRATION, r"stereo pair do not agree: .*calib_cam_to_cam\.txt; expected the same focal lengths"),
        (STEREO.replace("P_rect_03", "P_03"), "got no P_rect_03"),
        (STEREO.replace("0 21 3", "0 0 3"), "cannot be used: .*P_rect_02: fx 0 cx"),
    ],
)
def test_cameras_that_are_no_pair_are_refused_only_if_stereo_is_requested(
    root: Path, calibration: str, message: str
) -> None:
    (root / DATE / "calib_cam_to_cam.txt").write_text(calibration)
    camera = Camera(fx=30.0, fy=30.0, cx=11.5, cy=3.5, width=24, height=8)
    assert open_kitti_raw(root, None, camera=lambda *size: camera).train
    with pytest.raises(DataError, match=message):
        open_kitti_raw(root, None, camera=lambda *size: camera, stereo=True)


def test_stereo_without_any_partner_is_refused(root: Path, tmp_path: Path) -> None:
    split = write_split(tmp_path / "split", train=f"{DRIVE} 9 l\n{DRIVE} 12 l\n")
    with pytest.raises(DataError, match=r"no training frame has a stereo partner: .*image_02 and image_03.*2 training"):
        open_kitti_raw(root, split, stereo=True)


GREY = STEREO.replace("_02", "_00").replace("_03", "_01")


@pytest.mark.parametrize("part", ["image_00", "image_00/data", "image_01"])
def test_the_grey_cameras_have_their_own_calibration(root: Path, part: str) -> None:
    (root / LEFT).rename(root / DRIVE / "image_00")
    (root / RIGHT).rename(root / DRIVE / "image_01")
    (root / DATE / "calib_cam_to_cam.txt").write_text(GREY)
    within = root / DRIVE / part
    assert root_of_part(within) == root
    (sequence,) = open_kitti_raw(root, None, within=within).sequences
    assert sequence.name == f"{DRIVE}/{part[:8]}"
    assert sequence.camera == camera_from_calibration(root / DATE, part[:8])


@pytest.mark.parametrize("within", ["", DATE, DRIVE])
def test_without_images_of_the_left_colour_camera_another_is_opened(root: Path, within: str) -> None:
    (root / LEFT).rename(root / DRIVE / "image_00")
    (root / RIGHT).rename(root / DRIVE / "image_01")
    (root / DATE / "calib_cam_to_cam.txt").write_text(GREY)
    footage = open_kitti_raw(root, None, within=root / within, stereo=True)
    left = footage.sequence(f"{DRIVE}/image_00")
    assert left.partner is not None and left.partner.sequence == f"{DRIVE}/image_01"
    assert left.partner.translation_m == pytest.approx((-0.6, 0, 0))


def test_images_that_lie_where_their_folder_should_have_their_calibration(root: Path) -> None:
    for image in (root / LEFT / "data").iterdir():
        image.rename(root / LEFT / image.name)
    (root / LEFT / "data").rmdir()
    assert root_of_part(root / LEFT) == root_of_part(root / DRIVE) == root
    (sequence,) = open_kitti_raw(root, None, within=root / LEFT).sequences
    assert (sequence.numbers, sequence.camera) == (tuple(range(20)), camera_from_calibration(root / DATE, "image_02"))


@pytest.mark.parametrize("part", [DATE, DRIVE, LEFT, f"{LEFT}/data"])
def test_a_part_without_its_calibration_is_refused_as_the_root_is(root: Path, part: str) -> None:
    (root / DATE / "calib_cam_to_cam.txt").unlink()
    assert root_of_part(root / part) == root
    with pytest.raises(DataError, match="put KITTI's calibration files of that date there, or give --camera"):
        open_kitti_raw(root, None, within=root / part)


@pytest.mark.parametrize("part", ["", f"{DATE}/other_sync", f"{DRIVE}/velodyne_points", f"{DRIVE}/image_04"])
def test_other_folders_are_no_part_of_a_root(root: Path, part: str) -> None:
    (root / part).mkdir(exist_ok=True)
    assert root_of_part(root / part) is None
