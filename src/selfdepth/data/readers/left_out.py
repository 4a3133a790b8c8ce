"""What lies in a tree of folders and is not read, in one sentence for each kind."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from selfdepth.data.readers.file_kinds import IMAGE_SUFFIXES, PHOTO_SUFFIXES
from selfdepth.data.readers.no_footage import is_own_folder, is_own_picture
from selfdepth.data.readers.trees import LOOKED_AT, FolderTree, kind_of
from selfdepth.data.readers.video import VIDEO_SUFFIXES, is_own_video

_SIDE_FILES = frozenset(
    {".txt", ".yaml", ".yml", ".json", ".csv", ".md", ".xml", ".log", ".npz", ".npy", ".html", ".ini", ".toml", ".db"}
    | {""}
)
"""Files that lie beside frames and that nobody takes for frames."""
_FOOTAGE = IMAGE_SUFFIXES | VIDEO_SUFFIXES | PHOTO_SUFFIXES
_MAX_OPENED = 24
"""Videos that are opened to see whether selfdepth has written them."""
_NAMED = 3
"""Places that a sentence names."""


@dataclass(kw_only=True)
class _Tally:
    """What was met so far.

    Attributes:
        others: the number of files of each suffix that lie beside what is read, and are of another kind.
        outside: for each suffix, the number of files of footage in each folder that is not read.
        broken: links that lead nowhere.
        opened: the number of videos that were opened.
    """

    others: Counter[str] = field(default_factory=Counter)
    outside: dict[str, Counter[Path]] = field(default_factory=lambda: defaultdict(Counter))
    broken: list[Path] = field(default_factory=list)
    opened: int = 0


def left_out_of(
    root: Path, taken: Iterable[Path], read: frozenset[str], said: frozenset[Path] = frozenset()
) -> tuple[str, ...]:
    """A sentence on each kind of what is not read at or below a folder: other files, footage elsewhere, and links.

    Names alone are read, and the header of one image in each folder that is left out. Nothing is said of hidden files,
    of calibration, text and the like, and of what selfdepth has written.

    Args:
        taken: the folders, at or below `root`, whose files are read.
        read: suffixes of the files that are read there.
        said: folders whose images have been spoken of.
    """
    tree, tally = FolderTree(root=root), _Tally()
    folders = {folder.resolve() for folder in taken}
    for folder in _own_excluded(tree, root, LOOKED_AT):
        if folder.resolve() in folders:
            _count_beside(folder, read, tally)
        else:
            _count_outside(folder, tally, with_images=folder not in said)
    on_the_way = folders.union(*(folder.parents for folder in folders))
    repeats = [link for link in tree.repeats if link.resolve() in on_the_way]
    sentences = (
        ("they are not read as frames of this data", _counts(tally.others)),
        ("they lie outside of the folders that are read", _places(tally.outside, root)),
        ("the links lead nowhere", _like(tally.broken, root)),
        ("the links lead to what is met without them", _names(repeats, root)),
        ("the folders cannot be listed", _names(tree.unreadable, root)),
    )
    return tuple(f"left out, because {reason}: {what}" for reason, what in sentences if what)


def _own_excluded(tree: FolderTree, folder: Path, depth: int) -> Iterator[Path]:
    if not is_own_folder(folder):
        yield folder
        for path in tree.below(folder) if depth else ():
            yield from _own_excluded(tree, path, depth - 1)


def _count_beside(folder: Path, read: frozenset[str], tally: _Tally) -> None:
    """Count the files in a folder that is read which are of other kinds."""
    known = read | _SIDE_FILES
    for entry, suffix in _visible(folder):
        if _is_broken(entry, suffix):
            tally.broken.append(folder / entry.name)
        elif suffix not in known and kind_of(entry) == "file":
            tally.others[suffix] += 1


def _count_outside(folder: Path, tally: _Tally, *, with_images: bool) -> None:
    """Count the images, videos and photos in a folder that is not read."""
    counts: Counter[str] = Counter()
    image: Path | None = None
    for entry, suffix in _visible(folder):
        path = folder / entry.name
        if _is_broken(entry, suffix):
            tally.broken.append(path)
        elif suffix in _FOOTAGE and kind_of(entry) == "file" and not _is_own_video(path, suffix, tally):
            counts[suffix] += 1
            image = image or (path if suffix in IMAGE_SUFFIXES else None)
    speak_of_images = with_images and image is not None and not is_own_picture(image)
    for suffix, count in counts.items():
        if speak_of_images or suffix not in IMAGE_SUFFIXES:
            tally.outside[suffix][folder] += count


def _visible(folder: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """What is directly in a folder and not hidden, each with its suffix in lower case."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                _, dot, last = entry.name.rpartition(".")  # pathlib takes seconds for a hundred thousand names
                yield entry, f".{last}".lower() if dot and last else ""


def _is_broken(entry: os.DirEntry[str], suffix: str) -> bool:
    """Whether this is a link to what would be footage or a folder, and leads nowhere."""
    return entry.is_symlink() and (suffix in _FOOTAGE or not suffix) and kind_of(entry) == "broken"


def _is_own_video(path: Path, suffix: str, tally: _Tally) -> bool:
    if suffix not in VIDEO_SUFFIXES or tally.opened >= _MAX_OPENED:
        return False
    tally.opened += 1
    return is_own_video(path)


def _counts(suffixes: Counter[str]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common())


def _places(outside: dict[str, Counter[Path]], root: Path) -> str:
    ranked = sorted(outside.items(), key=lambda item: -item[1].total())
    return ", ".join(f"{counts.total()} {suffix} in {_names(list(counts), root)}" for suffix, counts in ranked)


def _names(paths: list[Path], root: Path) -> str:
    """The first places, relative to the root, and the number of the others."""
    named = [path.relative_to(root).as_posix() if path != root else "the folder itself" for path in paths[:_NAMED]]
    more = len(paths) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _like(paths: list[Path], root: Path) -> str:
    return f"{len(paths)} like {paths[0].relative_to(root).as_posix()}" if paths else ""
