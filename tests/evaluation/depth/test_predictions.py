"""Given predictions for the frames of a data set, found by the names of their files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from helpers.depth_world import DATE, DRIVE, SEQUENCE, TEST, World
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.arrays import Quantity
from selfdepth.evaluation.depth.frames import EvaluationFrames, frames_to_evaluate
from selfdepth.evaluation.depth.predictions import predictions_of, read_folder, read_prediction


@pytest.fixture
def frames(world: World) -> EvaluationFrames:
    return frames_to_evaluate(world.root, world.split, None)


def read(path: Path, frames: EvaluationFrames, quantity: Quantity = "disparity") -> list[ndarray]:
    return list(predictions_of(path, frames, quantity))


@pytest.mark.parametrize("place", ["{}/data/{:010d}.npy", "{}/{}.npy", "{:.0}{:010d}.npz", "{:.0}{}.npz"])
def test_a_file_per_frame_is_found_by_the_name_of_the_frame(
    world: World, frames: EvaluationFrames, tmp_path: Path, place: str
) -> None:
    for number, disparity in zip(TEST, world.predictions, strict=True):
        path = tmp_path / place.format(SEQUENCE, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, disparity)
        else:  # as `predict` writes it, with a picture beside
            np.savez(path, depth=1 / disparity, disparity=disparity, scale="relative")
            Image.new("RGB", (4, 4)).save(path.with_suffix(".png"))
    np.testing.assert_array_equal(read(tmp_path, frames), world.predictions)


def test_the_folder_of_the_date_may_be_left_out(world: World, frames: EvaluationFrames, tmp_path: Path) -> None:
    folder = tmp_path / SEQUENCE.removeprefix(f"{DATE}/")
    folder.mkdir(parents=True)
    for number, disparity in zip(TEST, world.predictions, strict=True):
        np.save(folder / f"{number}.npy", disparity)
    np.testing.assert_array_equal(read(tmp_path, frames), world.predictions)


def test_one_file_holds_the_predictions_in_the_order_of_the_split(
    world: World, frames: EvaluationFrames, tmp_path: Path
) -> None:
    np.save(tmp_path / "all.npy", world.predictions)
    np.testing.assert_array_equal(read(tmp_path / "all.npy", frames), world.predictions)
    np.save(tmp_path / "two.npy", world.predictions[:2])
    with pytest.raises(DataError, match="expected 3, one for each of the test frames, in their order; got 2"):
        read(tmp_path / "two.npy", frames)


def test_16_bit_pngs_are_depth(world: World, frames: EvaluationFrames, tmp_path: Path) -> None:
    stored = np.rint(256 / world.predictions).astype(np.uint16)
    for number, depth in zip(TEST, stored, strict=True):
        Image.fromarray(depth).save(tmp_path / f"{number:010d}.png")
    np.testing.assert_allclose(read(tmp_path, frames, "depth"), 256 / stored.astype(np.float64), rtol=1e-6)
    with pytest.raises(DataError, match=r"hold depth, not disparity: .*--predictions-are depth"):
        read(tmp_path, frames)


def save_each(folder: Path, prediction: ndarray) -> None:
    for number in TEST:
        np.save(folder / f"{number}.npy", prediction)


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing there": (lambda folder: None, "there is no prediction.*got none"),
    "one missing": (
        lambda folder: np.save(folder / "0.npy", np.ones((2, 4))),
        f"a frame has no prediction.*{SEQUENCE}/0000000004 .*or the same without the folder; got 1 other files",
    ),
    "two maps in one": (lambda folder: save_each(folder, np.ones((2, 2, 4))), "several maps.*expected one map; got 2"),
    "zeros": (lambda folder: save_each(folder, np.zeros((2, 4))), "4.npy, row 0, column 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_folder_that_cannot_be_predictions_is_refused(frames: EvaluationFrames, tmp_path: Path, name: str) -> None:
    spoil, sentence = BAD[name]
    spoil(tmp_path)
    with pytest.raises(DataError, match=sentence):
        read(tmp_path, frames)


def test_a_missing_file_is_refused_before_any_is_compared(frames: EvaluationFrames, tmp_path: Path) -> None:
    np.save(tmp_path / f"{TEST[0]}.npy", np.ones((2, 4)))
    with pytest.raises(DataError, match="a frame has no prediction"):
        predictions_of(tmp_path, frames, "disparity")


def test_a_name_that_two_frames_have_needs_its_folder(world: World, tmp_path: Path) -> None:
    other = DRIVE.replace("0001", "0002")
    shutil.copytree(world.root, tmp_path / "kitti")
    shutil.copytree(world.root / DATE / DRIVE, tmp_path / "kitti" / DATE / other)
    (tmp_path / "test_files.txt").write_text(f"{DATE}/{DRIVE} 0 l\n{DATE}/{other} 0 l\n")
    for value, place in enumerate(
        (tmp_path / "bare", *(tmp_path / "each" / drive / "image_02" for drive in (DRIVE, other)))
    ):
        place.mkdir(parents=True)
        np.save(place / "0.npy", np.full((2, 4), 1.0 + value))
    frames = frames_to_evaluate(tmp_path / "kitti", tmp_path, None)
    with pytest.raises(DataError, match="several frames have this name"):
        read(tmp_path / "bare", frames)
    assert [disparity[0, 0] for disparity in read(tmp_path / "each", frames)] == [2, 3]


def test_a_store_has_no_names_to_find_predictions_by(world: World, tmp_path: Path) -> None:
    build_store(recognise(world.root).footage(), tmp_path / "store", width=96, height=64)
    with pytest.raises(DataError, match="store"):
        frames_to_evaluate(tmp_path / "store", None, None)


@pytest.mark.parametrize("pattern", ["{:03d}", "{}", "frame{}"])
def test_a_folder_without_a_data_set_is_in_natural_order(tmp_path: Path, pattern: str) -> None:
    for index in range(12):
        np.save(tmp_path / f"{pattern.format(index)}.npy", np.full((2, 4), 1.0 + index))
    found = read_folder(tmp_path, "disparity")
    assert list(found) == [pattern.format(index) for index in range(12)]
    assert [disparity[0, 0] for disparity in found.values()] == list(range(1, 13))


def test_numbers_come_before_pictures_of_the_same_frame(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", disparity=np.full((2, 4), 3.0))
    Image.new("RGB", (4, 2)).save(tmp_path / "0.png")
    (found,) = read_folder(tmp_path, "disparity").values()
    np.testing.assert_array_equal(found, np.full((2, 4), 3.0))


def test_depth_in_a_file_of_its_own_is_read_as_disparity(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", np.full((2, 4), 4.0))
    np.testing.assert_array_equal(read_prediction(tmp_path / "0.npy", "depth"), np.full((2, 4), 0.25))
