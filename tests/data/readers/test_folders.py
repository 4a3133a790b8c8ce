"""Folders of images: which hold footage, the order of their images, and what is left out with a word."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.folders import find_image_folders, open_folder, survey
from selfdepth.errors import DataError, SelfDepthWarning

CAMERA = "fov:60"


def _picture(width: int = 40, height: int = 30, seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def _save(folder: Path, *names: str, width: int = 40, height: int = 30) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        Image.fromarray(_picture(width, height, seed)).save(folder / name)


def test_frames_come_in_natural_order_with_their_own_pixels(tmp_path: Path) -> None:
    _save(tmp_path, "frame1.png", "frame2.PNG", "frame10.png", "._frame3.png")
    sequence = open_folder(tmp_path, camera=CAMERA)
    assert sequence.names == ("frame1", "frame2", "frame10")
    assert (sequence.camera.width, sequence.camera.height) == (40, 30)
    for seed, image in enumerate(sequence.read(sequence.numbers)):
        np.testing.assert_array_equal(image, _picture(seed=seed))


def test_any_subset_can_be_read(tmp_path: Path) -> None:
    _save(tmp_path, "a.png", "b.png", "c.png", "d.png")
    images = list(open_folder(tmp_path, camera=CAMERA).read((1, 3)))
    np.testing.assert_array_equal(images, [_picture(seed=1), _picture(seed=3)])


@pytest.mark.parametrize("names", [(), ("1.png",), ("1.png", "2.png")])
def test_too_few_images_are_refused_with_their_count(tmp_path: Path, names: tuple[str, ...]) -> None:
    _save(tmp_path, *names)
    with pytest.raises(DataError, match=f"too few images.*got {len(names)}"):
        open_folder(tmp_path, camera=CAMERA)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_folder(tmp_path / "gone", camera=CAMERA)


def test_equal_stems_keep_their_suffixes_so_that_names_stay_different(tmp_path: Path) -> None:
    _save(tmp_path, "1.png", "1.bmp", "2.png")
    assert open_folder(tmp_path, camera=CAMERA).names == ("1.bmp", "1.png", "2")


def test_folders_with_images_are_found_below_and_masks_beside_images_are_not(tmp_path: Path) -> None:
    _save(tmp_path / "drive10" / "data", "1.png")
    _save(tmp_path / "drive2", "1.png")
    _save(tmp_path / "drive2" / "masks", "1.png")
    found = [folder.relative_to(tmp_path).as_posix() for folder in find_image_folders(tmp_path)]
    assert found == ["drive2", "drive10/data"]


@pytest.mark.parametrize("where", [".", "seq_a"])
def test_a_few_pictures_do_not_hide_the_frames_below(tmp_path: Path, where: str) -> None:
    for name in ("seq_a/x", "seq_b"):
        _save(tmp_path / name, *(f"{i:03d}.png" for i in range(5)))
    _save(tmp_path / where, "cover.jpg", "back.jpg")
    found = survey(tmp_path)
    assert [folder.relative_to(tmp_path).as_posix() for folder in found.folders] == ["seq_a/x", "seq_b"]
    assert any("2 pictures directly in" in sentence for sentence in found.left_out)


def test_many_pictures_hide_no_tree_of_larger_sequences_but_stay_before_what_was_made_of_them(tmp_path: Path) -> None:
    _save(tmp_path / "strays", *(f"IMG_{i:04d}.jpg" for i in range(25)))
    for name in ("seq_a", "seq_b"):
        _save(tmp_path / "strays" / name, *(f"{i:03d}.png" for i in range(30)))
    found = survey(tmp_path / "strays")
    assert [folder.name for folder in found.folders] == ["seq_a", "seq_b"]
    assert any("25 pictures directly in" in sentence for sentence in found.left_out)
    _save(tmp_path / "frames", *(f"{i:03d}.png" for i in range(25)))
    _save(tmp_path / "frames/patches", *(f"{i:03d}.png" for i in range(50)))
    _save(tmp_path / "frames/small", *(f"{i:03d}.png" for i in range(25)))
    assert survey(tmp_path / "frames").folders == (tmp_path / "frames",)


@pytest.mark.parametrize("suffix", [".jfif", ".JPE", ".mpo"])
def test_jpegs_under_rarer_suffixes_are_frames(tmp_path: Path, suffix: str) -> None:
    for i in range(3):
        Image.fromarray(_picture(seed=i)).save(tmp_path / f"{i}{suffix}", "JPEG")
    assert survey(tmp_path).folders == (tmp_path,)
    assert len(open_folder(tmp_path, camera=CAMERA).files) == 3


@pytest.mark.parametrize("name", ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"])
def test_folders_of_disks_and_archives_are_not_searched(tmp_path: Path, name: str) -> None:
    _save(tmp_path / "seq", "0.png", "1.png", "2.png")
    _save(tmp_path / name, *(f"{i}.jpg" for i in range(9)))
    found = survey(tmp_path)
    assert found.folders == (tmp_path / "seq",) and found.left_out == ()


def test_a_stray_picture_among_the_frames_is_left_out_with_a_word(tmp_path: Path) -> None:
    _save(tmp_path, *(f"frame{i:03d}.png" for i in range(9)), "cover.png")
    with pytest.warns(SelfDepthWarning, match=r"not named like the frames: cover\.png"):
        assert len(open_folder(tmp_path, camera=CAMERA).numbers) == 9
    assert len(open_folder(tmp_path, camera=CAMERA, stills=True).numbers) == 10


def test_scenes_and_names_that_tell_nothing_are_said(tmp_path: Path) -> None:
    _save(tmp_path / "two", *(f"{side}{i:03d}.png" for side in ("left", "right") for i in range(4)))
    with pytest.warns(SelfDepthWarning, match=r"2 scenes.*from left003\.png to right000\.png"):
        open_folder(tmp_path / "two", camera=CAMERA)
    _save(tmp_path / "hash", "9f.png", "a0.png", "77.png", "c1.png")
    with pytest.warns(SelfDepthWarning, match="do not tell the order of time.*may cross cuts"):
        open_folder(tmp_path / "hash", camera=CAMERA)


def test_a_unit_that_only_the_steps_tell_is_said(tmp_path: Path) -> None:
    _save(tmp_path, *(f"{500_000 * i}.png" for i in range(4)))
    with pytest.warns(SelfDepthWarning, match=r"0.png, 500000.png.* in microseconds.*steps: 2 frames per second"):
        open_folder(tmp_path, camera=CAMERA)
    _save(tmp_path / "known", *(f"{1403636579 + i}.png" for i in range(4)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_folder(tmp_path / "known", camera=CAMERA)


def test_links_that_lead_nowhere_are_said(tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    for i in range(3):
        (tmp_path / f"links/{i}.png").symlink_to(tmp_path / f"gone/{i}.png")
    with pytest.raises(DataError, match=r"links lead nowhere: .*links; .*0\.png -> .*gone/0\.png, one of 3"):
        survey(tmp_path / "links")


def test_the_first_header_that_can_be_read_gives_the_size(tmp_path: Path) -> None:
    _save(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "1.png").write_bytes(b"")
    assert open_folder(tmp_path, camera=CAMERA).camera.width == 40
