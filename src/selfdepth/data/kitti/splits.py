"""Lists of frames for training, validation and test: a folder in the published format, or a published name.

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

PARTS = {"train": "train_files.txt", "val": "val_files.txt", "test": "test_files*.txt"}
"""Files of each part. KITTI odometry's split has a test file for each sequence: test_files_09.txt."""


@dataclass(frozen=True, kw_only=True)
class LineFormat:
    """How a data set's lists name a frame.

    Attributes:
        words: the format, as it is told to the user.
        frame: the frame that the three words of a line name, or None if they name none.
    """

    words: str
    frame: Callable[[Sequence[str]], FrameRef | None]


def _raw_frame(words: Sequence[str]) -> FrameRef | None:
    if not _DRIVE.fullmatch(words[0]) or not words[1].isdecimal() or words[2] not in CAMERAS:
        return None
    return FrameRef(sequence=f"{words[0]}/{CAMERAS[words[2]]}", number=int(words[1]))


def _odometry_frame(words: Sequence[str]) -> FrameRef | None:
    if not (words[0] + words[1]).isdecimal() or words[2] not in ODOMETRY_CAMERAS:
        return None
    return FrameRef(sequence=f"{int(words[0]):02d}/{ODOMETRY_CAMERAS[words[2]]}", number=int(words[1]))


_DRIVE = re.compile(r"\d{4}_\d{2}_\d{2}/\w[\w.-]*")
RAW = LineFormat(words='DATE/DRIVE FRAME l|r, as in "2011_09_26/2011_09_26_drive_0005_sync 12 l"', frame=_raw_frame)
ODOMETRY = LineFormat(words='SEQUENCE FRAME l|r, as in "9 12 l"', frame=_odometry_frame)


@dataclass(frozen=True, kw_only=True)
class PublishedSplit:
    """A split with a name: its files, and how many frames each lists (None: not known to us)."""

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
"""eigen: test frames with LiDAR. eigen_benchmark: those of them with improved ground truth. eigen_zhou: training frames
without standstill; eigen_full: with it. odom: KITTI odometry."""

PUBLISHED = DownloadSite(
    base="https://raw.githubusercontent.com/nianticlabs/monodepth2/master/splits",
    variable="SELFDEPTH_SPLITS_URL",
    what="the published split",
    wrong="what was downloaded is not the published split",
    kind=DataError,
)


@dataclass(frozen=True, kw_only=True)
class SplitLine:
    """A frame that a list names, and where: "train_files.txt, line 3"."""

    ref: FrameRef
    where: str


def split_path(split: str | Path) -> Path:
    """The folder that a split's name or folder stands for, absolute; a name's need not be there yet. A folder of that
    name comes first."""
    folder = Path(split).expanduser()
    if str(split) in PUBLISHED_SPLITS and not folder.is_dir():
        return cache_folder() / "splits" / str(split)
    return folder.resolve()


def find_split(split: str | Path) -> Path:
    """As `split_path`; a published split is downloaded if it is not in the cache yet.

    Raises:
        DataError: for what is neither a folder nor a published name, or when it cannot be fetched or is not the
            published split. Nothing is left in the cache then.
        OutputError: when the cache cannot be written to.
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
    """The frames that a folder's files list, by part, in their order. A part without a file is left out.

    Raises:
        DataError: for a file that cannot be read, a line of another format, or if there are no frames at all.
    """
    found = {
        part: [listed for file in files for listed in _read_file(file, lines)]
        for part in parts
        if (files := sorted(folder.glob(PARTS[part])))
    }
    if not any(found.values()):
        raise DataError(
            "the split has no frames",
            where=folder,
            expected=f"a folder with lines in {', '.join(PARTS[part] for part in parts)}, or in some of them",
            got=", ".join(sorted(path.name for path in folder.glob("*_files*.txt"))) or "none of them",
        )
    return found


def lists_frames(folder: Path, part: str) -> bool:
    """Whether a part's files have lines."""
    return any(file.read_bytes().strip() for file in folder.glob(PARTS[part]) if file.is_file())


