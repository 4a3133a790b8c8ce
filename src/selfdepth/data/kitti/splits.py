"""Splits: lists of frames for training, validation and test, in a folder or under a published name.

NAME/train_files.txt, NAME/val_files.txt, NAME/test_files.txt, with a frame in each line (KITTI raw, or KITTI odometry):

2011_09_26/2011_09_26_drive_0005_sync 12 l
9 12 l
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.calibration import CAMERAS, ODOMETRY_CAMERAS
from selfdepth.download import DownloadSite, cache_folder, receive
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.files import writing_to
from selfdepth.limits import require_within
from selfdepth.places import path_of
from selfdepth.texts import read_text, whole_number

PARTS = {"train": "train_files.txt", "val": "val_files.txt", "test": "test_files*.txt"}
"""Files of each part. KITTI odometry's split has one test file per sequence: test_files_09.txt."""


@dataclass(frozen=True, kw_only=True)
class LineFormat:
    """How the lists of a data set name a frame.

    Attributes:
        description: the format with an example, for error messages.
        frame: the frame that the three words of a line name, or None if they do not name one.
    """

    description: str
    frame: Callable[[Sequence[str]], FrameRef | None]


def _raw_frame(words: Sequence[str]) -> FrameRef | None:
    # Published lists write frame numbers with and without leading zeros.
    number = whole_number(words[1])
    if not _DRIVE.fullmatch(words[0]) or number is None or words[2] not in CAMERAS:
        return None
    return FrameRef(sequence=f"{words[0]}/{CAMERAS[words[2]]}", number=number)


def _odometry_frame(words: Sequence[str]) -> FrameRef | None:
    sequence, number = whole_number(words[0]), whole_number(words[1])
    if sequence is None or number is None or words[2] not in ODOMETRY_CAMERAS:
        return None
    # Published lists write sequence 9, whose folder is 09.
    return FrameRef(sequence=f"{sequence:02d}/{ODOMETRY_CAMERAS[words[2]]}", number=number)


_DRIVE = re.compile(r"\d{4}_\d{2}_\d{2}/\w[\w.-]*")
"""Exactly DATE/DRIVE: a list from a stranger must not lead to files outside the root, as "../../etc" would."""
RAW = LineFormat(
    description='DATE/DRIVE FRAME l|r, as in "2011_09_26/2011_09_26_drive_0005_sync 12 l"', frame=_raw_frame
)
ODOMETRY = LineFormat(description='SEQUENCE FRAME l|r, as in "9 12 l"', frame=_odometry_frame)


@dataclass(frozen=True, kw_only=True)
class PublishedSplit:
    """A split with a published name: its files, and how many frames each lists (None: not verified)."""

    format: LineFormat
    files: Mapping[str, int | None]


PUBLISHED_SPLITS = {
    "eigen": PublishedSplit(format=RAW, files={"test_files.txt": 697}),
    "eigen_benchmark": PublishedSplit(format=RAW, files={"test_files.txt": 652}),
    "eigen_zhou": PublishedSplit(format=RAW, files={"train_files.txt": 39810, "val_files.txt": 4424}),
    "eigen_full": PublishedSplit(format=RAW, files={"train_files.txt": None, "val_files.txt": None}),
    "odom": PublishedSplit(
        format=ODOMETRY,
        files={"train_files.txt": 36671, "val_files.txt": 4075, "test_files_09.txt": 1590, "test_files_10.txt": 1200},
    ),
}
"""eigen: 697 test frames with LiDAR. eigen_benchmark: the 652 of them that have improved ground truth. eigen_zhou:
training frames without those where the car stands still; eigen_full: with them. odom: KITTI odometry. The counts reveal
a download that is truncated or is something else, such as the login page of a network."""

PUBLISHED = DownloadSite(
    base="https://raw.githubusercontent.com/nianticlabs/monodepth2/master/splits",
    variable="SELFDEPTH_SPLITS_URL",
    what="the published split",
    wrong="the download is not the published split",
    kind=DataError,
)


@dataclass(frozen=True, kw_only=True)
class SplitLine:
    """A frame that a split lists, and where, for error messages: "train_files.txt, line 3"."""

    ref: FrameRef
    where: str


def split_path(split: str | Path) -> Path:
    """The absolute folder of a split, given by its folder or its published name.

    A published split's folder in the cache need not exist yet. A local folder of that name takes precedence.
    """
    folder = path_of(split)
    if str(split) in PUBLISHED_SPLITS and not folder.is_dir():
        return cache_folder() / "splits" / str(split)
    return folder.resolve()


def find_split(split: str | Path) -> Path:
    """As `split_path`; a published split is downloaded if it is not in the cache yet.

    Raises:
        DataError: if `split` is neither a folder nor a published name, or if the download fails or is not the published
            split. The cache is left unchanged then.
        OutputError: if the cache cannot be written.
    """
    folder = split_path(split)
    if folder.is_dir():
        return folder
    if str(split) in PUBLISHED_SPLITS:
        _fetch(str(split), folder)
        return folder
    raise DataError(
        "there is no such split",
        where=str(split),
        expected="a folder with train_files.txt, val_files.txt or test_files.txt, or one of "
        + ", ".join(PUBLISHED_SPLITS),
    )


