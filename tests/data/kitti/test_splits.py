"""Lists of frames: by folder and by name, downloaded once, and refused in one sentence."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from helpers.loopback import Loopback
from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.splits import (
    ODOMETRY,
    PUBLISHED,
    PUBLISHED_SPLITS,
    RAW,
    LineFormat,
    find_split,
    lists_frames,
    read_split,
    split_path,
)
from selfdepth.data.sources.recognise import recognise
from selfdepth.download import cache_folder
from selfdepth.errors import DataError, OutputError, SelfDepthWarning
from selfdepth.evaluation.depth.frames import frames_to_evaluate
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

LINE = "2011_09_26/2011_09_26_drive_0002_sync 69 l\n"


@pytest.fixture
def address(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    monkeypatch.setenv("SELFDEPTH_SPLITS_URL", f"{loopback.url}/splits/")
    return loopback


def give_eigen(address: Loopback, **changes: Any) -> None:
    address.give("/splits/eigen/test_files.txt", **{"body": (697 * LINE).encode(), **changes})


def kept() -> list[str]:
    return sorted(path.name for path in (cache_folder() / "splits").rglob("*"))


def test_a_folder_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_split("mine") == tmp_path / "mine" == split_path(tmp_path / "mine")


def test_a_published_split_is_fetched_once(address: Loopback) -> None:
    give_eigen(address)
    with pytest.warns(SelfDepthWarning, match="downloading the split eigen to "):
        folder = find_split("eigen")
    assert folder == split_path("eigen") == cache_folder() / "splits" / "eigen"
    assert len(read_split(folder, RAW)["test"]) == 697
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_split("eigen") == folder
    assert address.asked == ["/splits/eigen/test_files.txt"]


def test_a_folder_of_that_name_comes_before_the_download(
    address: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "eigen").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_split("eigen") == tmp_path / "eigen"
    assert address.asked == []


def test_all_files_of_a_split_come_or_none(address: Loopback) -> None:
    counts = PUBLISHED_SPLITS["odom"].files
    for file, count in counts.items():
        if file != "test_files_10.txt":
            address.give(f"/splits/odom/{file}", f"9 {count} r\n".encode() * (count or 1))
    with pytest.warns(SelfDepthWarning), pytest.raises(DataError, match=r"cannot be fetched: .*test_files_10.txt.*404"):
        find_split("odom")
    assert kept() == []
    address.give("/splits/odom/test_files_10.txt", b"10 0 l\n" * 1200)
    with pytest.warns(SelfDepthWarning):
        assert len(read_split(find_split("odom"), ODOMETRY)["test"]) == 1590 + 1200


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"body": (696 * LINE).encode()}, "not the published split.*expected 697 frames; got 696; try again"),
        ({"body": b""}, "not the published split.*expected 697 frames; got 0"),
        ({"body": b"<html>sign in first</html>"}, "not the published split.*expected DATE/DRIVE FRAME.*sign in first"),
        ({"body": b"\xff\xfe\x00"}, "not the published split.*cannot be read"),
        ({"body": 697 * b"9 12 l\n"}, "not the published split.*expected DATE/DRIVE FRAME"),
        ({"body": LINE.encode(), "length": 697 * len(LINE)}, r"interrupted.*got 43 of 29971 bytes; try again"),
        (
            {"body": b"", "status": 503},
            "the published split cannot be fetched.*503.*set SELFDEPTH_SPLITS_URL to the address",
        ),
    ],
)
def test_a_wrong_download_is_one_sentence_and_nothing_is_kept(
    address: Loopback, answer: dict[str, Any], sentence: str
) -> None:
    give_eigen(address, **answer)
    with pytest.warns(SelfDepthWarning), pytest.raises(DataError, match=sentence) as refusal:
        find_split("eigen")
    assert "\n" not in str(refusal.value)
    assert kept() == []
    give_eigen(address)
    with pytest.warns(SelfDepthWarning):
        find_split("eigen")


def test_no_network_is_one_sentence(address: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_SPLITS_URL", "http://127.0.0.1:1/splits")
    with pytest.warns(SelfDepthWarning), pytest.raises(DataError, match=r"cannot be fetched.*check the network"):
        find_split("eigen")
    assert PUBLISHED.base.startswith("https://")


def test_a_cache_that_cannot_be_written_to_is_one_sentence(
    address: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SELFDEPTH_CACHE", str(tmp_path / "file"))
    with pytest.warns(SelfDepthWarning), pytest.raises(OutputError, match="cannot write"):
        find_split("eigen")
    assert address.asked == []


def test_any_other_name_is_refused_without_asking_the_network(address: Loopback) -> None:
    with pytest.raises(
        DataError, match=r"no such split: eigne; expected a folder with .*one of eigen, eigen_benchmark"
    ):
        find_split("eigne")
    assert address.asked == []


def test_training_and_evaluation_take_a_name(address: Loopback, tmp_path: Path) -> None:
    drive = LINE.split()[0]
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=8, width=96, height=32)), tmp_path / "kitti", number=2)
    for part, count in (("train", 39810), ("val", 4424)):
        address.give(f"/splits/eigen_zhou/{part}_files.txt", f"{drive} 3 l\n".encode() * count)
    give_eigen(address, body=f"{drive} 7 l\n".encode() * 697)
    with pytest.warns(SelfDepthWarning):
        footage = recognise(tmp_path / "kitti").footage(split="eigen_zhou")
    assert set(footage.train) == {FrameRef(f"{drive}/image_02", 3)}
    assert footage.origin is not None
    assert footage.origin.split == split_path("eigen_zhou")
    with pytest.warns(SelfDepthWarning):
        evaluated = frames_to_evaluate(tmp_path / "kitti", "eigen", None)
    assert (set(evaluated.refs), evaluated.part) == ({FrameRef(f"{drive}/image_02", 7)}, "test frames")


@pytest.mark.parametrize(
    ("lines", "line", "frame"),
    [
        (RAW, LINE, FrameRef("2011_09_26/2011_09_26_drive_0002_sync/image_02", 69)),
        (RAW, "2011_09_26/2011_09_26_drive_0002_sync 0000000069 r", FrameRef(LINE.split()[0] + "/image_03", 69)),
        (ODOMETRY, "9 12 l", FrameRef("09/image_2", 12)),
        (ODOMETRY, "10 000012 r", FrameRef("10/image_3", 12)),
    ],
)
def test_lines_name_frames(tmp_path: Path, lines: LineFormat, line: str, frame: FrameRef) -> None:
    (tmp_path / "val_files.txt").write_text(f"\n{line}\n\n")
    (listed,) = read_split(tmp_path, lines)["val"]
    assert listed.ref == frame
    assert listed.where == f"{tmp_path / 'val_files.txt'}, line 2"
    assert [part for part in ("train", "val", "test") if lists_frames(tmp_path, part)] == ["val"]


@pytest.mark.parametrize("lines", [RAW, ODOMETRY])
@pytest.mark.parametrize(
    "line", ["9 l", "9 -1 l", "x/y 3 l", "../../etc 3 l", "9 1 m", "2011_09_26/../.. 1 l", "9 1 l l"]
)
def test_a_line_of_another_format_is_refused(tmp_path: Path, lines: LineFormat, line: str) -> None:
    (tmp_path / "train_files.txt").write_text(line)
    with pytest.raises(DataError, match=r"line 1; expected .* as in"):
        read_split(tmp_path, lines)


def test_the_published_lists_have_the_published_numbers_of_frames(shared: Path) -> None:
    for name, split in PUBLISHED_SPLITS.items():
        folder = shared / "splits" / name
        if not folder.is_dir():
            assert set(split.files.values()) == {None}, f"{name}'s numbers of frames are stated, but were not verified"
            continue
        found = read_split(folder, split.format)
        assert {file.name for file in folder.iterdir()} == set(split.files)
        assert sum(len(listed) for listed in found.values()) == sum(count or 0 for count in split.files.values())


def test_frames_near_the_end_of_a_drive_are_left_out_where_neighbours_are_farther_apart(tmp_path: Path) -> None:
    drive = LINE.split()[0]
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=8, width=96, height=32)), tmp_path / "kitti", number=2)
    (tmp_path / "train_files.txt").write_text("".join(f"{drive} {n} l\n" for n in range(1, 7)))
    assert len(recognise(tmp_path / "kitti").footage(split=str(tmp_path)).train) == 6
    with pytest.warns(SelfDepthWarning, match="2 of 6 frames of the split are left out.*neighbours at -2, \\+2"):
        footage = recognise(tmp_path / "kitti").footage(split=str(tmp_path), spacing=2)
    assert [ref.number for ref in footage.train] == [2, 3, 4, 5]
    with pytest.raises(
        DataError, match=r"no frame of the split has its neighbours: .*train_files.txt; .*smaller --every"
    ):
        recognise(tmp_path / "kitti").footage(split=str(tmp_path), spacing=4)
    (tmp_path / "kitti" / drive / "image_02/data/0000000005.jpg").unlink()
    with pytest.raises(DataError, match="neighbour at \\+2 of frame 3 is missing"):  # a gap is no end
        recognise(tmp_path / "kitti").footage(split=str(tmp_path), spacing=2)


def test_a_list_is_read_whatever_system_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "train_files.txt").write_bytes(b"\xef\xbb\xbf" + 2 * LINE.replace("\n", "\r\n").encode())
    assert [each.ref.number for each in read_split(tmp_path, RAW)["train"]] == [69, 69]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (LINE.encode("utf-16"), "got text in UTF-16; save it as UTF-8"),
        (LINE.encode() + b"\xff", "got no UTF-8: byte 0xff in line 2"),
        (LINE.replace("69", "9" * 5000).encode(), "line 1; expected DATE/DRIVE"),
        (LINE.replace("69", "9" * 25).encode(), "line 1; expected DATE/DRIVE"),
        (b"../../etc/passwd 1 l\n", "line 1; expected DATE/DRIVE"),
        (b"\x1b[2J" * 100_000, "line 1; expected DATE/DRIVE"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "train_files.txt").write_bytes(content)
    with pytest.raises(DataError, match=sentence) as refusal:
        read_split(tmp_path, RAW)
    assert len(str(refusal.value)) < 1000 and str(refusal.value).isprintable()


def test_an_endless_list_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "trajectory_lines=10")
    (tmp_path / "train_files.txt").write_text(LINE * 11)
    with pytest.raises(DataError, match=r"too many lines: .*train_files\.txt; expected at most 10 lines; got 11"):
        read_split(tmp_path, RAW)


def test_a_sequence_of_thousands_of_digits_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "train_files.txt").write_text("9" * 5000 + " 1 l\n")
    with pytest.raises(DataError, match="expected SEQUENCE FRAME"):
        read_split(tmp_path, ODOMETRY)
