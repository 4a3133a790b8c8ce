"""What an inspection finds: recognised kind, cameras, gaps, motion, stereo pairs, and the warnings of training."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from helpers.images import write_images
from selfdepth.config import TrainConfig
from selfdepth.data.inspect import inspect_source, require_readable
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import DataError
from selfdepth.synthetic.drive import SyntheticDrive
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry

CAMERA = "fov:60"


@pytest.fixture(scope="module")
def odometry(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences 00 and 09, each of 24 frames by both cameras."""
    root = tmp_path_factory.mktemp("odometry")
    for number in (0, 9):
        write_kitti_odometry(drive, root, number=number)
    return root


@pytest.mark.parametrize(
    ("options", "rest"),
    [
        ({"width": 64}, ", rectified"),
        ({"width": 64, "height": 64, "rectify": "no"}, ""),
        ({"width": 64, "crop": "0,12,2,0"}, ", rectified, cropped by 0,12,2,0 (top,bottom,left,right)"),
        ({"width": 96, "crop": "0,12,0,0", "rectify": "no"}, ", cropped by 0,12,0,0 (top,bottom,left,right)"),
    ],
)
def test_the_frames_of_training_are_told_as_a_store_of_the_same_options_has_them(
    tmp_path: Path, options: dict[str, Any], rest: str
) -> None:
    camera = tmp_path / "camera.yaml"
    camera.write_text("width: 40\nheight: 24\nfx: 30\nfy: 30\ncx: 19.5\ncy: 11.5\nD: [-0.1, 0.01, 0, 0]\n")
    config = TrainConfig(camera=str(camera), **options)
    with warnings.catch_warnings(action="ignore"):  # of the four coefficients
        source = recognise(write_images(tmp_path / "drive", range(12)))
        told = inspect_source(source, str(camera), config=config).training
        store = source.new_store(config, tmp_path / "store")
    assert told == f"frames of {store.width}x{store.height}{rest}"
    assert (", rectified" in rest, str(store.crop) in rest) == (store.rectified, bool(store.crop))


def test_a_crop_that_leaves_nothing_is_refused_before_the_frames_are_looked_at(tmp_path: Path) -> None:
    source = recognise(write_images(tmp_path / "drive", range(5)))
    looked: list[int] = []
    with pytest.raises(DataError, match="leaves nothing"):
        inspect_source(source, CAMERA, config=TrainConfig(crop="20,9,0,0"), progress=lambda n, _: looked.append(n))
    assert looked == []


def test_an_inspection_says_what_training_would_use(tmp_path: Path) -> None:
    summary = inspect_source(recognise(write_images(tmp_path / "drive", [*range(10), *range(20, 30)])))
    (row,) = summary.sequences
    assert (row.n_frames, row.width, row.height, row.fps, row.gaps) == (20, 40, 24, None, ((9, 20),))
    assert (row.camera, row.lens, row.fov_deg) == ("assumed", "pinhole", pytest.approx(60))
    assert (summary.kind, summary.n_train, summary.n_val, summary.n_test) == ("folder", 16, 0, 0)
    assert inspect_source(recognise(tmp_path / "drive"), camera="fov:80").sequences[0].camera == "given"


def test_a_warning_of_several_sequences_is_listed_once_and_not_shown(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / name, range(5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = inspect_source(recognise(tmp_path))
    (sentence,) = summary.warnings
    assert "60 degrees is ASSUMED" in sentence


def test_an_inspection_looks_at_the_size_of_every_image(tmp_path: Path) -> None:
    write_images(tmp_path / "drive", range(30))
    write_images(tmp_path / "drive", [17], width=44)
    (tmp_path / "drive/000021.png").write_bytes(b"")
    summary = inspect_source(recognise(tmp_path / "drive"), CAMERA)
    first, second = summary.unreadable
    assert "000017.png; expected 40x24; got 44x24" in first
    assert "000021.png" in second
    with pytest.raises(DataError, match=r"2 of 30 frames cannot be read.*000017\.png.*000021\.png.*--on-error skip"):
        require_readable(summary, on_error="stop")
    with pytest.raises(DataError, match="at most 1%"):
        require_readable(summary, on_error="skip")


def test_images_of_one_colour_are_parked_and_ask_for_neighbours(tmp_path: Path) -> None:
    summary = inspect_source(recognise(write_images(tmp_path / "drive", range(30))), CAMERA)
    assert summary.sequences[0].parked == ((0, 25),)
    assert summary.every == summary.sequences[0].every == 1


def test_kitti_odometry_has_its_own_cameras_and_counts_its_pairs(odometry: Path, tmp_path: Path) -> None:
    summary = inspect_source(recognise(odometry))
    assert summary.kind == "kitti-odometry"
    assert {row.camera for row in summary.sequences} == {"calibration"}
    assert summary.stereo == f"{summary.n_train} of the frames to train on have their partner"
    left = shutil.copytree(odometry, tmp_path / "left")
    shutil.rmtree(left / "sequences/09/image_3")
    assert (
        inspect_source(recognise(left)).stereo == f"{summary.n_train // 2} of the frames to train on have their partner"
    )
    shutil.rmtree(left / "sequences/00/image_3")
    assert inspect_source(recognise(left)).stereo == "no training frame has a stereo partner"


def test_data_of_one_camera_says_nothing_of_pairs(tmp_path: Path) -> None:
    assert inspect_source(recognise(write_images(tmp_path / "drive", range(5))), CAMERA).stereo is None


def test_a_real_drive_asks_for_neighbours(shared: Path) -> None:
    mini = shared / "kitti-mini"
    summary = inspect_source(recognise(mini / "kitti_raw"), None, str(mini / "splits" / "mini"))
    assert (summary.sequences[0].camera, summary.every, summary.n_train) == ("calibration", 1, 134)
