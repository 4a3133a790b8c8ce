"""Which kind of data a path is recognised as, and what is recognised as nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from helpers.images import write_images
from selfdepth.data.sources.recognise import KINDS, recognise
from selfdepth.data.sources.rendered import write_drive
from selfdepth.data.sources.source import DataSource
from selfdepth.data.store.build import build_store
from selfdepth.errors import DataError
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry

WriteVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for each kind of data, named by it."""
    root = tmp_path_factory.mktemp("world")
    drive = render_drive(DriveSpec(seed=1, frames=5, width=64, height=32))
    write_kitti_raw(drive, root / "kitti-raw")
    write_kitti_odometry(drive, root / "kitti-odometry")
    write_drive(drive, root / "rendered-drive")
    (root / "make3d/Test134").mkdir(parents=True)
    Image.fromarray(drive.images[0]).save(root / "make3d/Test134/img-a.jpg")
    write_images(root / "folder", range(5))
    build_store(recognise(root / "folder").footage(camera="fov:60"), root / "store", width=32, height=32)
    return root


@pytest.mark.parametrize("kind", ["kitti-raw", "kitti-odometry", "make3d", "rendered-drive", "folder", "store"])
def test_each_kind_is_recognised_by_its_contents(world: Path, kind: str) -> None:
    source = recognise(world / kind)
    assert (source.kind, source.path) == (kind, world / kind)


def test_videos_are_recognised_alone_and_in_a_folder(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Callable[..., list[ndarray]]
) -> None:
    path = write_video(tmp_path / "a.mp4", moving_texture(4, 1))
    assert recognise(path).kind == recognise(tmp_path).kind == "video"


def test_any_other_file_may_be_a_video(tmp_path: Path) -> None:
    (tmp_path / "drive.dav").write_bytes(b"who knows")
    assert recognise(tmp_path / "drive.dav").kind == "video"


def test_the_most_specific_kind_wins_over_a_folder_of_images(world: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(world / "rendered-drive", tmp_path / "drive")
    (copy / "camera.yaml").unlink()
    assert recognise(copy).kind == "folder"
    raw = shutil.copytree(world / "kitti-raw", tmp_path / "raw")
    (raw / "2011_09_26/calib_cam_to_cam.txt").unlink()
    assert recognise(raw / "2011_09_26").kind == "kitti-raw", "the calibration is asked for, and nothing assumed"


def test_every_kind_has_a_name_of_its_own() -> None:
    names = [kind.kind for kind in KINDS]
    assert len(set(names)) == len(names)
    assert DataSource.recognise(Path()) is None, "a kind without files is never recognised"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone", "no such data: .*gone; check --data"),
        ("empty", "nothing was recognised.*empty; expected .*videos, ROS bags, or a store; got an empty folder"),
        ("notes", r"notes; .*got 0\.txt, 1\.txt, 2\.txt, \.\.\.$"),
        ("drive/000000.png", "one image is not a sequence.*give its folder"),
    ],
)
def test_a_path_without_data_is_refused_with_what_is_there(tmp_path: Path, name: str, sentence: str) -> None:
    write_images(tmp_path / "drive", range(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    for number in range(4):
        (tmp_path / f"notes/{number}.txt").write_text("nothing here")
    with pytest.raises(DataError, match=sentence):
        recognise(tmp_path / name)


def test_a_frame_read_through_a_source_is_the_frame_on_disk(world: Path) -> None:
    (sequence,) = recognise(world / "folder").sequences("fov:60")
    assert all(
        np.array_equal(np.unique(image), [number]) for number, image in enumerate(sequence.read(sequence.numbers))
    )
