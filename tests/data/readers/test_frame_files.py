"""Files that other programs wrote, one per frame: where they may be, and what is said of those that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.frame_files import files_of_frames
from selfdepth.errors import DataError

SEQUENCE = "2011_09_26/drive_0001/image_02"
REFS = (FrameRef(SEQUENCE, 12), FrameRef(SEQUENCE, 3))
NAMES = ("0000000012", "0000000003")


def find(folder: Path, refs: tuple[FrameRef, ...] = REFS, names: tuple[str, ...] = NAMES) -> list[Path]:
    return files_of_frames(folder, refs, names, kinds=(".npy", ".png"), wanted="map")


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize("parent", [SEQUENCE, f"{SEQUENCE}/data", "drive_0001/image_02", "."])
@pytest.mark.parametrize("stem", ["{}", "{:06d}"])
def test_files_are_found_in_the_order_of_the_frames_whatever_their_zeros(
    tmp_path: Path, parent: str, stem: str
) -> None:
    wanted = [tmp_path / parent / f"{stem.format(number)}.png" for number in (12, 3)]
    write(tmp_path, *(str(path.relative_to(tmp_path)) for path in wanted))
    assert find(tmp_path) == wanted


def test_of_several_files_of_a_frame_the_first_kind_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "12.png", "12.npy", "3.png")
    assert [path.name for path in find(tmp_path)] == ["12.npy", "3.png"]


def test_the_first_missing_file_is_named_and_the_others_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "12.txt", "5.png")
    sentence = rf"a frame has no map: .*expected {SEQUENCE}/0000000012 .*got 1 other files; 1 more frames have none"
    with pytest.raises(DataError, match=sentence):
        find(tmp_path)
    write(tmp_path, "12.png")
    with pytest.raises(DataError, match=rf"{SEQUENCE}/0000000003 \(\.npy, \.png\), or the same without.*files$"):
        find(tmp_path)


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no map: .*files ending in \.npy, \.png; got none"):
        find(tmp_path)


def test_a_name_that_two_frames_have_is_not_enough(tmp_path: Path) -> None:
    refs, names = (FrameRef("a", 1), FrameRef("b", 1)), ("1", "1")
    write(tmp_path, "1.png")
    with pytest.raises(DataError, match="several frames have this name"):
        find(tmp_path, refs, names)
    write(tmp_path, "a/1.png", "b/01.png")
    assert find(tmp_path, refs, names) == [tmp_path / "a/1.png", tmp_path / "b/01.png"]