def read_split(folder: Path, lines: LineFormat, parts: Sequence[str] = tuple(PARTS)) -> dict[str, list[SplitLine]]:
    """The frames that a split's files list, by part, in the order of the lines. Parts without a file are left out.

    Args:
        folder: the split's folder.
        lines: format of the lines.
        parts: the parts to read.

    Raises:
        DataError: for a file that cannot be read, a line in another format, or if no part lists a frame.
    """
    listed_of = {
        part: [listed for file in files for listed in _read_file(file, lines)]
        for part in parts
        if (files := sorted(folder.glob(PARTS[part])))
    }
    if not any(listed_of.values()):
        raise DataError(
            "the split has no frames",
            where=folder,
            expected=f"a folder with lines in at least one of {', '.join(PARTS[part] for part in parts)}",
            got=", ".join(sorted(path.name for path in folder.glob("*_files*.txt"))) or "none of them",
        )
    return listed_of


def lists_frames(folder: Path, part: str) -> bool:
    """Whether the files of a part have any lines."""
    what = "the split file cannot be read"
    return any(read_text(file, what=what).strip() for file in folder.glob(PARTS[part]) if file.is_file())


def needed_offsets(part: str, offsets: Sequence[int]) -> tuple[int, ...]:
    """Offsets of the frames that a listed frame needs: itself (0), and for training and validation its neighbours."""
    return (0,) if part == "test" else (0, *offsets)


def usable_frames(
    listed: Sequence[SplitLine],
    offsets: Sequence[int],
    images: Callable[[str], Mapping[int, Any]],
    expected_path: Callable[[FrameRef], str],
) -> tuple[FrameRef, ...]:
    """The listed frames, without those near the ends of a drive that lack a distant neighbour (with a warning).

    Args:
        offsets: offsets of the frames that each listed frame needs, 0 for itself.
        images: the images of a sequence, by number.
        expected_path: the path where the image of a frame should be.

    Raises:
        DataError: for the first frame that is missing, or whose nearest neighbour or a neighbour within the drive is
            missing; or if no frame is left.
    """
    kept = tuple(each.ref for each in listed if _is_usable(each, offsets, images, expected_path))
    neighbours = ", ".join(f"{offset:+d}" for offset in offsets if offset)
    if listed and not kept:
        raise DataError(
            "no frame of the split has its neighbours",
            where=listed[0].where.rpartition(",")[0],
            expected=f"frames with images at {neighbours}",
            got=f"{len(listed)} frames, all too close to the ends of their drives",
            fix="give a smaller --every",
        )
    if len(kept) < len(listed):
        warnings.warn(
            f"{len(listed) - len(kept)} of {len(listed)} frames of the split are left out: they are too close to the "
            f"end of their drive to have neighbours at {neighbours}",
            SelfDepthWarning,
            stacklevel=2,
        )
    return kept


def _is_usable(
    each: SplitLine,
    offsets: Sequence[int],
    images: Callable[[str], Mapping[int, Any]],
    expected_path: Callable[[FrameRef], str],
) -> bool:
    existing = images(each.ref.sequence)
    missing = [offset for offset in offsets if each.ref.number + offset not in existing]
    # Published lists name only frames whose nearest neighbours exist: without those, data is missing. More distant
    # neighbours (--every 2) may lie beyond the ends of the drive, and such a frame is simply left out.
    if missing and not {-1, 0, 1} & set(missing):
        missing = [offset for offset in missing if min(existing) < each.ref.number + offset < max(existing)]
        if not missing:
            return False
    if not missing:
        return True
    offset = min(missing, key=abs)
    role = "the frame" if offset == 0 else f"the neighbour at {offset:+d} of frame {each.ref.number}"
    raise DataError(
        f"{role} is missing",
        where=each.where,
        expected=expected_path(FrameRef(each.ref.sequence, each.ref.number + offset)),
        got=f"{len(existing)} images in that folder" if existing else "no images in that folder",
        fix="list everything that is missing with: selfdepth check DIR --split SPLIT",
    )


def _read_file(path: Path, lines: LineFormat) -> Iterator[SplitLine]:
    text = read_text(path, what="the split file cannot be read")
    require_within("trajectory_lines", text.count("\n"), what="the split has too many lines", where=path)
    # One line at a time: a list of all would take ten times the memory of the text.
    for index, match in enumerate(re.finditer(r"[^\n]*\n?", text), start=1):
        line = match.group().rstrip("\n")
        words = line.split(None, 3)
        if not words:
            continue
        ref = lines.frame(words) if len(words) == 3 else None
        where = f"{path}, line {index}"
        if ref is None:
            raise DataError("the line cannot be read", where=where, expected=lines.description, got=f'"{line[:200]}"')
        yield SplitLine(ref=ref, where=where)


def _fetch(name: str, folder: Path) -> None:
    """Download the files of a published split into `folder`: all of them, or none on an error."""
    split = PUBLISHED_SPLITS[name]
    warnings.warn(f"downloading the split {name} to {folder}", SelfDepthWarning, stacklevel=3)
    with writing_to(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its destination, so that the last step is a rename on one disk: a split in the cache is complete.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}.") as temporary:
            complete = Path(temporary) / name
            complete.mkdir()
            for file, count in split.files.items():
                place, most = complete / file, "text_megabytes"
                url = receive(PUBLISHED, f"{name}/{file}", place, most=most, announce=lambda n_bytes: None)
                _check(complete / file, url, split.format, count)
            if not folder.is_dir():  # another process may have finished first
                complete.rename(folder)


def _check(file: Path, url: str, lines: LineFormat, count: int | None) -> None:
    try:
        got = sum(1 for _ in _read_file(file, lines))
    except DataError as error:
        raise PUBLISHED.unexpected(url, f"{error.what}: {error.got}", expected=lines.description) from error
    if not got or got != (count or got):  # without a verified count, any number of lines but none
        expected = "a frame in each line" if count is None else f"{count} frames"
        raise PUBLISHED.unexpected(url, str(got), expected=expected)
