"""The frames that depth is evaluated on, and their ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from helpers.depth_world import HEIGHT, SEQUENCE, TEST, WIDTH, World, write_split
from helpers.videos import write_two_streams
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.data.truth import GivenTruth
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.frames import cropped_truth, frames_to_evaluate
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize

FIT = CropResize(width=96, height=64)


def test_images_of_other_parts_of_the_split_may_be_missing(world: World) -> None:
    assert "400" in (world.split / "train_files.txt").read_text()
    frames = frames_to_evaluate(world.root, world.split, FIT)
    assert (tuple(ref.number for ref in frames.refs), frames.part) == (TEST, "test frames")


@pytest.mark.parametrize(("part", "name", "numbers"), [("val", "validation frames", [1]), ("train", "training", [3])])
def test_without_test_frames_the_next_part_is_taken_and_named(
    world: World, tmp_path: Path, part: str, name: str, numbers: list[int]
) -> None:
    write_split(tmp_path, **{part: numbers})
    (tmp_path / "test_files.txt").write_text("\n")
    frames = frames_to_evaluate(world.root, tmp_path, FIT)
    assert [ref.number for ref in frames.refs] == numbers
    assert name in frames.part


@pytest.mark.parametrize(("part", "numbers"), [("val", [1]), ("train", [0, 3, 4]), (None, [2])])
def test_a_named_part_comes_before_the_test_frames(
    world: World, tmp_path: Path, part: str | None, numbers: list[int]
) -> None:
    write_split(tmp_path, test=[2], val=[1], train=[0, 3, 4])
    assert [ref.number for ref in frames_to_evaluate(world.root, tmp_path, None, part=part).refs] == numbers


def test_the_parts_of_a_store_or_of_kitti_without_a_split_are_those_of_training(world: World, tmp_path: Path) -> None:
    footage = recognise(world.root).footage()
    build_store(footage, tmp_path / "store", width=96, height=64)
    for data in (world.root, tmp_path / "store"):
        assert frames_to_evaluate(data, None, FIT, part="train").refs == footage.train != ()
        with pytest.raises(DataError, match=f"no test frames to evaluate: {data}"):
            frames_to_evaluate(data, None, FIT, part="test")


def test_a_part_that_a_split_lacks_is_refused(world: World, tmp_path: Path) -> None:
    write_split(tmp_path, test=[2])
    with pytest.raises(DataError, match="train"):
        frames_to_evaluate(world.root, tmp_path, None, part="train")


@pytest.mark.parametrize(
    ("count", "rows"), [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (10, range(10)), (99, range(10))]
)
def test_some_of_the_frames_are_spread_evenly(world: World, count: int, rows: Sequence[int]) -> None:
    frames = frames_to_evaluate(world.root, world.split, None)
    refs = tuple(replace(frames.refs[0], number=number) for number in range(10))
    frames = replace(frames, selection=replace(frames.selection, refs=refs))
    assert [ref.number for ref in frames.evenly(count).refs] == list(rows)


def test_frames_are_read_cropped_and_resized_as_in_training(world: World) -> None:
    fit = replace(FIT, crop=Crop(top=8, bottom=4, left=16))
    frames = frames_to_evaluate(world.root, world.split, fit)
    image = Image.open(world.root / SEQUENCE / f"data/{TEST[0]:010d}.png")
    expected = image.crop((16, 8, WIDTH, HEIGHT - 4)).resize((96, 64), Image.Resampling.LANCZOS)
    read = next(frames.read(frames.refs[:1]))
    assert np.abs(read.astype(int) - np.asarray(expected)).max() <= 1


def test_the_ground_truth_is_of_the_part_that_is_read(world: World) -> None:
    whole = frames_to_evaluate(world.root, world.split, FIT)
    cropped = frames_to_evaluate(world.root, world.split, replace(FIT, crop=Crop(top=8, bottom=4, left=16)))
    ref = whole.refs[0]
    all_of_it, inside = whole.truth_in_crop(ref), cropped.truth_in_crop(ref)
    assert all_of_it is not None and inside is not None
    np.testing.assert_array_equal(inside, all_of_it[8:-4, 16:])
    assert whole.truth_in_crop(FrameRef(SEQUENCE, 1)) is None


def test_a_store_is_refused_where_it_cannot_serve(world: World, tmp_path: Path) -> None:
    build_store(recognise(world.root).footage(), tmp_path / "store", width=96, height=64)
    with pytest.raises(DataError, match="store"):
        frames_to_evaluate(tmp_path / "store", None, None)  # given predictions are found by the names of files
    with pytest.raises(DataError, match="the store does not fit the model"):
        frames_to_evaluate(tmp_path / "store", None, CropResize(width=64, height=64))


def test_only_a_network_reads_frames(world: World) -> None:
    frames = frames_to_evaluate(world.root, world.split, None)
    with pytest.raises(ValueError, match="no fit"):
        frames.read(frames.refs)


CAMERA = Camera(fx=5.0, fy=5.0, cx=3.5, cy=2.5, width=8, height=6)


def crop_truth(depth: ndarray, sides: Crop) -> ndarray | None:
    ref = FrameRef("s", 0)
    return cropped_truth(GivenTruth({ref: depth}), ref, CAMERA, sides)


def test_a_crop_of_everything_leaves_no_ground_truth() -> None:
    found = crop_truth(np.ones((6, 8)), Crop(top=1, bottom=2, left=3))
    assert found is not None and found.shape == (3, 5)
    with pytest.raises(DataError, match="leaves nothing"):
        crop_truth(np.ones((6, 8)), Crop(top=3, bottom=3))


def test_ground_truth_of_another_size_is_not_cropped() -> None:
    with pytest.raises(DataError, match=r"does not have the size of the images.*frame 0 of s; expected 8x6; got 4x3"):
        crop_truth(np.ones((3, 4)), Crop(top=1))
    whole = crop_truth(np.ones((3, 4)), Crop())
    assert whole is not None and whole.shape == (3, 4), "without a crop, any size is compared"


@pytest.mark.parametrize(("stream", "level"), [(0, 40), (1, 200)])
def test_the_stream_that_was_asked_for_is_evaluated(tmp_path: Path, stream: int, level: int) -> None:
    video = write_two_streams(tmp_path / "dashcam.mp4")
    frames = frames_to_evaluate(video, None, FIT, whole=True, stream=stream)
    (first,) = frames.selection.sequences[0].read((0,))
    assert abs(float(first.mean()) - level) < 4
