"""Make3D as a data source: all of it is for evaluation, none for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.make3d import HEIGHT, NAMES, WIDTH, some_truths, write_make3d
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import DataError
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.crop_resize import CropResize


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make3d")
    write_make3d(folder, some_truths())
    return folder


def test_every_image_is_a_test_frame_with_ground_truth(root: Path) -> None:
    source = recognise(root)
    for part in (None, "test"):
        selection = source.select(split=None, part=part, whole=False)
        assert selection.part == "test"
        assert [ref.sequence for ref in selection.refs] == [f"Test134/img-{name}" for name in NAMES]
    truth = source.truth(selection.refs[0])
    assert truth is not None and np.array_equal(truth, some_truths()[NAMES[0]][17:38])
    assert source.describe_truth() == f"read from {root}"
    assert source.protocol == "make3d"


@pytest.mark.parametrize(
    ("options", "sentence"), [({"part": "val"}, "no validation frames"), ({"split": "eigen"}, "KITTI only")]
)
def test_other_parts_and_splits_are_refused(root: Path, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        recognise(root).select(**{"split": None, "part": None, "whole": False, **options})  # type: ignore[arg-type]


def test_training_is_refused_with_what_to_do_instead(root: Path) -> None:
    with pytest.raises(DataError, match=r"single views, which cannot be trained on: .*selfdepth evaluate depth"):
        recognise(root).footage()


def test_the_crop_of_the_training_is_left_out_because_it_was_chosen_for_other_images(root: Path) -> None:
    fit = CropResize(width=96, height=64, crop=Crop(bottom=8))
    assert recognise(root).fitting(fit) == CropResize(width=96, height=64, crop=NO_CROP)


def test_prediction_takes_the_uncropped_images(root: Path) -> None:
    (folder,) = recognise(root).sequences_to_predict()
    assert {image.shape for image in folder.read(folder.numbers)} == {(HEIGHT, WIDTH, 3)}
