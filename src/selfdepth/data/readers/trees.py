"""The folders below a folder: which of them may hold footage, and each of them once, whatever links lead to it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from selfdepth.data.readers.frame_names import natural_key

MAX_DEPTH = 4
"""How many levels below a folder its footage is searched for. KITTI's DATE/DRIVE/image_02/data has four."""
LOOKED_AT = MAX_DEPTH + 2
"""How many levels below a folder are looked at to say what is left out."""

_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "@recycle",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "__macosx",
    }
)
"""Folders that disks, network drives and archives hold for themselves: thumbnails, deleted files, attributes."""


@dataclass(kw_only=True)
class FolderTree:
    """A walk over the folders below `root` that goes into each of them once. It serves one walk.

    Attributes:
        root: where the walk starts.
        repeats: links that were not gone into, because they lead to a folder that the walk meets anyway, or back up.
        unreadable: folders that the system does not let us list.
    """

    root: Path
    repeats: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    _linked: set[Path] = field(default_factory=set)

    def below(self, folder: Path) -> tuple[Path, ...]:
        """The folders directly in a folder to go into, in natural order. Hidden ones and those of the system are not.

        A real folder goes before a link to it, wherever the two lie below the root.
        """
        found = subfolders(folder)
        kept = [path for path in (*_real(found), *filter(Path.is_symlink, found)) if self._is_new(path)]
        return tuple(sorted(filter(self._opens, kept), key=lambda path: natural_key(path.name)))

    def _is_new(self, path: Path) -> bool:
        is_link = path.is_symlink()
        if not is_link and not self._linked:
            return True  # ordinary data has no links, and need not be resolved
        target = path.resolve()
        above = path.parent.resolve()
        if target in self._linked or (is_link and (target in self._real_folders or target in (above, *above.parents))):
            self.repeats.append(path)
            return False
        # From the first link on, real folders count, too: a link may lead to what lies behind another.
        self._linked.add(target)
        return True

    def _opens(self, folder: Path) -> bool:
        if _can_list(folder):
            return True
        self.unreadable.append(folder)
        return False

    @cached_property
    def _real_folders(self) -> frozenset[Path]:
        """What the walk can meet without following a link."""
        level, folders = [self.root.resolve()], [self.root.resolve()]
        for _ in range(LOOKED_AT):
            level = [path for folder in level if _can_list(folder) for path in _real(subfolders(folder))]
            folders += level
        return frozenset(folders)


def kind_of(entry: os.DirEntry[str]) -> Literal["folder", "file", "broken", "other"]:
    """What an entry of a folder is, or what a link among them leads to: "broken" if it leads nowhere."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
    except OSError:  # a link in a circle, or to where we may not look
        return "broken"
    return "broken" if entry.is_symlink() else "other"


def subfolders(folder: Path) -> list[Path]:
    """The folders and links to folders directly in a folder, but for hidden ones and those of the system, by name: each
    file system lists them in an order of its own."""
    # Only names and kinds are read: a folder may hold a hundred thousand frames.
    with os.scandir(folder) as entries:
        return sorted(
            folder / entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and entry.name.casefold() not in _SYSTEM_FOLDERS
            and kind_of(entry) == "folder"
        )


def _real(folders: list[Path]) -> list[Path]:
    return [path for path in folders if not path.is_symlink()]


def _can_list(folder: Path) -> bool:
    try:
        os.scandir(folder).close()
    except OSError:
        return False
    return os.access(folder, os.X_OK)  # without it, its names can be listed, and nothing in it looked at
