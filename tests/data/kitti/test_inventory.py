"""What of KITTI is there, and what is missing for a split."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.images import write_images
from selfdepth.cli.main import main
from selfdepth.data.kitti.inventory import PartInventory
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import DataError
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry

DRIVE = "2011_09_26/2011_09_26_drive_0001_sync"


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=1, frames=12, width=96, height=32, stereo=True))


@pytest.fixture
def raw(drive: SyntheticDrive, tmp_path: Path) -> Path:
    """Twelve frames of both cameras, a scan of every fourth."""
    write_kitti_raw(drive, tmp_path / "raw", scan_every=4)
    return tmp_path / "raw"


def write_split(folder: Path, **parts: list[str]) -> Path:
    folder.mkdir(parents=True)
    for part, lines in parts.items():
        (folder / f"{part}_files.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


def only(raw: Path, split: Path) -> PartInventory:
    (row,) = recognise(raw).inventory((str(split),)).parts
    return row


def test_a_root_that_has_everything_lacks_nothing(raw: Path, tmp_path: Path) -> None:
    split = write_split(tmp_path / "mine", train=[f"{DRIVE} {n} l" for n in range(1, 11)], test=[f"{DRIVE} 0 r"])
    found = recognise(raw).inventory((str(split),))
    assert found.kind == "kitti-raw"
    assert found.parts == (
        PartInventory(split="mine", part="train", listed=10, there=10, paired=10, measured=2),
        PartInventory(split="mine", part="test", listed=1, there=1, paired=1, measured=1),
    )
    assert not found.images
    assert not found.files
    assert not found.archives


def test_neighbours_are_needed_to_train_but_not_to_test(raw: Path, tmp_path: Path) -> None:
    lines = [f"{DRIVE} 0 l", f"{DRIVE} 11 l", f"{DRIVE} 5 l"]
    found = recognise(raw).inventory((str(write_split(tmp_path / "mine", train=lines, test=lines)),))
    assert [(row.part, row.there) for row in found.parts] == [("train", 1), ("test", 3)]
    assert found.images == {f"{DRIVE}/image_02": 1}  # frame 12; before 0 there is nothing to miss


def test_an_image_that_several_lists_lack_is_one_image(raw: Path, tmp_path: Path) -> None:
    (raw / DRIVE / "image_03/data/0000000005.jpg").unlink()
    splits = [write_split(tmp_path / name, train=[f"{DRIVE} {n} r" for n in (4, 6)]) for name in ("a", "b")]
    found = recognise(raw).inventory(tuple(map(str, splits)))
    assert found.images == {f"{DRIVE}/image_03": 1}
    assert [row.there for row in found.parts] == [0, 0]
    assert found.archives == ("2011_09_26_drive_0001_sync.zip",)
    left = only(raw, write_split(tmp_path / "left", train=[f"{DRIVE} {n} l" for n in (4, 5, 6)]))
    assert (left.there, left.paired) == (3, 2)


def test_missing_drives_and_dates_are_named_with_their_archives(raw: Path, tmp_path: Path) -> None:
    other = "2011_09_28/2011_09_28_drive_0002_sync"
    (raw / "2011_09_26/calib_velo_to_cam.txt").unlink()
    found = recognise(raw).inventory((str(write_split(tmp_path / "mine", val=[f"{other} 7 l", f"{DRIVE} 3 l"])),))
    assert found.images == {f"{other}/image_02": 3}
    assert found.files == (
        "2011_09_26/calib_velo_to_cam.txt",
        "2011_09_28/calib_cam_to_cam.txt",
        "2011_09_28/calib_velo_to_cam.txt",
    )
    assert found.archives == ("2011_09_26_calib.zip", "2011_09_28_calib.zip", "2011_09_28_drive_0002_sync.zip")


def test_the_benchmark_split_counts_improved_ground_truth(raw: Path, tmp_path: Path) -> None:
    split = write_split(tmp_path / "eigen_benchmark", test=[f"{DRIVE} {n} l" for n in range(4, 9)])
    assert only(raw, split).measured == 0
    place = raw / "train" / DRIVE.split("/")[1] / "proj_depth/groundtruth/image_02"
    place.mkdir(parents=True)
    Image.fromarray(np.ones((32, 96), np.uint16)).save(place / "0000000005.png")
    assert only(raw, split).measured == 1
    assert only(raw, Path(shutil.copytree(split, tmp_path / "mine"))).measured == 2  # scans of 4 and 8


def test_odometry_roots_count_poses_and_partners(drive: SyntheticDrive, tmp_path: Path) -> None:
    root = tmp_path / "odometry"
    write_kitti_odometry(drive, root, number=9)
    split = write_split(tmp_path / "mine", train=[f"9 {n} l" for n in range(1, 11)])
    (split / "test_files_09.txt").write_text("9 0 l\n")
    (split / "test_files_10.txt").write_text("10 0 l\n")
    found = recognise(root).inventory((str(split),))
    assert found.kind == "kitti-odometry"
    assert found.parts == (
        PartInventory(split="mine", part="train", listed=10, there=10, paired=10, measured=10),
        PartInventory(split="mine", part="test", listed=2, there=1, paired=1, measured=1),
    )
    assert found.images == {"10/image_2": 1}
    assert found.files == ("sequences/10/calib.txt",)
    assert found.archives == ("data_odometry_calib.zip", "data_odometry_color.zip")


def test_lists_are_taken_from_a_folder_of_splits(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = tmp_path / "lists"
    write_split(lists / "eigen_zhou", train=[f"{DRIVE} 3 l"])
    write_split(lists / "eigen", test=[f"{DRIVE} 0 l", f"{DRIVE} 40 l"])
    write_split(lists / "odom", test=["9 0 l"])  # of another data set: not looked at
    before = sorted(raw.rglob("*"))
    assert main(["check", str(raw), "--splits", str(lists), "--json", str(tmp_path / "a.json")]) == 0
    shown = capsys.readouterr().out
    assert [row.split() for row in shown.splitlines() if row.startswith(" eigen")] == [
        ["eigen_zhou", "train", "1", "1", "1", "0"],
        ["eigen", "test", "2", "1", "1", "1"],
    ]
    assert f"missing: 1 images of {DRIVE}/image_02" in shown
    assert "from KITTI: 2011_09_26_drive_0001_sync.zip" in shown
    values = json.loads((tmp_path / "a.json").read_text())
    assert [part["there"] for part in values["inventory"]["parts"]] == [1, 1]
    assert values["inventory"]["images"] == {f"{DRIVE}/image_02": 1}
    assert sorted(raw.rglob("*")) == before
    assert main(["check", str(raw), "--splits", str(lists), "--split", "eigen_zhou"]) == 0
    assert "nothing is missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{tmp}/nowhere", "--split", "eigen"], "there is no such data: .*nowhere"),
        (["{tmp}/plain", "--split", "eigen"], "this is not KITTI: .*unpack KITTI's archives"),
        (["{raw}", "--split", "{tmp}/none"], "there is no such split: .*none; expected a folder with train_files.txt"),
        (["{raw}", "--splits", "{tmp}"], "there are no split lists: .*a folder eigen_zhou or eigen or eigen_benchmark"),
        (["{raw}", "--splits", "{tmp}", "--split", "eigen"], "no such split: .*/eigen; .*leave --splits out"),
        (["{raw}", "--splits", "{tmp}", "--split", "own"], "no such split: .*/own; expected a folder"),
        (["{raw}", "--split", "{tmp}/raw"], "the split has no frames"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(
    raw: Path, tmp_path: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "plain", range(3))
    assert main(["check", *(word.format(tmp=tmp_path, raw=raw) for word in words)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    with pytest.raises(DataError, match=sentence):
        raise DataError(error)
