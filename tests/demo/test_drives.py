"""The demo's two streets: one to learn from, another to be judged by, both on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.data.sources.recognise import recognise
from selfdepth.demo.drives import Drives, make_drives
from selfdepth.errors import OutputError
from selfdepth.synthetic.drive import DriveSpec

TRAIN, HELD_OUT = DriveSpec(seed=2, frames=7, width=48, height=32), DriveSpec(seed=1, frames=9, width=48, height=32)


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int]]:
    """The progress of rendering."""
    return []


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, int]]) -> Drives:
    folder = tmp_path_factory.mktemp("drives")
    return make_drives(
        TRAIN, HELD_OUT, folder, val_every=2, spacing=2, progress=lambda done, total: told.append((done, total))
    )


def test_clips_are_learned_from_one_street_and_validated_on_the_other(drives: Drives) -> None:
    footage = drives.footage
    assert {ref.sequence for ref in footage.train}.isdisjoint({ref.sequence for ref in footage.val})
    assert [ref.number for ref in footage.train] == [2, 3, 4], "the first and the last lack a neighbour"
    assert [ref.number for ref in footage.val] == [2, 4, 6]
    assert (footage.spacing, footage.protocol) == (2, "dense")


def test_the_folders_hold_images_camera_and_true_path_and_the_depth_of_the_one_that_judges(drives: Drives) -> None:
    for name, drive in (("train", drives.train), ("heldout", drives.held_out)):
        folder = drives.folder / name
        stored = np.asarray(Image.open(folder / "000004.png"))
        assert np.array_equal(stored, drive.images[4])
        assert len((folder / "poses.txt").read_text().splitlines()) == len(drive.images)
        assert f"{drive.camera.fx:g}"[:4] in (folder / "camera.yaml").read_text()
        assert (folder / "depth.npz").exists() == (name == "heldout")
    assert np.array_equal(np.load(drives.folder / "heldout/depth.npz")["depth"], drives.held_out.depth)


def test_progress_counts_both_streets_together(drives: Drives, told: list[tuple[int, int]]) -> None:
    assert told == [(done, 16) for done in range(1, 17)]


def test_the_drives_can_be_trained_on_by_hand(drives: Drives) -> None:
    data = drives.folder / "train"
    footage = recognise(data).footage(camera=str(data / "camera.yaml"))
    assert footage.sequences[0].numbers == tuple(range(7))
    assert footage.sequences[0].camera == TRAIN.camera()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        make_drives(TRAIN, HELD_OUT, tmp_path / "file", val_every=2, progress=lambda done, total: None)
