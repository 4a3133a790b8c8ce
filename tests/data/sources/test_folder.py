"""Folders of images as a data source."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers.images import write_images
from selfdepth.data.sources.folder import ImageFolders, folder_name, plain_sequences
from selfdepth.data.sources.recognise import recognise
from selfdepth.errors import DataError, SelfDepthWarning

CAMERA = "fov:60"


def test_a_folder_of_images_is_one_sequence(tmp_path: Path) -> None:
    footage = recognise(write_images(tmp_path / "drive", range(10))).footage(camera=CAMERA)
    assert footage.kind == "folder"
    assert [ref.number for ref in footage.train] == list(range(1, 9))
    assert footage.val == footage.test == ()
    assert footage.sequence("drive").camera.width == 40


def test_a_folder_of_folders_is_one_sequence_each(tmp_path: Path) -> None:
    write_images(tmp_path / "monday" / "front", range(5))
    write_images(tmp_path / "tuesday", range(7))
    footage = recognise(tmp_path).footage(camera=CAMERA)
    assert [sequence.name for sequence in footage.sequences] == ["monday/front", "tuesday"]
    assert len(footage.train) == 3 + 5


def test_a_folder_with_an_image_or_two_beside_sequences_is_left_out_with_a_warning(tmp_path: Path) -> None:
    write_images(tmp_path / "drive", range(5))
    write_images(tmp_path / "stills", range(2))
    with pytest.warns(SelfDepthWarning, match="left out.*stills"):
        footage = recognise(tmp_path).footage(camera=CAMERA)
    assert [sequence.name for sequence in footage.sequences] == ["drive"]


def test_if_all_folders_are_too_short_the_first_one_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / name, range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=r"too few images: .*a; expected at least 3.*got 2"):
            recognise(tmp_path).footage(camera=CAMERA)


def test_prediction_takes_every_folder_with_images_of_any_size_and_number(tmp_path: Path) -> None:
    write_images(tmp_path / "one", [7])
    write_images(tmp_path / "two", [1])
    write_images(tmp_path / "two", [2], width=50)
    one, two = recognise(tmp_path).sequences_to_predict()
    assert [image.shape for image in two.read(two.numbers)] == [(24, 40, 3), (24, 50, 3)]
    (image,) = one.read(one.numbers)
    assert np.unique(image).tolist() == [7]


def test_names_are_paths_below_the_root_or_the_roots_own_name(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a" / "b", range(3))
    assert folder_name(tmp_path, folder) == "a/b"
    assert folder_name(folder, folder) == "b"
    (sequence,) = plain_sequences(tmp_path, (folder,))
    assert sequence.name == "a/b"


def test_a_file_or_a_folder_without_images_is_no_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    assert ImageFolders.recognise(tmp_path) is None
    assert ImageFolders.recognise(tmp_path / "notes.txt") is None


def _sentences(path: Path) -> list[str]:
    with pytest.warns(SelfDepthWarning, match="left out") as caught:
        recognise(path).sequences(CAMERA)
    return [text for warning in caught if "left out" in (text := str(warning.message))]


@pytest.mark.parametrize(("link", "target"), [("latest", "seq_b"), ("loop", "."), ("seq_a/up", "..")])
def test_a_link_inside_the_data_repeats_no_sequence(tmp_path: Path, link: str, target: str) -> None:
    write_images(tmp_path / "seq_a", range(5))
    write_images(tmp_path / "seq_b", range(5))
    (tmp_path / link).symlink_to(target)
    (sentence,) = _sentences(tmp_path)
    assert sentence.endswith(f"the links lead to what is met without them: {link}")
    source = recognise(tmp_path)
    assert isinstance(source, ImageFolders)
    assert [folder.name for folder in source.folders] == ["seq_a", "seq_b"]


def test_videos_and_photos_elsewhere_in_the_tree_are_said_once(tmp_path: Path) -> None:
    write_images(tmp_path / "seq_a", range(30))
    write_images(tmp_path / "seq_a/sub", range(40))
    for name in ("drive.mp4", "seq_b/1.heic", "seq_b/2.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (sentence,) = _sentences(tmp_path)
    assert sentence.endswith("are read: 40 .png in seq_a/sub, 2 .heic in seq_b, 1 .mp4 in the folder itself")


def test_what_a_sentence_was_about_is_not_counted_again(tmp_path: Path) -> None:
    write_images(tmp_path / "rgb", range(5))
    write_images(tmp_path / "masks", range(5))
    (sentence,) = _sentences(tmp_path)
    assert "named as depth, masks, labels or flow: masks" in sentence
