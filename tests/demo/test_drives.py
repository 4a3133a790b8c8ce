"""The demo's streets: some to learn from, another to be judged by, all on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.data.sources.recognise import recognise
from selfdepth.demo.drives import Drives, make_drives
from selfdepth.errors import OutputError
from selfdepth.synthetic.drive import DriveSpec

SIZE = {"width": 48, "height": 32}
TRAIN = (DriveSpec(seed=2, frames=7, **SIZE), DriveSpec(seed=4, frames=6, **SIZE))
HELD_OUT = DriveSpec(seed=1, frames=9, **SIZE)


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


def test_clips_are_learned_from_some_streets_and_validated_on_another(drives: Drives) -> None:
    footage = drives.footage
    assert {ref.sequence for ref in footage.train}.isdisjoint({ref.sequence for ref in footage.val})
    learned = [(ref.sequence, ref.number) for ref in footage.train]
    assert learned == [
        *(("train/street_0", 2), ("train/street_0", 3), ("train/street_0", 4)),
        *(("train/street_1", 2), ("train/street_1", 3)),
    ], "the first two and the last two of each lack a neighbour"
    assert [ref.number for ref in footage.val] == [2, 4, 6]
    assert (footage.spacing, footage.protocol) == (2, "dense")


def test_the_folders_hold_images_camera_and_true_path_and_the_depth_of_the_one_that_judges(drives: Drives) -> None:
    first, second = drives.train
    for name, drive in (("train/street_0", first), ("train/street_1", second), ("heldout", drives.held_out)):
        folder = drives.folder / name
        stored = np.asarray(Image.open(folder / "000004.png"))
        assert np.array_equal(stored, drive.images[4])
        assert len((folder / "poses.txt").read_text().splitlines()) == len(drive.images)
        assert f"{drive.camera.fx:g}"[:4] in (folder / "camera.yaml").read_text()
        assert (folder / "depth.npz").exists() == (name == "heldout")
    assert np.array_equal(np.load(drives.folder / "heldout/depth.npz")["depth"], drives.held_out.depth)


def test_progress_counts_all_streets_together(drives: Drives, told: list[tuple[int, int]]) -> None:
    assert told == [(done, 22) for done in range(1, 23)]


def test_the_drives_can_be_trained_on_by_hand(drives: Drives) -> None:
    footage = recognise(drives.folder / "train").footage()
    assert [sequence.numbers for sequence in footage.sequences] == [tuple(range(7)), tuple(range(6))]
    assert footage.sequences[0].camera == TRAIN[0].camera()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        make_drives(TRAIN, HELD_OUT, tmp_path / "file", val_every=2, progress=lambda done, total: None)
