"""The demo's two drives, rendered and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.recognise import recognise
from selfdepth.demo.drives import HELD_OUT, TRAIN, Drives, make_drives
from selfdepth.synthetic.drive import DriveSpec

TRAIN_SPEC = DriveSpec(seed=0, frames=9, width=64, height=64)
HELD_OUT_SPEC = DriveSpec(seed=1, frames=7, width=64, height=64)


@pytest.fixture(scope="module")
def progress() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory, progress: list[tuple[int, int]]) -> Drives:
    return make_drives(
        TRAIN_SPEC,
        HELD_OUT_SPEC,
        tmp_path_factory.mktemp("demo") / "drives",
        val_every=2,
        spacing=2,
        progress=lambda done, total: progress.append((done, total)),
    )


def test_the_progress_covers_both_drives(drives: Drives, progress: list[tuple[int, int]]) -> None:
    assert progress == [(done, 16) for done in range(1, 17)]


def test_every_target_has_its_neighbours(drives: Drives) -> None:
    footage = drives.footage
    assert footage.train == tuple(FrameRef(TRAIN, number) for number in range(2, 7))
    assert footage.val == (FrameRef(HELD_OUT, 2), FrameRef(HELD_OUT, 4))


def test_nothing_of_the_held_out_drive_is_trained_on(drives: Drives) -> None:
    assert {ref.sequence for ref in drives.footage.train} == {TRAIN}
    assert {ref.sequence for ref in drives.footage.val} == {HELD_OUT}


def test_only_the_held_out_drive_is_written_with_its_depth(drives: Drives) -> None:
    assert not (drives.folder / TRAIN / "depth.npz").exists()
    written = np.load(drives.folder / HELD_OUT / "depth.npz")["depth"]
    np.testing.assert_array_equal(written, drives.held_out.depth)


def test_the_depth_of_a_frame_is_that_of_its_drive(drives: Drives) -> None:
    for name, drive in ((TRAIN, drives.train), (HELD_OUT, drives.held_out)):
        depth = drives.footage.truth(FrameRef(name, 3))
        assert depth is not None
        np.testing.assert_array_equal(depth, drive.depth[3])


def test_a_drive_can_be_trained_on_by_hand(drives: Drives) -> None:
    data: Path = drives.folder / TRAIN
    (sequence,) = recognise(data).footage(camera=str(data / "camera.yaml")).sequences
    assert sequence.numbers == tuple(range(9))
    assert sequence.camera == TRAIN_SPEC.camera()
    np.testing.assert_array_equal(next(iter(sequence.read((4,)))), drives.train.images[4])
