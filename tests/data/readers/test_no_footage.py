"""Pictures that are no footage, in folders of their own and among the frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from selfdepth.data.readers.folders import list_images, open_folder, survey
from selfdepth.data.readers.no_footage import OWN_SOFTWARE, files_of_footage, folders_of_footage, is_own_folder
from selfdepth.errors import DataError, SelfDepthWarning

RNG = np.random.default_rng(0)


def photo(path: Path) -> None:
    Image.fromarray(RNG.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path)


def deep(path: Path) -> None:
    Image.fromarray(RNG.integers(500, 9000, (48, 64), dtype=np.uint16)).save(path)


def indexed(path: Path) -> None:
    Image.fromarray(RNG.integers(0, 9, (48, 64), dtype=np.uint8)).convert("P").save(path)


def mask(path: Path) -> None:
    Image.fromarray(RNG.integers(0, 2, (48, 64), dtype=np.uint8) * 255).save(path)


def colour_map(path: Path) -> None:
    table = RNG.integers(0, 255, (200, 3), dtype=np.uint8)
    Image.fromarray(table[RNG.integers(0, 200, (48, 64))]).save(path)


def grey(path: Path) -> None:
    Image.fromarray(RNG.integers(0, 255, (48, 64), dtype=np.uint8)).save(path)


def normals(path: Path) -> None:
    directions = RNG.normal((0.0, 0.0, 2.0), size=(48, 64, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    Image.fromarray((127.5 * (directions + 1.0)).round().astype(np.uint8)).save(path)


def ours(path: Path) -> None:
    text = PngInfo()
    text.add_text("Software", OWN_SOFTWARE)
    Image.fromarray(RNG.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path, pnginfo=text)


def write(folder: Path, kind: Callable[[Path], None], pattern: str = "{:04d}.png", n: int = 4) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        kind(folder / pattern.format(number))
    return folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("depth", deep), ("other", deep), ("labels", photo), ("x", indexed), ("x", mask), ("x", colour_map),
        ("color", ours), ("semanticMaps", photo), ("optical_flow", photo), ("instanceIds", indexed),
    ],
)  # fmt: skip
def test_a_folder_of_other_pictures_beside_frames_is_left_out_with_a_word(
    tmp_path: Path, name: str, kind: Callable[[Path], None]
) -> None:
    rgb = write(tmp_path / "rgb", photo)
    write(tmp_path / name, kind)
    found = survey(tmp_path)
    assert found.folders == (rgb,)
    (sentence,) = found.left_out
    assert name in sentence


@pytest.mark.parametrize(
    ("name", "kind", "is_footage"),
    [
        ("normal", photo, True), ("instance_1", photo, True), ("label", photo, True), ("normal", normals, False),
        ("normal", deep, False), ("label", indexed, False), ("instance", colour_map, False),
        ("confidence", grey, False), ("normals", photo, False), ("mask", photo, False),
    ],
)  # fmt: skip
def test_a_vague_name_is_believed_if_the_pictures_look_it(
    tmp_path: Path, name: str, kind: Callable[[Path], None], is_footage: bool
) -> None:
    fast = write(tmp_path / "fast", photo)
    named = write(tmp_path / name, kind)
    found = survey(tmp_path)
    assert set(found.folders) == ({fast, named} if is_footage else {fast})
    assert len(found.left_out) == (not is_footage)


def test_the_frames_of_a_grey_camera_are_footage_under_a_vague_name(tmp_path: Path) -> None:
    folders = (write(tmp_path / "fast", grey), write(tmp_path / "normal", grey))
    assert survey(tmp_path).folders == folders


@pytest.mark.parametrize("kind", [deep, mask, indexed, colour_map, photo])
def test_what_is_all_that_is_there_is_footage(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    thermal = write(tmp_path / "thermal", kind)
    assert survey(tmp_path).folders == (thermal,)
    assert survey(tmp_path).left_out == ()


def test_nothing_but_depth_maps_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, write(tmp_path / "depth", deep)):
        with pytest.raises(DataError, match="depth maps, not frames"):
            survey(place)


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("frame-{:06d}.depth.png", deep), ("frame-{:06d}.x.png", deep), ("{:04d}_mask.png", photo),
        ("{:04d}_gtFine_labelIds.png", indexed), ("{:04d}.png", mask), ("{:04d}_color.png", ours),
    ],
)  # fmt: skip
def test_other_pictures_among_the_frames_are_left_out_with_a_word(
    tmp_path: Path, pattern: str, kind: Callable[[Path], None]
) -> None:
    write(tmp_path, photo, "{:04d}.jpg")
    write(tmp_path, kind, pattern)
    with pytest.warns(SelfDepthWarning, match=r"4 like "):
        sequence = open_folder(tmp_path, camera="fov:60")
    assert [file.suffix for file in sequence.files] == [".jpg"] * 4
    assert sequence.numbers == (0, 1, 2, 3)


def test_results_of_selfdepth_are_never_footage_not_even_alone(tmp_path: Path) -> None:
    write(tmp_path / "color", ours)
    assert survey(tmp_path).folders == ()
    assert files_of_footage(list_images(tmp_path / "color"))[0] == ()


def test_runs_and_stores_are_recognised(tmp_path: Path) -> None:
    for folder, names in (("run", ("config.json", "metrics.jsonl")), ("store", ("frames.u8", "index.json"))):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text("{}")
        assert is_own_folder(tmp_path / folder)
    assert not is_own_folder(write(tmp_path / "drive", photo))


def test_many_sequences_are_told_by_the_folders_that_repeat(tmp_path: Path) -> None:
    folders = [
        write(tmp_path / f"{i:03d}" / name, kind, n=3) for i in range(30) for name, kind in (("a", photo), ("b", deep))
    ]
    kept, sentences = folders_of_footage(tmp_path, folders, list_images)
    assert {folder.name for folder in kept} == {"a"}
    assert len(kept) == 30
    assert len(sentences) == 1