def needed_offsets(part: str, offsets: Sequence[int]) -> tuple[int, ...]:
    """Frames that a listed one needs, itself (0) included: neighbours for training and validation, none for test."""
    return (0,) if part == "test" else (0, *offsets)


def usable_frames(
    listed: Sequence[SplitLine],
    offsets: Sequence[int],
    images: Callable[[str], Mapping[int, Any]],
    place: Callable[[FrameRef], str],
) -> tuple[FrameRef, ...]:
    """The listed frames; without those near the end of a drive that lack a distant neighbour, of which a warning tells.

    Args:
        offsets: of the frames that are needed, 0 for the one that is named.
        images: the images of a sequence by number.
        place: where a frame's image should be.

    Raises:
        DataError: for the first frame that is not there, or lacks its next neighbour or one within the drive; or if
            no frame is left.
    """
    kept = tuple(each.ref for each in listed if _is_usable(each, offsets, images, place))
    neighbours = ", ".join(f"{offset:+d}" for offset in offsets if offset)
    if listed and not kept:
        raise DataError(
            "no frame of the split has its neighbours",
            where=listed[0].where.rpartition(",")[0],
            expected=f"frames with images at {neighbours}",
            got=f"{len(listed)} frames, all too near the ends of their drives",
            fix="give a smaller --every",
        )
    if len(kept) < len(listed):
        warnings.warn(
            f"{len(listed) - len(kept)} of {len(listed)} frames of the split are left out: so near the end of their "
            f"drive they have no neighbours at {neighbours}",
            SelfDepthWarning,
            stacklevel=2,
        )
    return kept


def _is_usable(
    each: SplitLine,
    offsets: Sequence[int],
    images: Callable[[str], Mapping[int, Any]],
    place: Callable[[FrameRef], str],
) -> bool:
    there = images(each.ref.sequence)
    missing = [offset for offset in offsets if each.ref.number + offset not in there]
    # Published lists name frames whose next neighbours exist; farther ones may lie beyond the ends of the drive.
    if missing and not {-1, 0, 1} & set(missing):
        missing = [offset for offset in missing if min(there) < each.ref.number + offset < max(there)]
        if not missing:
            return False
    if not missing:
        return True
    offset = min(missing, key=abs)
    role = "the frame" if offset == 0 else f"the neighbour at {offset:+d} of frame {each.ref.number}"
    raise DataError(
        f"{role} is not there",
        where=each.where,
        expected=place(FrameRef(each.ref.sequence, each.ref.number + offset)),
        got=f"{len(there)} images in that folder" if there else "no images in that folder",
        fix="see what else is not there with: selfdepth check DIR --split SPLIT",
    )


def _read_file(path: Path, lines: LineFormat) -> Iterator[SplitLine]:
    try:
        text = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the split file cannot be read", where=path, got=str(error)) from error
    for index, line in enumerate(text, start=1):
        words = line.split()
        if not words:
            continue
        ref = lines.frame(words) if len(words) == 3 else None
        where = f"{path}, line {index}"
        if ref is None:
            raise DataError("the line cannot be read", where=where, expected=lines.words, got=f'"{line}"')
        yield SplitLine(ref=ref, where=where)


def _fetch(name: str, folder: Path) -> None:
    """Put the files of a published split into `folder`, all or none."""
    split = PUBLISHED_SPLITS[name]
    warnings.warn(f"downloading the split {name} to {folder}", SelfDepthWarning, stacklevel=3)
    with writing_to(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}.") as place:
            complete = Path(place) / name
            complete.mkdir()
            for file, count in split.files.items():
                url = receive(PUBLISHED, f"{name}/{file}", complete / file, announce=lambda n_bytes: None)
                _check(complete / file, url, split.format, count)
            if not folder.is_dir():  # another process may have been faster
                complete.rename(folder)


def _check(file: Path, url: str, lines: LineFormat, count: int | None) -> None:
    try:
        got = sum(1 for _ in _read_file(file, lines))
    except DataError as error:
        raise PUBLISHED.other(url, f"{error.what}: {error.got}", expected=lines.words) from error
    if not got or got != (count or got):
        expected = "a frame in each line" if count is None else f"{count} frames"
        raise PUBLISHED.other(url, str(got), expected=expected)
