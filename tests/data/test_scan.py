"""A look at every frame: which cannot be read, where another scene begins, and what is left out on request."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.memory_footage import sequence
from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.folders import open_folder
from selfdepth.data.scan import Unreadable, refuse_unreadable, scan, without_unreadable
from selfdepth.errors import DataError
from selfdepth.synthetic.drive import DriveSpec, render_drive


def _write(folder: Path, images: list[np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:04d}.jpg", quality=92)
    return folder


@cache
def _drive(seed: int) -> list[np.ndarray]:
    return list(render_drive(DriveSpec(seed=seed, frames=12, width=192, height=96)).images)


def test_all_frames_that_cannot_be_read_are_found(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", _drive(1))
    for number, share in ((0, 0.0), (5, 0.6), (11, 0.9)):
        file = folder / f"{number:04d}.jpg"
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    Image.new("RGB", (50, 40)).save(folder / "0007.jpg")
    found = scan(open_folder(folder, camera="fov:60")).unreadable
    assert [each.numbers for each in found] == [(0,), (5,), (7,), (11,)]
    assert all(f"{each.numbers[0]:04d}.jpg" in each.reason for each in found)


def test_a_size_that_differs_by_a_pixel_is_found_with_both_sizes(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", _drive(1))
    Image.new("RGB", (191, 96)).save(folder / "0007.jpg")
    (found,) = scan(open_folder(folder, camera="fov:60")).unreadable
    assert "0007.jpg; expected 192x96; got 191x96" in found.reason


def test_a_damaged_video_is_unreadable_from_there_on(tmp_path: Path) -> None:
    drive = sequence(tmp_path / "v", video=True, fails_at=15, error=DataError("damaged"))
    (found,) = scan(drive).unreadable
    assert found.numbers == (15, 16, 17, 18, 19)
    assert str(found) == "5 frames from number 15 on: damaged"


def test_a_cut_is_found_and_a_drive_has_none(tmp_path: Path) -> None:
    folder = _write(tmp_path / "cut", [*_drive(1), *_drive(2)])
    assert scan(open_folder(folder, camera="fov:60")).cuts == (12,)
    assert scan(open_folder(_write(tmp_path / "whole", _drive(2)), camera="fov:60")).cuts == ()


def test_pictures_of_different_places_are_unlike(tmp_path: Path) -> None:
    pictures = [np.random.default_rng(i).integers(0, 255, (8, 12, 3), dtype=np.uint8) for i in range(9)]
    large = [np.asarray(Image.fromarray(picture).resize((192, 128))) for picture in pictures]
    seen = scan(open_folder(_write(tmp_path / "album", large), camera="fov:60"))
    assert seen.unlike > 0.5


def _footage(tmp_path: Path, n: int = 400) -> Footage:
    drive = sequence(tmp_path / "d", numbers=tuple(range(n)))
    refs = tuple(FrameRef("drive", number) for number in range(1, n - 1))
    return Footage(kind="given", sequences=(drive,), train=refs[:-20], val=refs[-20:], test=refs[:5])


def test_frames_left_out_take_the_clips_that_need_them_along(tmp_path: Path) -> None:
    footage = _footage(tmp_path)
    bad = (Unreadable(sequence="drive", numbers=(50,), reason="broken"),)
    left = without_unreadable(footage, bad, on_error="skip", steps=(-1, 1))
    assert set(footage.train) - set(left.train) == {FrameRef("drive", n) for n in (49, 50, 51)}
    assert 50 not in left.sequences[0].numbers
    assert len(left.sequences[0].files) == len(left.sequences[0].numbers) == len(left.sequences[0].names) == 399
    assert (left.val, left.test) == (footage.val, footage.test)
    assert without_unreadable(footage, (), on_error="stop", steps=(-1, 1)) is footage


def test_stop_refuses_one_and_skip_refuses_more_than_one_percent(tmp_path: Path) -> None:
    footage = _footage(tmp_path)
    one, many = (
        tuple(Unreadable(sequence="drive", numbers=(n,), reason=f"{n} is broken") for n in range(count))
        for count in (1, 5)
    )
    with pytest.raises(DataError, match=r"1 of 400 frames.*0 is broken.*--on-error skip"):
        without_unreadable(footage, one, on_error="stop", steps=(-1, 1))
    with pytest.raises(DataError, match=r"5 of 400 frames.*at most 1%"):
        without_unreadable(footage, many, on_error="skip", steps=(-1, 1))
    refuse_unreadable(("x",) * 4, 4, 400, on_error="skip")
