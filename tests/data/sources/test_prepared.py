"""A store as a data source: it serves runs that agree with it, and finds the ground truth where it came from."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers.images import write_images
from selfdepth.config import TrainConfig
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.cameras import ANY_CAMERA
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.data.store import store as store_module
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

LEFT = "2011_09_26/2011_09_26_drive_0001_sync/image_02"
CROP = Crop(top=8, left=16)
FIT = CropResize(width=64, height=64, crop=CROP)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """KITTI with a scan of every second frame."""
    folder = tmp_path_factory.mktemp("world")
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=24, width=96, height=72)), folder, scan_every=2)
    return folder


@pytest.fixture
def root(world: Path, tmp_path: Path) -> Path:
    """A copy that may be deleted."""
    return Path(shutil.copytree(world, tmp_path / "kitti"))


@pytest.fixture
def store(root: Path, tmp_path: Path) -> Store:
    return build_store(recognise(root).footage(), tmp_path / "store", width=64, height=64, crop=CROP)


@pytest.fixture
def source(store: Store) -> DataSource:
    return recognise(store.folder)


def test_ground_truth_is_that_of_the_data_it_was_made_from(source: DataSource, root: Path) -> None:
    original = recognise(root)
    for number in (0, 2):
        depth, expected = source.truth(FrameRef(LEFT, number)), original.truth(FrameRef(LEFT, number))
        assert depth is not None and expected is not None
        assert np.array_equal(depth, expected)
    assert source.describe_truth() == original.describe_truth()
    improved = source.improved_truth(None)
    assert improved is not None and improved.root == root


def test_without_that_data_there_is_no_ground_truth_and_one_warning_says_why(source: DataSource, root: Path) -> None:
    shutil.rmtree(root)
    with pytest.warns(SelfDepthWarning, match=f"made from {root}, which no longer exists: .*no ground truth") as shown:
        assert source.truth(FrameRef(LEFT, 2)) is None
        assert source.improved_truth(None) is None
        assert source.describe_truth() is None
    assert len(shown) == 1


def test_altered_frames_are_refused_before_training_also_if_they_do_not_fit_into_memory(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_QUICK_BYTES", 0)
    monkeypatch.setattr(store_module, "_available_bytes", lambda: 0)
    with (store.folder / "frames.u8").open("r+b") as file:
        file.write(bytes(1000))
    config = TrainConfig(width=64, height=64, crop="8,0,16,0")
    with pytest.raises(DataError, match=r"frames were altered: .*make it again"):
        recognise(store.folder).store_for(config, store.folder.parent / "unused")


def test_a_store_of_images_that_are_gone_is_as_good_as_before(tmp_path: Path) -> None:
    images = write_images(tmp_path / "drive", range(24))
    store = build_store(recognise(images).footage(camera="fov:60"), tmp_path / "store", width=32, height=32)
    shutil.rmtree(images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = recognise(store.folder)
        assert source.truth(store.train[0]) is None
        selection = source.select(split=None, part=None, whole=False)
        assert [
            int(np.median(image)) for image in source.read(selection, selection.refs, CropResize(width=32, height=32))
        ] == [ref.number for ref in selection.refs]


def test_the_frames_to_evaluate_are_those_of_the_store(source: DataSource, store: Store) -> None:
    selection = source.select(split=None, part=None, whole=True)
    assert (selection.part, selection.refs) == ("val", store.val), "there are no test frames"
    assert source.select(split=None, part="train", whole=False).refs == store.train
    assert selection.sequences[0].camera == store.sequences[0].camera
    assert selection.sequences[0].numbers == tuple(range(24))
    assert list(selection.sequences[0].read((3,))) == []
    with pytest.raises(DataError, match="no test frames to evaluate"):
        source.select(split=None, part="test", whole=False)
    with pytest.raises(DataError, match="KITTI only"):
        source.select(split="eigen", part=None, whole=False)


def test_frames_are_read_as_they_were_stored(source: DataSource, store: Store, root: Path) -> None:
    selection = source.select(split=None, part="val", whole=False)
    whole = recognise(root).select(split=None, part="val", whole=False)
    for stored, fresh in zip(
        source.read(selection, selection.refs, FIT), recognise(root).read(whole, whole.refs, FIT), strict=True
    ):
        assert np.abs(stored.astype(int) - fresh).max() <= 2  # the store may have decoded smaller JPEGs


@pytest.mark.parametrize(
    ("fit", "sentence"),
    [
        (CropResize(width=96, height=64, crop=CROP), "expected frames of 96x64 with --crop 8,0,16,0; got 64x64 with"),
        (CropResize(width=64, height=64, crop=Crop(top=8)), "with --crop 8,0,0,0; got 64x64 with --crop 8,0,16,0"),
    ],
)
def test_a_model_of_another_size_or_crop_is_refused(source: DataSource, fit: CropResize, sentence: str) -> None:
    assert source.fitting(FIT) == FIT
    with pytest.raises(DataError, match=f"the store does not fit the model: .*{sentence}"):
        source.fitting(fit)


def test_a_run_gets_the_store_itself_if_it_agrees(source: DataSource, store: Store, tmp_path: Path) -> None:
    config, checked = TrainConfig(width=64), []
    given = source.store_for(config, tmp_path / "unused", check=lambda *run: checked.append(run))
    assert given.folder == store.folder
    ((resolved, n_train),) = checked
    assert (resolved.height, resolved.crop, resolved.every, n_train) == (64, "8,0,16,0", "1", len(store.train))
    assert not (tmp_path / "unused").exists()
    with pytest.raises(ConfigError, match="frames of another size"):
        source.store_for(TrainConfig(width=96), tmp_path / "unused")


def test_what_a_store_does_not_hold_is_refused_with_what_to_give_instead(source: DataSource, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"neither ground-truth poses nor uncropped frames: .*store; .*give that as --data"
    ):
        source.sequences(ANY_CAMERA)
    with pytest.raises(DataError, match=r"cannot be matched.*: .*store; give the data that the store was made from"):
        source.names(source.select(split=None, part=None, whole=False))
    with pytest.raises(ConfigError, match=r"a store already: .*--data STORE"):
        source.footage()
    with pytest.raises(ConfigError, match="a store already"):
        source.new_store(TrainConfig(width=64), tmp_path / "other")
