"""A folder of 16-bit PNGs as teacher: maps of whole frames, cropped and resized with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from helpers.memory_footage import HEIGHT, WIDTH, footage, sequence
from selfdepth.data.footage import Footage
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import Targets
from selfdepth.errors import DataError
from selfdepth.geometry.crop import Crop
from selfdepth.teachers.folder import MapFolder
from selfdepth.teachers.teacher import Quantity

NUMBERS = (4, 5, 6, 9)
"""The last two are held out: they need no map."""


@pytest.fixture
def drives(tmp_path: Path) -> Footage:
    return footage(sequence(tmp_path / "frames", "drive", NUMBERS))


@pytest.fixture
def store(drives: Footage, tmp_path: Path) -> Store:
    return build_store(drives, tmp_path / "store", width=64, height=32)


def ramp(width: int = WIDTH, height: int = HEIGHT) -> ndarray:
    """A map that grows to the right and downwards."""
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    return (1000 + 20000 * x[None] + 30000 * y[:, None]).astype(np.uint16)


def write(folder: Path, values: ndarray, numbers: tuple[int, ...] = NUMBERS[:2]) -> MapFolder:
    folder.mkdir(exist_ok=True, parents=True)
    for number in numbers:
        Image.fromarray(values).save(folder / f"{number}.png")
    return MapFolder(folder=folder, gives="disparity")


def read(teacher: MapFolder, store: Store, start: int = 0) -> list[ndarray]:
    return list(teacher.disparities(store, Targets.of(store), start))


@pytest.mark.parametrize("factor", [1, 3, 0.5])
def test_maps_of_any_size_are_brought_to_that_of_the_frames(store: Store, tmp_path: Path, factor: float) -> None:
    teacher = write(tmp_path / "maps", ramp(int(WIDTH * factor), int(HEIGHT * factor)))
    maps = read(teacher, store)
    assert len(maps) == 2 and len(read(teacher, store, start=1)) == 1
    np.testing.assert_allclose(maps[0][2:-2, 2:-2], ramp(64, 32)[2:-2, 2:-2], atol=80)  # a quarter of a pixel


@pytest.mark.parametrize("factor", [1, 2])
def test_maps_are_cropped_like_the_frames(drives: Footage, tmp_path: Path, factor: int) -> None:
    crop = Crop(top=0, bottom=16, left=16, right=0)
    store = build_store(drives, tmp_path / "cropped", width=64, height=32, crop=crop)
    (first, _) = read(write(tmp_path / "maps", ramp(WIDTH * factor, HEIGHT * factor)), store)
    # The store has the size of what the crop leaves, so nothing is resized at a factor of 1.
    np.testing.assert_allclose(first[2:-2, 2:-2], ramp()[:32, 16:][2:-2, 2:-2], atol=10)


def test_zero_is_unknown_and_depth_is_inverted(store: Store, tmp_path: Path) -> None:
    depth = np.full((HEIGHT, WIDTH), 400, np.uint16)
    depth[:24], depth[:, 60:] = 100, 0
    write(tmp_path / "maps", depth)
    (first, _) = read(MapFolder(folder=tmp_path / "maps", gives="depth"), store)
    assert first[3, 3] == pytest.approx(4 * first[-3, 3]) and np.isnan(first[:, -5:]).all()
    (second, _) = read(MapFolder(folder=tmp_path / "maps", gives="disparity"), store)
    assert second[3, 3] == pytest.approx(100) and np.isnan(second[:, -5:]).all()


BAD: dict[str, tuple[Callable[[Path], object], Quantity, str]] = {
    "nothing there": (lambda folder: folder.mkdir(), "disparity", "there is no map of the teacher.*got none"),
    "one missing": (
        lambda folder: write(folder, ramp(), (4,)),
        "disparity",
        r"a frame has no map of the teacher: .*expected drive/0000000005 \(\.png\).*add a map for every training frame",
    ),
    "all missing": (lambda folder: write(folder, ramp(), (99,)), "disparity", "0000000004.*1 more frames have none"),
    "eight bits": (
        lambda folder: write(folder, (ramp() // 256).astype(np.uint8)),
        "disparity",
        r"maps/4.png; expected a 16-bit PNG with one channel: disparity times any factor, 0 where unknown; got.*type L",
    ),
    "zeros": (lambda folder: write(folder, 0 * ramp()), "disparity", "map is empty.*4.png.*unknown"),
    "constant": (lambda folder: write(folder, 0 * ramp() + 7), "depth", "the same everywhere.*4.png"),
    "on its side": (lambda folder: write(folder, ramp().T), "disparity", "aspect of 80x48; got 48x80.*whole frames"),
    "of the middle": (lambda folder: write(folder, ramp()[:, 20:60]), "disparity", "aspect of 80x48; got 40x48"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_folder_that_cannot_be_a_teacher_is_refused(store: Store, tmp_path: Path, name: str) -> None:
    spoil, gives, sentence = BAD[name]
    spoil(tmp_path / "maps")
    with pytest.raises(DataError, match=sentence):
        read(MapFolder(folder=tmp_path / "maps", gives=gives), store)


def test_the_same_files_are_the_same_teacher_and_changed_ones_another(store: Store, tmp_path: Path) -> None:
    teacher, targets = write(tmp_path / "maps", ramp()), Targets.of(store)
    first = teacher.identity(targets)
    write(tmp_path / "maps", ramp(), (77,))  # of no frame
    assert teacher.identity(targets) == first
    assert MapFolder(folder=teacher.folder, gives="depth").identity(targets) != first
    os.utime(tmp_path / "maps/5.png", (0, 0))
    assert teacher.identity(targets) != first
