"""The store: what goes in comes out, it is reused only when it fits, and failures leave nothing behind."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.memory_footage import HEIGHT, footage, pixels, sequence
from helpers.store_index import as_version_3, rewrite_index
from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.data.store import store as store_module
from selfdepth.data.store.build import build_store, open_or_build
from selfdepth.data.store.store import Store, is_store, open_store
from selfdepth.errors import DataError, OutputError
from selfdepth.geometry.camera import crop, resize
from selfdepth.geometry.crop import Crop

SIZE = {"width": 64, "height": 32}
CROP = Crop(top=4, bottom=6, left=2, right=8)


def fitted(image, camera):
    return resize(*crop(image, camera, CROP), **SIZE)


def in_folder(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def drive(tmp_path: Path) -> Footage:
    return footage(
        sequence(tmp_path / "a", "first/drive", (*range(5, 25), 30, 32)),
        sequence(tmp_path / "b", "second", tuple(range(13)), video=True, focal_px=70.0),
    )


@pytest.fixture
def built(drive: Footage, tmp_path: Path) -> Store:
    return build_store(drive, tmp_path / "store", **SIZE, crop=CROP)


def test_every_frame_is_cropped_resized_and_found_by_its_number(drive: Footage, built: Store) -> None:
    for item in drive.sequences:
        stored = built.by_name[item.name]
        rows = stored.rows(np.array(item.numbers))
        for row, number in zip(rows, item.numbers, strict=True):
            expected, _ = fitted(pixels(item.name, number), item.camera)
            assert np.array_equal(built.frames[row].transpose(1, 2, 0), expected)


def test_the_camera_follows_crop_and_resize(drive: Footage, built: Store) -> None:
    for item in drive.sequences:
        _, camera = fitted(pixels(item.name, 0), item.camera)
        stored = built.by_name[item.name]
        assert np.allclose(stored.K, camera.matrix()) and stored.stored_camera == camera
        assert built.by_name[item.name].camera == item.camera


def test_names_numbers_and_splits_come_back_as_they_went_in(drive: Footage, built: Store) -> None:
    for item, stored in zip(drive.sequences, built.sequences, strict=True):
        assert stored.name == item.name
        assert tuple(stored.numbers) == item.numbers
        assert stored.names == item.names
    for split in ("train", "val", "test"):
        assert getattr(built, split) == getattr(drive, split)
    assert (built.kind, built.protocol) == (drive.kind, drive.protocol)


def test_splits_in_any_order_come_back_in_that_order(tmp_path: Path) -> None:
    refs = tuple(FrameRef("drive", number) for number in (7, 3, 4, 5, 5, 1, 19, 0))
    drive = Footage(kind="folder", sequences=(sequence(tmp_path / "a"),), train=refs, test=refs[::-1])
    store = build_store(drive, tmp_path / "store", **SIZE)
    assert store.train == refs
    assert store.test == refs[::-1]


def test_a_store_that_fits_is_used_again_without_decoding(drive: Footage, built: Store, tmp_path: Path) -> None:
    before = (built.folder / "frames.u8").stat()
    again = open_or_build(drive, tmp_path / "store", **SIZE, crop=CROP)
    after = (again.folder / "frames.u8").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def other_time(drive: Footage) -> Footage:
    os.utime(drive.sequences[0].files[3], ns=(1, 1))
    return drive


def other_content(drive: Footage) -> Footage:
    drive.sequences[1].files[0].write_text("a longer file")
    return drive


def other_camera(drive: Footage) -> Footage:
    folder = drive.sequences[0].files[0].parent
    changed = sequence(folder, "first/drive", drive.sequences[0].numbers, focal_px=61.0)
    return Footage(**{**vars(drive), "sequences": (changed, drive.sequences[1])})


def other_split(drive: Footage) -> Footage:
    return Footage(**{**vars(drive), "train": drive.train[:-1]})


@pytest.mark.parametrize("change", [other_time, other_content, other_camera, other_split])
def test_a_changed_file_camera_or_split_rebuilds_the_store(drive, built, change) -> None:
    assert open_or_build(change(drive), built.folder, **SIZE, crop=CROP).fingerprint != built.fingerprint


def test_another_size_or_crop_rebuilds_the_store(drive: Footage, built: Store) -> None:
    assert open_or_build(drive, built.folder, width=32, height=32, crop=CROP).width == 32
    assert open_or_build(drive, built.folder, width=32, height=32).fingerprint != built.fingerprint


def test_a_damaged_store_is_rebuilt(drive: Footage, built: Store) -> None:
    os.truncate(built.folder / "frames.u8", 100)
    assert open_or_build(drive, built.folder, **SIZE, crop=CROP).fingerprint == built.fingerprint


@pytest.mark.parametrize("video", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError("broken"), OSError("gone")])
def test_an_interrupted_build_leaves_nothing(tmp_path: Path, video: bool, error: BaseException) -> None:
    drive = footage(sequence(tmp_path / "a", video=video, fails_at=17, error=error))
    place = tmp_path / "out"
    place.mkdir()
    with pytest.raises(error if isinstance(error, type) else type(error)):
        build_store(drive, place / "store", **SIZE)
    assert in_folder(place) == []


def test_an_interrupted_rebuild_keeps_the_old_store(tmp_path: Path, built: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_store(footage(sequence(tmp_path / "c", fails_at=9)), built.folder, **SIZE)
    assert open_store(built.folder).fingerprint == built.fingerprint
    assert not list(tmp_path.glob(".*"))


def test_an_interrupt_while_progress_is_shown_leaves_nothing(tmp_path: Path, drive: Footage) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(drive, tmp_path / "store", **SIZE, progress=interrupt)
    assert in_folder(tmp_path) == ["a", "b"]


def test_progress_counts_every_frame(tmp_path: Path, drive: Footage) -> None:
    seen: list[tuple[int, int]] = []
    build_store(drive, tmp_path / "store", **SIZE, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (35, 35)
    assert seen == sorted(seen)


def test_an_empty_folder_may_become_a_store(tmp_path: Path, drive: Footage) -> None:
    (tmp_path / "empty").mkdir()
    assert is_store(build_store(drive, tmp_path / "empty", **SIZE).folder)


def test_a_full_disk_is_reported_before_anything_is_written(tmp_path, drive, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OutputError, match="not enough disk space"):
        build_store(drive, tmp_path / "out" / "store", **SIZE)
    assert in_folder(tmp_path) == ["a", "b"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, drive: Footage) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"cannot be written.*store.*MB"):
        build_store(drive, tmp_path / "file" / "store", **SIZE)


def test_a_crop_that_leaves_nothing_is_refused(tmp_path: Path, drive: Footage) -> None:
    with pytest.raises(DataError, match="--crop"):
        build_store(drive, tmp_path / "store", **SIZE, crop=Crop(top=HEIGHT))


def test_data_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no frames"):
        build_store(Footage(kind="folder", sequences=()), tmp_path / "store", **SIZE)


def test_a_file_that_is_gone_is_named(tmp_path: Path, drive: Footage) -> None:
    drive.sequences[0].files[2].unlink()
    with pytest.raises(DataError, match="a/007"):
        build_store(drive, tmp_path / "store", **SIZE)


def test_partners_come_back_and_belong_to_what_a_store_is_made_from(tmp_path: Path) -> None:
    left, right = sequence(tmp_path / "a", "left"), sequence(tmp_path / "b", "right", (2, 3))
    plain = footage(left, right)
    partner = StereoPartner(sequence="right", translation_m=(-0.5327, 0.00275, -1.6e-5))
    paired = footage(replace(left, partner=partner), right)
    store = open_or_build(paired, tmp_path / "store", **SIZE)
    assert [item.partner for item in store.sequences] == [partner, None]
    assert open_or_build(paired, tmp_path / "store", **SIZE).fingerprint == store.fingerprint
    assert [item.partner for item in open_or_build(plain, tmp_path / "store", **SIZE).sequences] == [None, None]


def test_a_store_of_the_version_before_is_used_and_of_an_earlier_one_rebuilt(drive: Footage, built: Store) -> None:
    as_version_3(built.folder)
    before = (built.folder / "index.json").read_bytes()
    assert open_or_build(drive, built.folder, **SIZE, crop=CROP).fingerprint == built.fingerprint
    assert (built.folder / "index.json").read_bytes() == before, "it is not built again"
    rewrite_index(built.folder, lambda values: values.update(version=2))
    with pytest.raises(DataError, match="made by another version"):
        open_store(built.folder)
    assert open_or_build(drive, built.folder, **SIZE, crop=CROP).fingerprint == built.fingerprint
    assert open_store(built.folder).frames_digest is not None


@pytest.mark.parametrize("quick_bytes", [store_module._QUICK_BYTES, 0])
def test_an_altered_store_of_any_size_is_rebuilt(drive: Footage, built: Store, monkeypatch, quick_bytes: int) -> None:
    monkeypatch.setattr(store_module, "_QUICK_BYTES", quick_bytes)
    with (built.folder / "frames.u8").open("r+b") as file:
        file.write(bytes(1000))
    again = open_or_build(drive, built.folder, **SIZE, crop=CROP)
    assert again.frames_digest == built.frames_digest
    again.check_frames()
